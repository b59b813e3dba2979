/** A reason for the demo to end without having shown everything; the text is for the person who started it. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
}

/** Somebody asked the demo to stop; nothing went wrong. */
export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(signal);
    this.signal = signal;
  }

  /** Ends this process by the signal that stopped the demo, so that whoever waits for it learns how it ended. */
  repeat(): void {
    process.removeAllListeners(this.signal);
    process.kill(process.pid, this.signal);
    // Node ignores some signals, and the process must end either way.
    setTimeout(() => process.exit(1), 200);
  }
}

/** What can end the demo early: a signal, a part that fails, or its clock. Everything that waits waits with `signal`. */
export interface Ending {
  readonly signal: AbortSignal;
  fail(reason: string): void;
  /** Stops the clock while a person decides, or for good. */
  holdClock(): void;
  goOnWithClock(): void;
}

/** Starts listening for SIGINT, SIGTERM and SIGHUP, and the clock that allows so many seconds; `doing` tells what takes so long. */
export function createEnding(secondsMax: number, doing: () => string): Ending {
  const controller = new AbortController();
  let leftMs = secondsMax * 1000;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  const fail = (reason: string) => controller.abort(new DemoFailure(reason));
  const goOnWithClock = () => {
    clearTimeout(timer);
    since = performance.now();
    timer = setTimeout(() => fail(`it was not done within ${secondsMax} s, while ${doing()}`), leftMs);
  };
  // Kept for good: npm passes Ctrl-C on, so the same signal comes twice, and the second must not cut the stopping short.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => controller.abort(new Stopped(signal)));
  // Nobody reads any more, as after `npm run demo | head`.
  process.stdout.on('error', () => controller.abort(new Stopped('SIGPIPE')));
  goOnWithClock();
  return {
    signal: controller.signal,
    fail,
    goOnWithClock,
    holdClock: () => {
      clearTimeout(timer);
      leftMs -= performance.now() - since;
    },
  };
}
