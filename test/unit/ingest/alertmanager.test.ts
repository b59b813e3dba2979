import { describe, expect, it } from 'vitest';
import type { NightshiftError } from '../../../src/errors.ts';
import { parseAlertmanager, parseGrafana } from '../../../src/ingest/alertmanager.ts';

const alert = {
  status: 'firing',
  labels: { alertname: 'Down' },
  annotations: {},
  startsAt: '2026-11-01T10:00:00Z',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'http://p/graph',
  fingerprint: 'abc123',
};
const body = (alerts: unknown[], more: object = {}) =>
  JSON.stringify({ version: '4', groupKey: '{}', status: 'firing', receiver: 'n', alerts, ...more });

function refusal(text: string) {
  try {
    parseAlertmanager(text);
  } catch (error) {
    return error as NightshiftError;
  }
  throw new Error('it was accepted');
}

describe('parseAlertmanager', () => {
  it('reads a firing alert; the zero time is no end', () => {
    const { alerts, problems } = parseAlertmanager(body([alert]));
    expect(problems).toEqual([]);
    expect(alerts[0]).toMatchObject({
      source: 'alertmanager',
      fingerprint: 'abc123',
      status: 'firing',
      endsAt: null,
      startsAt: new Date('2026-11-01T10:00:00Z'),
    });
  });

  it('makes a fingerprint where there is none, the same for the same labels', () => {
    const { fingerprint: _, ...without } = alert;
    const one = parseAlertmanager(body([{ ...without, labels: { a: '1', b: '2' } }])).alerts[0];
    const two = parseAlertmanager(body([{ ...without, labels: { b: '2', a: '1' } }])).alerts[0];
    expect(one?.fingerprint).toMatch(/^[0-9a-f]{16}$/);
    expect(two?.fingerprint).toBe(one?.fingerprint);
  });

  it('keeps good alerts beside bad ones, and names field and value of what is bad', () => {
    const { alerts, problems } = parseAlertmanager(
      body([
        alert,
        { ...alert, labels: { alertname: 7 } },
        { ...alert, labels: {} },
        { ...alert, startsAt: 'yesterday' },
      ]),
    );
    expect(alerts).toHaveLength(1);
    expect(problems).toMatchObject([
      { field: 'alerts.1.labels.alertname', value: '7' },
      { field: 'alerts.2.labels', message: expect.stringContaining('no labels') },
      { field: 'alerts.3.startsAt', value: '"yesterday"' },
    ]);
  });

  it('refuses what is not JSON, another version, and another shape', () => {
    expect(refusal('{')).toMatchObject({
      code: 'invalid_payload',
      problems: [{ field: 'body', fix: expect.stringContaining('webhook_config') }],
    });
    expect(refusal(body([], { version: '3' }))).toMatchObject({
      code: 'unsupported_version',
      problems: [{ field: 'version', value: '"3"' }],
    });
    expect(refusal('{"version":"4"}')).toMatchObject({ code: 'invalid_payload', problems: [{ field: 'alerts' }] });
    expect(refusal('null').problems).not.toEqual([]);
  });
});

describe('a large delivery', () => {
  it('keeps 500 alerts, names the others with the fix, cuts long annotations, and tells at most twenty mistakes', () => {
    const long = { ...alert, annotations: { summary: `${'x'.repeat(16_383)}😀` } };
    expect(parseAlertmanager(body(Array.from({ length: 500 }, () => long)))).toMatchObject({ problems: [] });
    const { alerts, problems } = parseAlertmanager(body(Array.from({ length: 612 }, () => long)));
    expect(alerts).toHaveLength(500);
    expect(alerts[0]?.annotations.summary).toHaveLength(16_384);
    expect(alerts[0]?.annotations.summary?.isWellFormed()).toBe(true);
    expect(problems).toMatchObject([
      { field: 'alerts.500', value: '612 alerts', fix: expect.stringContaining('max_alerts: 500') },
    ]);
    const bad = parseAlertmanager(body(Array.from({ length: 500 }, () => ({ ...alert, labels: { a: 1 } }))));
    expect(bad.problems).toHaveLength(20);
  });

  it("gives on the sender's name of the group, and goes without one that is none", () => {
    const alert = { status: 'firing', labels: { alertname: 'x' }, startsAt: '2026-11-01T10:00:00Z' };
    expect(parseAlertmanager(body([alert], { groupKey: '{}:{job="a"}' })).groupKey).toBe('{}:{job="a"}');
    for (const groupKey of [undefined, null, 7, '', 'x'.repeat(5000)])
      expect(parseAlertmanager(body([alert], { groupKey })).groupKey, String(groupKey)).toBeUndefined();
  });

  it('notes what Alertmanager itself left out, which is nobody’s mistake', () => {
    expect(parseAlertmanager(body([alert], { truncatedAlerts: 7 }))).toMatchObject({
      problems: [],
      alerts: [{}],
      notes: [expect.stringContaining('7 more alerts')],
    });
    for (const truncatedAlerts of [0, null, 'many', -1, 1.5])
      expect(parseAlertmanager(body([alert], { truncatedAlerts })).notes, String(truncatedAlerts)).toBeUndefined();
  });
});

