/** Makes the clock of this process wrong by so many milliseconds; timers run as before. */
export function shiftClock(offsetMs: number): void {
  if (offsetMs === 0) return;
  const Real = Date;
  const now = Real.now.bind(Real);
  globalThis.Date = class extends Real {
    constructor(...args: [] | [string | number | Date]) {
      if (args.length === 0) super(now() + offsetMs);
      else super(...(args as [number]));
    }
    static override now(): number {
      return now() + offsetMs;
    }
  } as DateConstructor;
}
