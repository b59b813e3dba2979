/** The time that limits and waits go by; a simulation brings its own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs something once in so many milliseconds; what it gives back takes that away again. */
  after(ms: number, run: () => void): () => void;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};