describe('a body that two readers could understand differently', () => {
  const raw = (piece: string) => body([alert, { ...alert, x: '%' }, alert]).replace('"%"', piece);

  it.each([
    ['a name twice', '1,"labels":{"alertname":"Other"}'],
    ['a name of every object', '{"__proto__":{"a":1}}'],
    ['33 levels', `${'['.repeat(33)}${']'.repeat(33)}`],
    ['an integer above 2^53', '12345678901234567890'],
  ])('loses the alert with %s, and keeps those beside it', (_what, piece) => {
    const { alerts, problems } = parseAlertmanager(raw(piece));
    expect(alerts).toHaveLength(2);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.field).toMatch(/^alerts\.1\./);
  });

  it('is refused whole where the flaw is around the alerts', () => {
    for (const more of [
      '"alerts":[]',
      '"groupKey":"a"',
      '"constructor":1',
      `"deep":${'['.repeat(99)}${']'.repeat(99)}`,
    ]) {
      const text = `${body([alert]).slice(0, -1)},${more}}`;
      expect(refusal(text), more).toMatchObject({ code: 'invalid_payload', problems: [{}] });
    }
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(refusal(`{"version":${deep},"alerts":[]}`)).toMatchObject({ code: 'invalid_payload' });
  });

  it.each([
    ['NUL', 'a\0b'],
    ['half a surrogate pair', 'a\ud83d'],
    ['more than 1024 characters', 'x'.repeat(1025)],
  ])('has no label with %s in its name or value, and only an annotation loses it', (_what, text) => {
    for (const labels of [{ alertname: text }, { [text]: 'a' }])
      expect(parseAlertmanager(body([alert, { ...alert, labels }]))).toMatchObject({ alerts: [{}], problems: [{}] });
    const { alerts, problems } = parseAlertmanager(body([{ ...alert, annotations: { [text]: text } }]));
    expect(problems).toEqual([]);
    const [[name = '', value = ''] = []] = Object.entries(alerts[0]?.annotations ?? {});
    expect(name.length).toBeLessThanOrEqual(1024);
    for (const kept of [name, value]) expect(kept.isWellFormed() && !kept.includes('\0')).toBe(true);
  });

  it('has no label that names what all objects share', () => {
    const { alerts, problems } = parseAlertmanager(
      body([alert, '%']).replace('"%"', JSON.stringify(alert).replace('"alertname"', '"__proto__"')),
    );
    expect(alerts).toHaveLength(1);
    expect(problems).toMatchObject([{ field: 'alerts.1.labels.__proto__' }]);
  });
});

describe('times', () => {
  it.each([
    ['2026-11-01T10:00:00.123456789Z', true],
    ['2026-11-01T10:00:00+02:00', true],
    ['1969-12-31T23:59:59Z', false],
    ['0001-01-01T00:00:00Z', false],
    ['2026-02-30T10:00:00Z', false],
    ['2026-11-01', false],
    ['2026-11-01T10:00:00', false],
  ])('a start of %s is taken: %s', (startsAt, taken) => {
    const { alerts } = parseAlertmanager(body([{ ...alert, startsAt }]));
    expect(alerts).toHaveLength(taken ? 1 : 0);
    for (const one of alerts) expect(one.startsAt?.getTime()).toBe(Date.parse(startsAt));
  });
});

describe('parseGrafana', () => {
  const notification = (values: string, version = '1') =>
    body([{ ...alert, fingerprint: 'c6eadffa33fcdf37', values: '%', valueString: '', silenceURL: 'http://g/s' }], {
      version,
      orgId: 1,
      title: '[FIRING:1]',
      state: 'alerting',
      truncatedAlerts: 0,
    }).replace('"%"', values);

  it('reads the shape that Grafana sends, whatever its values are', () => {
    for (const values of ['{"B":44.2,"C":1}', '{"B":1762000000000000000}', 'null']) {
      const { alerts, problems } = parseGrafana(notification(values), 'graf');
      expect(problems).toEqual([]);
      expect(alerts).toMatchObject([
        { source: 'graf', fingerprint: 'c6eadffa33fcdf37', status: 'firing', endsAt: null },
      ]);
    }
    expect(parseGrafana(notification('{}', '4')).alerts).toHaveLength(1);
  });

  it('refuses another version', () => {
    expect(() => parseGrafana(notification('{}', '9'))).toThrow('Grafana 9 or newer');
  });
});
