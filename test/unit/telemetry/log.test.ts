import { afterEach, describe, expect, it } from 'vitest';
import { NightshiftError } from '../../../src/errors.ts';
import { createLogger, inSpan, setSecrets, withCorrelation } from '../../../src/telemetry/index.ts';
import { NO_SPAN } from '../../../src/telemetry/span.ts';
import { expectNothingOf } from './encodings.ts';
import { SAMPLES } from './secret-samples.ts';

const lines: string[] = [];
const log = createLogger('debug', { write: (line) => void lines.push(line) });

afterEach(() => {
  lines.length = 0;
  setSecrets([]);
});

describe('a log line', () => {
  it('is one JSON object with level, time, ids and what was said', () => {
    withCorrelation({ incident: 'INC-7', trace: 'ab'.repeat(16) }, () =>
      log.warn({ count: 3, list: ['a'] }, 'three %s', 'things'),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      incident: 'INC-7',
      trace: 'ab'.repeat(16),
      count: 3,
      list: ['a'],
      message: 'three things',
    });
  });

  it('says in which span it was written', async () => {
    const span = { ...NO_SPAN, traceId: 'cd'.repeat(16), id: 'ef'.repeat(8) };
    await inSpan(span, async () => withCorrelation({ incident: 'INC-7', trace: 'ab'.repeat(16) }, () => log.info('x')));
    log.info('y');
    const [inside, outside] = lines.map((line) => JSON.parse(line) as object);
    expect(inside).toMatchObject({ incident: 'INC-7', trace: 'cd'.repeat(16), span: 'ef'.repeat(8) });
    expect(outside).not.toHaveProperty('span');
  });

  it('says what an operator can mend without the place in our code where it was noticed', () => {
    log.warn({ error: new NightshiftError('invalid_config', 'runbooks: no such folder. Fix: create it') }, 'x');
    log.error({ error: new NightshiftError('internal', 'a defect') }, 'x');
    const [plain, defect] = lines.map((line) => JSON.parse(line).error);
    expect(plain).toEqual({ code: 'invalid_config', message: 'runbooks: no such folder. Fix: create it' });
    expect(defect.stack).toContain('log.test.ts');
  });

  it.each([
    ['its message', (secret: string) => log.info(secret)],
    ['what is put into its message', (secret: string) => log.info('saw %s and %j', secret, { secret })],
    ['a field', (secret: string) => log.info({ saw: secret }, 'x')],
    ['a field of a field', (secret: string) => log.info({ a: { b: { c: [secret] } } }, 'x')],
    ['an error', (secret: string) => log.error({ error: new Error(secret) }, 'x')],
    [
      'an error under another name',
      (secret: string) => log.error({ err: new Error(secret, { cause: new Error(secret) }) }),
    ],
    ['an error alone', (secret: string) => log.error(new Error(secret))],
    ['what is bound to a child', (secret: string) => log.child({ bound: secret }).info('x')],
    ['its correlation', (secret: string) => withCorrelation({ trace: secret }, () => log.info('x'))],
  ])('has no secret in %s', (_, write) => {
    for (const { kind, line, secret } of SAMPLES) {
      write(line);
      expectNothingOf(secret, lines.join(''), kind);
      expect(lines.join('')).toContain('[redacted:');
      for (const one of lines) JSON.parse(one);
      lines.length = 0;
    }
  });

  it('has none of the secrets that the process was told of, from then on', () => {
    log.info('canary-of-0urs');
    setSecrets(['canary-of-0urs']);
    log.info({ a: 'a canary-of-0urs b' }, 'canary-of-0urs');
    expect(lines[0]).toContain('canary');
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({
      a: 'a [redacted:configured] b',
      message: '[redacted:configured]',
    });
  });

  it('has no clearance, which is more than a string', () => {
    log.info({ clearance: { signature: 'x' }, call: { clearance: { signature: 'y' } } }, 'x');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ clearance: '[redacted]', call: { clearance: '[redacted]' } });
  });
});
