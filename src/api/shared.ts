/** So many times as long as it took to read, an answer is kept: what takes long takes at most one twentieth of the time. */
const KEPT_TIMES = 20;
/** What takes no longer than this is read anew each time. */
const SHORT_MS = 100;

interface Answer {
  readonly answer: Promise<unknown>;
  /** When it is read anew, in milliseconds since 1970; never while it is being read. */
  until: number;
}

/** Reads what the key stands for, or shares what was read lately. */
export type Shared = <T>(key: string, read: () => Promise<T>) => Promise<T>;

/**
 * Makes what shares reads of much of the database: whoever asks for the same meanwhile gets the same answer, which, where it took over 0.1 s, is kept for
 * twenty times as long as it took; different ones are read one after the other, so that however many ask, alerts find the database free. A failure is not kept.
 */
export function createShared(): Shared {
  const answers = new Map<string, Answer>();
  let turn: Promise<unknown> = Promise.resolve();

  return async <T>(key: string, read: () => Promise<T>): Promise<T> => {
    const now = Date.now();
    for (const [known, { until }] of answers) if (until <= now) answers.delete(known);
    const known = answers.get(key);
    if (known) return known.answer as Promise<T>;
    const answer = turn.then(async () => {
      const began = Date.now();
      const value = await read();
      const took = Date.now() - began;
      entry.until = Date.now() + (took > SHORT_MS ? KEPT_TIMES * took : 0);
      return value;
    });
    const entry: Answer = { answer, until: Number.POSITIVE_INFINITY };
    answers.set(key, entry);
    turn = answer.catch(() => answers.delete(key));
    return answer;
  };
}
