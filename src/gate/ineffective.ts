import { type RawBuilder, sql } from 'kysely';
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
function blockAfter(times: number, last: Date, seconds: number): Block {
  const length = Math.min(BLOCKED_MS_MAX, seconds * 1000 * 2 ** (times - 1));
  return { times, until: new Date(last.getTime() + length) };
}

/** Says why a call is not tried again for now. */
export function describeBlock({ tool, target }: { tool: string; target: string }, { times, until }: Block): string {
  const lately = times === 1 ? 'the last time' : `the last ${times} times`;
  return `${tool} on ${target} did not help ${lately}, so it is not tried again before ${until.toISOString()}`;
}

/** A run of which the checks saw what came of it. Inside JSON, a moment is text. */
export interface SeenRun {
  readonly effect: string | null;
  readonly sent_at: Date | string;
}

/**
 * The query for the runs of one very call of which the checks saw what came of them, the newest first; what people asked for by hand and
 * what took something back is no part of them.
 */
export function seenRuns(db: Database, fingerprint: RawBuilder<unknown>) {
  return db.q
    .selectFrom('action as same')
    .innerJoin('intent as sent', 'sent.action_id', 'same.id')
    .select(['same.effect', 'sent.sent_at'])
    .where('same.fingerprint', '=', sql<string>`${fingerprint}`)
    .where('same.effect', 'in', ['healed', 'unchanged', 'worse'])
    .where('same.requested_by', 'is', null)
    .where('same.undo_of', 'is', null)
    .orderBy('sent.sent_at', 'desc')
    .limit(COUNTED_MAX);
}

/** Gives the block of a call as it stands at a moment, by its `seenRuns`, or null; one run that healed ends it. */
export function blockOf(runs: readonly SeenRun[], seconds: number, now: Date): Block | null {
  const healed = runs.findIndex(({ effect }) => effect === 'healed');
  const failed = healed === -1 ? runs : runs.slice(0, healed);
  const [last] = failed;
  if (!last) return null;
  const block = blockAfter(failed.length, new Date(last.sent_at), seconds);
  return block.until > now ? block : null;
}
