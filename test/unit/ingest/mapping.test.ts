import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SHIPPED_MAPPINGS } from '../../../src/config/index.ts';
import { loadMapping, testBodyOf } from '../../../src/ingest/mapping.ts';

const directory = mkdtempSync(join(tmpdir(), 'nightshift-mapping-'));
afterAll(() => rmSync(directory, { recursive: true }));
let files = 0;
/** Loads a mapping with this expression. */
function load(expression: string) {
  files += 1;
  const path = join(directory, `${files}.yaml`);
  writeFileSync(path, `alerts: ${JSON.stringify(expression)}\n`);
  return loadMapping(path);
}
const mapped = async (name: string, body: unknown) => {
  const map = await loadMapping(name);
  return map(typeof body === 'string' ? body : JSON.stringify(body), 'it');
};

describe('the mapping of CloudEvents', () => {
  const event = {
    specversion: '1.0',
    id: 'A-1',
    source: '/shop/eu',
    type: 'com.example.queue.stuck',
    subject: 'orders',
    time: '2026-11-21T10:00:00Z',
    data: { summary: 'orders pile up', labels: { service: 'shop', shard: 7, nested: {} } },
  };

  it('reads one event and a batch', async () => {
    expect(await mapped('cloudevents', event)).toMatchObject({
      problems: [],
      alerts: [
        {
          status: 'firing',
          labels: {
            alertname: 'com.example.queue.stuck',
            source: '/shop/eu',
            instance: 'orders',
            service: 'shop',
            shard: '7',
          },
          annotations: { summary: 'orders pile up' },
          startsAt: null,
        },
      ],
    });
    const batch = await mapped('cloudevents', [event, { ...event, subject: 'refunds' }]);
    expect(new Set(batch.alerts.map(({ fingerprint }) => fingerprint)).size).toBe(2);
    expect((await mapped('cloudevents', [])).alerts).toEqual([]);
  });

  it('knows the end of an event by its type or its status, as the same alert', async () => {
    for (const change of [{}, { subject: undefined }, { data: { fingerprint: 'q-7' } }]) {
      const [fired] = (await mapped('cloudevents', { ...event, ...change })).alerts;
      const over = { ...event, type: 'com.example.queue.resolved', ...change };
      const [resolved] = (await mapped('cloudevents', over)).alerts;
      expect([fired?.status, resolved?.status]).toEqual(['firing', 'resolved']);
      expect(resolved?.fingerprint).toBe(fired?.fingerprint);
    }
    const [byStatus] = (await mapped('cloudevents', { ...event, data: { status: 'OK' } })).alerts;
    expect(byStatus?.status).toBe('resolved');
  });
});

describe('the mapping of Datadog', () => {
  const webhook = {
    id: '7',
    cycle: '1234567890123456789',
    transition: 'Triggered',
    title: 'CPU is high on web',
    monitor: '4711',
    status: 'avg cpu over 90',
    scope: 'host:web-1,role:web',
    tags: 'env:prod,service:shop,monitor',
    priority: 'P1',
    host: 'web-1',
    message: 'look at it',
    link: 'https://app.datadoghq.com/monitors/4711',
  };

  it('makes labels of the tags, and takes the cycle for the alert', async () => {
    const read = await mapped('datadog', webhook);
    expect(read).toMatchObject({
      problems: [],
      alerts: [
        {
          status: 'firing',
          fingerprint: '1234567890123456789',
          labels: { alertname: 'CPU is high on web', env: 'prod', service: 'shop', role: 'web', instance: 'web-1' },
          annotations: { summary: 'avg cpu over 90', description: 'look at it' },
          generatorUrl: webhook.link,
          startsAt: null,
        },
      ],
    });
    for (const transition of ['Recovered', 'Warn Recovered', 'No Data Recovered'])
      expect((await mapped('datadog', { ...webhook, transition })).alerts).toMatchObject([
        { status: 'resolved', fingerprint: '1234567890123456789' },
      ]);
    for (const transition of ['Re-Triggered', 'Warn', 'No Data', 'Renotify'])
      expect((await mapped('datadog', { ...webhook, transition })).alerts).toMatchObject([{ status: 'firing' }]);
  });
});

