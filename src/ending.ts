import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './errors.ts';

/** Something that runs, and how it is ended. */
export interface Part {
  readonly name: string;
  end(): unknown;
}

/** A part that did not end, and why. */
export interface Unended {
  readonly name: string;
  readonly why: string;
}

/**
 * Ends parts side by side and waits for them until a moment (in milliseconds, as Date.now() gives it), but at least for one turn; gives those
 * that failed or go on. Never throws, and never takes longer, whatever hangs.
 */
export async function endUntil(moment: number, parts: readonly Part[]): Promise<Unended[]> {
  const late = new AbortController();
  const deadline = sleep(Math.max(0, moment - Date.now()), 'has not ended in time', { signal: late.signal });
  deadline.catch(() => {});
  const endOne = async ({ end }: Part) => {
    await end();
    return null;
  };
  const ends = parts.map(async (part): Promise<Unended[]> => {
    const why = await Promise.race([endOne(part), deadline]).catch(messageOf);
    return why === null ? [] : [{ name: part.name, why }];
  });
  const unended = (await Promise.all(ends)).flat();
  late.abort();
  return unended;
}
