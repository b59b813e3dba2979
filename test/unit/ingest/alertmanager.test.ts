import { describe, expect, it } from 'vitest';
import type { NightshiftError } from '../../../src/errors.ts';
import { bearerMatches, parseAlertmanager } from '../../../src/ingest/index.ts';

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
  it('is taken whole, with long annotations cut and at most twenty mistakes told', () => {
    const { alerts } = parseAlertmanager(
      body(Array.from({ length: 600 }, () => ({ ...alert, annotations: { summary: `${'x'.repeat(16_383)}😀` } }))),
    );
    expect(alerts).toHaveLength(600);
    expect(alerts[0]?.annotations.summary).toHaveLength(16_384);
    expect(alerts[0]?.annotations.summary?.isWellFormed()).toBe(true);
    const { problems } = parseAlertmanager(body(Array.from({ length: 5000 }, () => ({ ...alert, labels: { a: 1 } }))));
    expect(problems).toHaveLength(20);
  });
});

describe('bearerMatches', () => {
  it('accepts the token and nothing else', () => {
    expect(bearerMatches('Bearer secret', 'secret')).toBe(true);
    expect(bearerMatches('bearer secret', 'secret')).toBe(true);
    for (const header of [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer secret2',
      'Basic secret',
      'secret',
      'Bearer secret extra',
    ]) {
      expect(bearerMatches(header, 'secret'), String(header)).toBe(false);
    }
    expect(bearerMatches('Bearer ', '')).toBe(false);
  });
});
