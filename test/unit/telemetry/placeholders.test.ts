import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { placeholdersIn } from '../../../src/telemetry/index.ts';
import {
  addSecret,
  redact,
  redactForModel,
  redactValue,
  redactValueForModel,
  secretsIn,
  setPlaceholderKey,
  setSecrets,
} from '../../../src/telemetry/redact-shared.ts';
import { ENCODINGS, expectNothingOf, MORE_ENCODINGS } from './encodings.ts';
import { random, SAMPLES } from './secret-samples.ts';

const KEY = Buffer.alloc(32, 1);
const idsIn = (text: string) => placeholdersIn(text).map(({ id }) => id);

beforeAll(() => setPlaceholderKey(KEY));
afterAll(() => setSecrets([]));

describe('what stands for a secret in texts for models', () => {
  it.each(SAMPLES.map((sample) => [sample.kind, sample] as const))(
    'of the kind %s hides it in every encoding, and is left alone afterwards',
    (kind, { line, secret }) => {
      for (const [name, encode] of Object.entries({ ...ENCODINGS, ...MORE_ENCODINGS })) {
        const seen = redactForModel(encode(line));
        expectNothingOf(secret, seen, `${kind}, ${name}`);
        expect(idsIn(seen), `${kind}, ${name}`).not.toEqual([]);
        expect(redactForModel(seen), `${kind}, ${name}, again`).toBe(seen);
        // For logs, Slack and the audit it is what it always was.
        expect(redact(seen), `${kind}, ${name}, kept`).toBe(redact(encode(line)));
      }
    },
  );

  it('is the same for the same secret, in prose, under a telling name, in JSON and behind escapes', () => {
    const value = `Hw7!qz9\\${random(12)}`;
    const whole = `connect with password='${value}' now`;
    const [id] = idsIn(redactForModel(whole));
    expect(id).toMatch(/^[0-9a-f]{8}$/);
    expect(idsIn(redactForModel(JSON.stringify({ annotations: { note: whole } })))).toEqual([id]);
    expect(idsIn(redactForModel(JSON.stringify({ password: value })))).toEqual([id]);
    expect(idsIn(JSON.stringify(redactValueForModel({ password: value, list: [whole] })))).toEqual([id, id]);
  });

  it('is another for another secret, so that a model can tell two apart', () => {
    const [one, other] = idsIn(redactForModel(`first password=${random(14)}A1! then password=${random(14)}B2!`));
    expect(one).not.toBe(other);
  });

  it('says nothing without the key of the installation, and the same to every replica that has it', () => {
    const text = `password=${random(20)}A1!`;
    const before = redactForModel(text);
    setPlaceholderKey(Buffer.alloc(32, 2));
    expect(redactForModel(text)).not.toBe(before);
    setPlaceholderKey(Buffer.alloc(32, 1));
    expect(redactForModel(text)).toBe(before);
  });

  it('becomes the plain mark again wherever people read, also inside of data', () => {
    const seen = redactForModel(`password=${random(20)}A1!`);
    expect(redact(`the model said: ${seen}`)).toBe('the model said: password=[redacted:secret-value]');
    expect(redactValue({ arguments: { token: seen.slice('password='.length) } })).toEqual({
      arguments: { token: '[redacted:secret-value]' },
    });
  });

  it('is found again in the texts that it came from, as the secret stands there', () => {
    const secret = `${random(14)}A1!`;
    const note = `rotate with password=${secret} please`;
    const [id = ''] = idsIn(redactForModel(JSON.stringify({ note })));
    expect([...(secretsIn([note]).get(id) ?? [])]).toEqual([secret]);
    expect(secretsIn(['nothing here']).size).toBe(0);
  });
});

describe('a secret that becomes known while the process runs', () => {
  it('is taken out from then on, with nothing telling beside it', () => {
    const secret = `${random(16)}-zQ7`;
    expect(redact(`saw ${secret} there`)).toContain(secret);
    addSecret(secret);
    expect(redact(`saw ${secret} there`)).toBe('saw [redacted:configured] there');
  });
});