describe('the mapping of Opsgenie', () => {
  // `updatedAt` is in nanoseconds, which no double holds.
  const webhook = (action: string, createdAt = '1763715600000') =>
    `{"action":"${action}","source":{"name":"web","type":"API"},"integrationName":"n","alert":{"alertId":"052652ac-5d1c","message":"disk full","alias":"disk","updatedAt":1763715600166002000,"createdAt":${createdAt},"tags":["a"],"priority":"P2","entity":"db-1","description":"d","details":{"service":"shop"}}}`;

  it('fires on Create, ends on Close and Delete, and says nothing otherwise', async () => {
    expect(await mapped('opsgenie', webhook('Create'))).toMatchObject({
      problems: [],
      alerts: [
        {
          status: 'firing',
          fingerprint: '052652ac-5d1c',
          startsAt: new Date(1_763_715_600_000),
          labels: { alertname: 'disk full', service: 'shop', priority: 'P2', instance: 'db-1', opsgenie_alias: 'disk' },
          annotations: { summary: 'disk full', description: 'd' },
        },
      ],
    });
    for (const action of ['Close', 'Delete'])
      expect((await mapped('opsgenie', webhook(action))).alerts).toMatchObject([
        { status: 'resolved', startsAt: new Date(1_763_715_600_000) },
      ]);
    for (const action of ['Acknowledge', 'AddNote', 'Escalate'])
      expect(await mapped('opsgenie', webhook(action))).toMatchObject({ alerts: [], problems: [] });
  });
});

describe('a test alert', () => {
  it.each(SHIPPED_MAPPINGS)('in the words that %s is made for says what it is about', async (name) => {
    const labels = { alertname: 'NightshiftTest', service: 'shop', severity: 'info' };
    const about = { labels, fingerprint: 'f-1', startsAt: new Date(1_763_715_600_000), summary: 'a test' };
    for (const resolved of [false, true]) {
      const body = await testBodyOf(name, { ...about, resolved });
      expect(body, `mappings/${name}.yaml has no test`).not.toBeNull();
      expect(await mapped(name, body)).toMatchObject({
        problems: [],
        alerts: [
          { status: resolved ? 'resolved' : 'firing', labels: { alertname: 'NightshiftTest', service: 'shop' } },
        ],
      });
    }
  });
});

describe('a body that a mapping is not made for', () => {
  it.each(SHIPPED_MAPPINGS)('is refused by %s, or gives nothing, and never more than mistakes', async (name) => {
    const bodies = ['null', '5', '"x"', '[[]]', '[1,2]', '{}', '{"alert":5,"action":"Create","type":[],"tags":{}}'];
    for (const body of [...bodies, '{"type":"a","source":{"__proto__":1}}', `${'['.repeat(40)}${']'.repeat(40)}`]) {
      const read = await mapped(name, body).catch((error) => error as { code: string; problems: object[] });
      if ('code' in read)
        expect(read, body).toMatchObject({ code: 'invalid_payload', problems: [{ field: expect.any(String) }] });
      else expect(read.alerts, body).toEqual([]);
    }
  });
});

it('a name that is given twice refuses a body that is in order otherwise', async () => {
  const body = '{"cycle":"1","title":"CPU","tags":"a:b","host":"w1","host":"w2"}';
  await expect(mapped('datadog', body)).rejects.toMatchObject({ problems: [{ field: 'body.host' }] });
});

