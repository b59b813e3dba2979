import { NightshiftError } from '../errors.ts';

const MINUTE_MS = 60_000;
const TRIES_MAX = 20;
/** What is remembered stays small, whoever tries. */
const KEYS_MAX = 10_000;

/** Counts tries, 20 a minute for each key, in this process alone. */
export interface SignInLimit {
  /** @throws NightshiftError `too_many_requests` where this key has had its tries of the last minute. */
  check(key: string): void;
  count(key: string): void;
}

/** Makes the count of those who try to sign in; a secret of 256 bits is not guessed anyway, but nobody shall keep the database busy with it. */
export function createSignInLimit(now: () => number = Date.now): SignInLimit {
  const tries = new Map<string, { since: number; count: number }>();
  const current = (key: string) => {
    const known = tries.get(key);
    return known && now() - known.since < MINUTE_MS ? known : null;
  };
  return {
    check(key) {
      if ((current(key)?.count ?? 0) >= TRIES_MAX)
        throw new NightshiftError('too_many_requests', 'too many sign-ins. Fix: wait a minute, and try again');
    },
    count(key) {
      const known = current(key);
      if (known) {
        known.count += 1;
        return;
      }
      tries.delete(key);
      const [oldest] = tries.keys();
      if (tries.size >= KEYS_MAX && oldest !== undefined) tries.delete(oldest);
      tries.set(key, { since: now(), count: 1 });
    },
  };
}
