import type { Database } from '../database/index.ts';

const BLOCKED_MS_MAX = 24 * 60 * 60_000;
const COUNTED_MAX = 20;

/** A remedy that did not help on a target, and until when it is not tried there again. */
export interface Block {
  /** How many times in a row it did not help. */
  readonly times: number;
  readonly until: Date;
}

/** Tells until when a remedy that did not help so often in a row is left alone: `seconds` after the first time, twice as long each time, a day at most. */
export function blockAfter(times: number, last: Date, seconds: number): Block {
  const length = Math.min(BLOCKED_MS_MAX, seconds * 1000 * 2 ** (times - 1));
  return { times, until: new Date(last.getTime() + length) };
}

/**
 * Gives the block of this very call as it stands now, or null. It rests on what the checks saw after each run; what people asked
 * for by hand and what took something back is no part of it, and one run that healed ends it.
 */
export async function blockOf(
  db: Database,
  { fingerprint }: { readonly fingerprint: string },
  seconds: number,
): Promise<Block | null> {
  const runs = await db.q
    .selectFrom('action as a')
    .innerJoin('intent as i', 'i.action_id', 'a.id')
    .select(['a.effect', 'i.sent_at'])
    .where('a.fingerprint', '=', fingerprint)
    .where('a.effect', 'in', ['healed', 'unchanged', 'worse'])
    .where('a.requested_by', 'is', null)
    .where('a.undo_of', 'is', null)
    .orderBy('i.sent_at', 'desc')
    .limit(COUNTED_MAX)
    .execute();
  const healed = runs.findIndex(({ effect }) => effect === 'healed');
  const failed = healed === -1 ? runs : runs.slice(0, healed);
  const [last] = failed;
  if (!last) return null;
  const block = blockAfter(failed.length, last.sent_at, seconds);
  return block.until > (await db.now()) ? block : null;
}
