import { createRedactor } from './redact.ts';

/** One for the whole process: whoever forgets to pass it on would leak, and all it can do is take out more. */
let shared = createRedactor({ secrets: [] });

/** Tells the whole process which secrets to take out exactly, instead of those told before; without any, it knows them by shape and context. */
export function setSecrets(secrets: readonly string[]): void {
  shared = createRedactor({ secrets });
}

/**
 * Gives the text without secrets, cut to `max` characters (262,144 unless it is given): for whatever leaves the process or is kept.
 * Give `max` instead of cutting first, since half a secret is not recognised.
 */
export function redact(text: string, max?: number): string {
  return shared.text(text, max);
}

/** Gives a copy of JSON-like data in which no string holds a secret. */
export function redactValue(value: unknown): unknown {
  return shared.value(value);
}
