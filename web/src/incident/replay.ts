import { useCallback, useEffect, useState } from 'react';

/** How many times faster than at first a replay may run. */
export const SPEEDS = [1, 2, 4, 8] as const;
/** How long an event is shown at speed 1. */
const STEP_MS = 1200;

/** A replay: which event is the last that is shown, and the ways to move. */
export interface Replay {
  /** Null where the incident is shown as it is now. */
  readonly at: number | null;
  readonly isPlaying: boolean;
  readonly speed: number;
  readonly length: number;
  goTo(index: number): void;
  toggle(): void;
  setSpeed(speed: number): void;
  leave(): void;
}

/** Gives a replay over so many events; it plays one after the other and stops at the last. */
export function useReplay(length: number): Replay {
  const [at, setAt] = useState<number | null>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [speed, setSpeed] = useState<number>(1);
  useEffect(() => {
    if (!isPlaying || at === null) return;
    const timer = setTimeout(() => {
      if (at + 1 >= length) setPlaying(false);
      else setAt(at + 1);
    }, STEP_MS / speed);
    return () => clearTimeout(timer);
  }, [isPlaying, at, speed, length]);
  return {
    at,
    isPlaying,
    speed,
    length,
    setSpeed,
    goTo: useCallback((index) => setAt(Math.max(0, Math.min(length - 1, index))), [length]),
    toggle: () => {
      if (!isPlaying && (at === null || at + 1 >= length)) setAt(0);
      setPlaying(!isPlaying);
    },
    leave: () => {
      setPlaying(false);
      setAt(null);
    },
  };
}