describe('a mapping of one’s own', () => {
  it('is what docs/sources.md shows', async () => {
    const document = readFileSync(join(import.meta.dirname, '../../../docs/sources.md'), 'utf8');
    const path = join(directory, 'documented.yaml');
    writeFileSync(path, /^```yml\n([\s\S]*?)^```$/m.exec(document)?.[1] ?? '');
    const map = await loadMapping(path);
    const check = { id: 'c-1', state: 'bad', since: '2026-11-21T10:00:00Z', name: 'Disk', service: 'db', text: 'full' };
    const body = JSON.stringify({
      checks: [check, { ...check, id: 'c-2', state: 'good' }, { ...check, state: 'unknown' }],
    });
    expect(await map(body, 'own')).toMatchObject({
      problems: [],
      alerts: [
        { fingerprint: 'c-1', status: 'firing', labels: { alertname: 'Disk', service: 'db' } },
        { fingerprint: 'c-2', status: 'resolved' },
      ],
    });
  });

  it('gives one alert or a list, with times and fingerprints as it likes', async () => {
    const map = await load('{"status": s, "labels": {"alertname": n}, "fingerprint": f, "startsAt": t, "endsAt": e}');
    const time = '2026-11-21T10:00:00Z';
    const body = { s: 'firing', n: 'A', f: 'a b\u{1F600}', t: time, e: '0001-01-01T00:00:00Z' };
    const [alert] = (await map(JSON.stringify(body), 'own')).alerts;
    expect(alert).toMatchObject({ source: 'own', startsAt: new Date(time), endsAt: null });
    expect(alert?.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    const bad = await map(JSON.stringify({ s: 'on fire', n: 'A' }), 'own');
    expect(bad).toMatchObject({ alerts: [], problems: [{ field: 'alerts.0.status' }] });
  });

  it('gives at most 500 alerts, and names the rest', async () => {
    const map = await load('[1..600].{"status": "firing", "labels": {"n": $string($)}}');
    const { alerts, problems } = await map('{}', 'own');
    expect(alerts).toHaveLength(500);
    expect(problems).toMatchObject([{ field: 'alerts.500' }]);
  });

  it.each([
    ['runs for ever', '($f := function($x) { $f($x + 1) }; $f(1))', 'timeout'],
    ['recurses for ever', '($f := function($x) { 1 + $f($x) }; $f(1))', 'tack overflow'],
    ['makes a very long list', '[1..100000]', 'sequence'],
    ['evaluates what was sent', '$eval(code)', 'non-function'],
    ['pads to any length', '$pad("", n)', 'non-function'],
    ['throws', '$error("no")', 'no'],
    ['gives a number', '5', 'something else'],
    ['gives a function', 'function($x) { $x }', 'cannot read'],
  ])('is stopped when it %s', async (_what, expression, words) => {
    const map = await load(expression);
    const started = performance.now();
    await expect(map('{"code": "1+1", "n": 1e9}', 'own')).rejects.toThrow(words);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it('reaches nothing but the body', async () => {
    const map = await load(
      '{"status": "firing", "labels": {"a": $string($.constructor), "b": $type($string.constructor), "c": "c"}}',
    );
    expect((await map('{}', 'own')).alerts).toMatchObject([{ labels: { c: 'c' } }]);
    const [alert] = (await map('{}', 'own')).alerts;
    expect(Object.keys(alert?.labels ?? {})).toEqual(['c']);
  });

  it.each([
    ['alerts: "$match(a, /x+/)"', 'regular expression'],
    ['alerts: "{{"', 'alerts'],
    ['alerts: ""', 'alerts'],
    ['alert: "x"', 'alert'],
    ['a: &x 1\nalerts: *x', 'alias'],
    ['alerts: [', 'Flow sequence'],
  ])('is refused at the start where it reads %j', async (text, words) => {
    const path = join(directory, 'bad.yaml');
    writeFileSync(path, text);
    await expect(loadMapping(path)).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(words),
      problems: expect.arrayContaining([expect.objectContaining({ fix: expect.any(String) })]),
    });
  });

  it('is refused where there is no such file', async () => {
    await expect(loadMapping('/nowhere/x.yaml')).rejects.toMatchObject({ code: 'invalid_config' });
  });
});
