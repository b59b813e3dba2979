/** What runs: started in the order of its making, and ended in phases, each within its time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from './errors.ts';

/**
 * By when what is ended has ended, in milliseconds after the word to stop: what takes work, and the work itself; what tells others of it; the tools;
 * the audit; the database. Each may use what those before it left.
 */
export const STOP_MS = { work: 14_500, told: 16_500, tools: 17_500, audit: 18_500, database: 19_300 };
export type Phase = keyof typeof STOP_MS;

/** Something that runs; without a start it runs since it was made. Also what was never started can be stopped. */
export interface Part {
  start?(): unknown;
  stop(): unknown;
}

/** A part that did not end, and why. */
export interface Unended {
  readonly name: string;
  readonly why: string;
}

export interface Parts {
  /** Takes a part in, to be ended in that phase, and gives it. */
  add<P extends Part>(phase: Phase, name: string, part: P): P;
  /** Starts them one after the other. @throws whatever a part throws; those after it are not started. */
  start(): Promise<void>;
  /** Ends all of them, phase after phase, and gives what failed or goes on. Takes less than 20 s, whatever hangs, and never throws. */
  stop(): Promise<Unended[]>;
}

/** Makes the list of all that runs; `stopMs` says by when each phase is over. */
export function createParts(stopMs: Readonly<Record<Phase, number>> = STOP_MS): Parts {
  const parts: { phase: Phase; name: string; part: Part }[] = [];
  return {
    add(phase, name, part) {
      parts.push({ phase, name, part });
      return part;
    },
    async start() {
      for (const { part } of parts) await part.start?.();
    },
    async stop() {
      const asked = Date.now();
      const unended: Unended[] = [];
      for (const [phase, within] of Object.entries(stopMs)) {
        const ends = parts.filter((one) => one.phase === phase);
        unended.push(...(await endUntil(asked + within, ends)));
      }
      return unended;
    },
  };
}

/** Ends parts side by side and waits for them until a moment (in milliseconds, as Date.now() gives it), but at least for one turn. */
async function endUntil(
  moment: number,
  parts: readonly { readonly name: string; readonly part: Part }[],
): Promise<Unended[]> {
  const late = new AbortController();
  const deadline = sleep(Math.max(0, moment - Date.now()), 'has not ended in time', { signal: late.signal });
  deadline.catch(() => {});
  const endOne = async (part: Part) => {
    await part.stop();
    return null;
  };
  const ends = parts.map(async ({ name, part }): Promise<Unended[]> => {
    const why = await Promise.race([endOne(part), deadline]).catch(messageOf);
    return why === null ? [] : [{ name, why }];
  });
  const unended = (await Promise.all(ends)).flat();
  late.abort();
  return unended;
}
