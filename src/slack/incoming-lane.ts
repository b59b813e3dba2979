/** Runs what it is given, some of it at once and the rest in the order in which it came. */
export type Lane = <T>(run: () => Promise<T>) => Promise<T>;

/** Makes a lane that runs at most `width` things at once, at least 1. */
export function createLane(width: number): Lane {
  let free = width;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
