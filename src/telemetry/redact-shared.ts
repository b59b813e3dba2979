import { randomBytes } from 'node:crypto';
import { type Mark, placeholderOf, secretId } from './placeholders.ts';
import { createRedactor } from './redact.ts';
import { viewsOf } from './redact-encodings.ts';

/** One for the whole process: whoever forgets to pass it on would leak, and all it can do is take out more. */
let secrets: readonly string[] = [];
/** Until the installation's own is known, nobody knows it: what stands for a secret says nothing about it in any case. */
let key: Buffer = randomBytes(32);
let shared = createRedactor({ secrets });
let forModels = createRedactor({ secrets, mark: markForModels });

function markForModels(type: string, secret: string): string {
  return placeholderOf(type, secretId(secret, key));
}

/** Tells the whole process which secrets to take out exactly, instead of those told before; without any, it knows them by shape and context. */
export function setSecrets(given: readonly string[]): void {
  secrets = given;
  shared = createRedactor({ secrets });
  forModels = createRedactor({ secrets, mark: markForModels });
}

/** Tells the whole process of one more secret, which is taken out from now on wherever it stands. */
export function addSecret(secret: string): void {
  if (!secrets.includes(secret)) setSecrets([...secrets, secret]);
}

/** Tells the whole process the installation's key (32 bytes) of what stands for secrets, so that every replica writes the same after every start. */
export function setPlaceholderKey(given: Buffer): void {
  key = given;
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

/**
 * Gives the text as a model may see it: as {@link redact} does, but each secret becomes `[redacted:TYPE#ID]`, where the same secret has
 * the same id in every text, so that a model can tell two apart. What `redact` makes of that says `[redacted:TYPE]` again.
 */
export function redactForModel(text: string, max?: number): string {
  return forModels.text(text, max);
}

/** Gives a copy of JSON-like data as a model may see it. */
export function redactValueForModel(value: unknown): unknown {
  return forModels.value(value);
}

/**
 * Gives the secrets in some texts, as they stand there, by the id of what stands for each in texts for models. `around` are the same texts
 * in a form in which more gives secrets away, such as JSON with its names.
 */
export function secretsIn(texts: readonly string[], around: readonly string[] = []): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const mark: Mark = (type, secret) => {
    const id = secretId(secret, key);
    // Only what stands there word for word can be handed on as it stood.
    const readings = [...viewsOf(secret)].map(({ text }) => text);
    const verbatim = readings.filter((reading) => texts.some((text) => text.includes(reading)));
    if (verbatim.length > 0) found.set(id, new Set([...(found.get(id) ?? []), ...verbatim]));
    return placeholderOf(type, id);
  };
  const collect = createRedactor({ secrets, mark });
  for (const text of [...texts, ...around]) collect.text(text);
  return found;
}
