import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

// What differs between databases is the business of the other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

describe('hostile deliveries', () => {
  let nightshift: TestNightshift;
  let serial = 0;

  beforeAll(async () => {
    nightshift = await startNightshift({ database, config: { mode: 'observe', limits: { concurrency: 1 } } });
  });
  afterAll(() => nightshift?.stop());

  const firing = (labels: Record<string, string>, change: object = {}) => {
    serial += 1;
    return alert(labels, { fingerprint: `f${serial}`, ...change });
  };
  const shown = async (title: string) => {
    const { body } = await nightshift.api<{ incidents: { id: string; title: string; labels: { service: string } }[] }>(
      '/incidents?limit=500',
    );
    return body.incidents.filter(({ labels }) => labels.service === title);
  };
  /** Delivers a good alert beside a bad one. */
  const deliverWith = async (bad: unknown) => {
    const service = `good-${serial}`;
    const { status, body } = await nightshift.deliver([firing({ service }), bad as object]);
    const problems = (body.problems ?? []) as { field: string; value?: string }[];
    return { status, problems, committed: await shown(service) };
  };

  it('commits alerts whose grouping labels are longer than an index entry', async () => {
    const long = () => randomBytes(600).toString('base64').slice(0, 800);
    const service = long();
    const bad = firing({ service, namespace: long(), job: long(), cluster: long() });
    expect(await deliverWith(bad)).toMatchObject({ status: 202, committed: [{}] });
    expect(await shown(service)).toHaveLength(1);
    // The key is the same when it comes again.
    const again = await nightshift.deliver([{ ...bad, startsAt: '2026-11-01T11:00:00.000Z' }]);
    expect(again.status).toBe(202);
    expect(await shown(service)).toHaveLength(1);
  });

  it.each<[string, () => object]>([
    ['a NUL in the name of a label', () => ({ labels: { alertname: 'x', 'a\0b': 'v' } })],
    ['a NUL in the name of a label of another type', () => ({ labels: { alertname: 'x', 'a\0b': 5 } })],
    ['half an emoji where a value is cut', () => ({ status: `${'x'.repeat(78)}😀😀` })],
    ['a label too long with an emoji at 78', () => ({ labels: { a: `${'x'.repeat(78)}😀${'y'.repeat(1100)}` } })],
    ['a label too long with an emoji at 79', () => ({ labels: { a: `${'x'.repeat(79)}😀${'y'.repeat(1100)}` } })],
  ])('refuses %s with 400, and commits the good alert beside it', async (_what, change) => {
    const answer = await deliverWith({ ...firing({}), ...change() });
    expect(answer).toMatchObject({ status: 400, committed: [{}] });
    expect(answer.problems.length).toBeGreaterThan(0);
  });

  it.each([
    ['NUL', '\0\0\0not json'],
    ['an emoji where it is cut', `{"a":"${'x'.repeat(33)}😀😀😀`],
  ])('refuses what is not JSON and holds %s with 400', async (_what, body) => {
    expect(await nightshift.deliver([], { body })).toMatchObject({ status: 400, body: { code: 'invalid_payload' } });
  });

  it('refuses an alert that is nested too deeply with 400, and commits the one before it', async () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    const good = JSON.stringify(firing({ service: 'beside-the-deep' }));
    const { status } = await nightshift.deliver([], { body: `{"version":"4","alerts":[${good},${deep}]}` });
    expect(status).toBe(400);
    expect(await shown('beside-the-deep')).toHaveLength(1);
  });

  it('answers 300,000 mistakes with a few of them, and commits the alert beside them', async () => {
    const labels = Object.fromEntries(Array.from({ length: 300_000 }, (_, index) => [index.toString(36), 1]));
    const answer = await deliverWith({ ...firing({}), labels });
    expect(answer).toMatchObject({ status: 400, committed: [{}] });
    expect(answer.problems.length).toBeGreaterThan(0);
    expect(answer.problems.length).toBeLessThanOrEqual(40);
  });

  it('answers mistakes in many alerts with a few of them', async () => {
    const bad = Array.from({ length: 400 }, () => ({ ...firing({}), labels: {} }));
    const { status, body } = await nightshift.deliver(bad);
    expect(status).toBe(400);
    expect((body.problems as unknown[]).length).toBeLessThanOrEqual(40);
  });

  it('takes 500 alerts in one delivery', async () => {
    const many = Array.from({ length: 500 }, (_, index) => firing({ service: 'many', replica: `${index}` }));
    const { status, body } = await nightshift.deliver(many);
    expect(status, JSON.stringify(body)).toBe(202);
    const [id = 0] = body.incidents as number[];
    expect((await nightshift.incident(id)).alerts).toHaveLength(500);
  });

  it('cuts an annotation of 20 KiB instead of losing its alert', async () => {
    const annotations = { description: `x${'😀'.repeat(10_240)}` };
    const { status, body } = await nightshift.deliver([firing({ service: 'wordy' }, { annotations })]);
    expect(status, JSON.stringify(body)).toBe(202);
    const [id = 0] = body.incidents as number[];
    const [stored] = (await nightshift.incident(id)).alerts;
    expect(stored?.annotations.description).toHaveLength(16 * 1024);
    expect(stored?.annotations.description?.startsWith('x😀😀')).toBe(true);
  });

  it('shows no control or bidi character of an alert in a title or on a terminal', async () => {
    const service = 'x\u001b[2J\u001b]0;owned\u0007\u202e';
    const { status, body } = await nightshift.deliver([firing({ service, severity: '\u001b[31m' })]);
    expect(status).toBe(202);
    const [id = 0] = body.incidents as number[];
    await nightshift.until(id, 'escalated');
    const [incident] = await shown(service);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    const unsafe = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;
    expect(incident?.title).not.toMatch(unsafe);
    const said: string[] = [];
    for (const argv of [['incidents'], ['incident', `INC-${id}`]]) {
      const code = await runCli({
        argv,
        env: { NIGHTSHIFT_DATA_DIR: nightshift.dataDir },
        directory: nightshift.dataDir,
        out: (line) => void said.push(...line.split('\n')),
        err: (line) => void said.push(line),
        serve: () => Promise.reject(new Error('not here')),
        untilStopped: () => Promise.reject(new Error('not here')),
      });
      expect(code, said.join('\n')).toBe(0);
    }
    expect(said.some((line) => line.includes('owned'))).toBe(true);
    for (const line of said) expect(line).not.toMatch(unsafe);
  });

  it('met no error of its own in all this', () => {
    expect(nightshift.log().filter(({ level }) => level === 'error')).toEqual([]);
  });
});
