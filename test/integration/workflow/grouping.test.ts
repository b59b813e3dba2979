/** What belongs together: folds, storms, flapping, maintenance; one is worked on, and the others wait. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { makeMatcher } from '../../../src/alert/index.ts';
import { parseConfig } from '../../../src/config/index.ts';
import type { Maintenance } from '../../../src/incident/index.ts';
import { createDriver, createGrouping, startQueue } from '../../../src/remediation/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { deliveryOf, testIntake } from '../support/intake.ts';
import { alert, type Setup, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const SERVICES = `services:
  - {name: web, depends_on: [db]}
  - {name: search, depends_on: [db]}
  - {name: db}
`;
let serial = 0;
/** An alert of a service, each with a fingerprint of its own. */
const about = (service: string, change: object = {}) => {
  serial += 1;
  return alert({ service, alertname: `${service}Down` }, { fingerprint: `ab${serial.toString(16)}`, ...change });
};
const over = (one: object) => ({ ...one, status: 'resolved', endsAt: new Date().toISOString() });

describe.each(anyDatabase)('on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  let closeServer: (() => void) | undefined;
  afterEach(async () => {
    await nightshift?.stop();
    closeServer?.();
  });
  const start = async (setup: Omit<Setup, 'database'> = {}) => {
    nightshift = await startNightshift({ database, services: SERVICES, ...setup });
  };
  const typesOf = async (id: number) => (await nightshift.incident(id)).events.map(({ type }) => type);
  const eventOf = async (id: number, type: string) =>
    (await nightshift.incident(id)).events.find((event) => event.type === type)?.data;

  it('what depends on another waits under it, says why, and is over when its own alert resolves', async () => {
    await start({ config: { mode: 'observe' } });
    const web = about('web');
    await nightshift.deliver([about('db'), web]);
    await nightshift.until(1, 'escalated');
    expect(await eventOf(2, 'incident.folded')).toEqual({
      under: 'INC-1',
      because: 'web depends on db, and INC-1 is about db',
    });
    expect(await eventOf(1, 'incident.took_in')).toMatchObject({ incidents: ['INC-2'] });
    expect(await eventOf(2, 'alert.firing')).toMatchObject({ groupKey: '{}:{}' });
    expect(await nightshift.incident(2)).toMatchObject({ state: 'received', foldedUnder: 'INC-1' });
    expect(await nightshift.incident(1)).toMatchObject({ foldedUnder: null, incidents: ['INC-2'] });
    expect(await typesOf(2)).not.toContain('triage.done');
    await nightshift.deliver([over(web)]);
    await nightshift.until(2, 'resolved');
    expect(await typesOf(2)).not.toContain('triage.done');
  });

  it('what still fires when the one above is over is worked on by itself', async () => {
    await start({ config: { mode: 'observe', correlation: { unfoldAfterSeconds: 1 } } });
    await nightshift.deliver([about('db'), about('web')]);
    await nightshift.until(1, 'escalated');
    await nightshift.api('/incidents/1/words', { word: 'stop' });
    await nightshift.until(1, 'stopped');
    await nightshift.until(2, 'escalated');
    expect(await eventOf(2, 'incident.unfolded')).toEqual({ from: 'INC-1', because: 'INC-1 is stopped' });
    expect(await typesOf(2)).toContain('triage.done');
  });

  it('a person takes one out for good, and puts one under another', async () => {
    await start({ config: { mode: 'observe' } });
    await nightshift.deliver([about('db'), about('web'), about('cart')]);
    await nightshift.until(1, 'escalated');
    expect((await nightshift.api('/incidents/2/split', {})).status).toBe(200);
    await nightshift.until(2, 'escalated');
    expect(await eventOf(2, 'incident.unfolded')).toMatchObject({ from: 'INC-1' });
    await nightshift.until(3, 'escalated');
    expect((await nightshift.api('/incidents/3/merge', { under: 'INC-1' })).status).toBe(200);
    expect(await nightshift.incident(3)).toMatchObject({ foldedUnder: 'INC-1' });
    await nightshift.deliver([about('search')]);
    await expect.poll(() => eventOf(4, 'incident.folded')).toBeDefined();
    expect(await nightshift.incident(2)).toMatchObject({ foldedUnder: null });
    for (const [path, body] of [
      ['/incidents/2/split', {}],
      ['/incidents/1/merge', { under: 'INC-3' }],
    ] as const)
      expect((await nightshift.api(path, body)).status, path).toBe(409);
    expect((await nightshift.api('/incidents/2/merge', { under: 'INC-99' })).status).toBe(404);
  });

  it('a storm is one incident that is worked on, and many that wait', async () => {
    await start({ config: { mode: 'observe', correlation: { storm: { incidents: 5 } } } });
    await nightshift.deliver(Array.from({ length: 30 }, (_, index) => about(`s${index}`)));
    await nightshift.until(1, 'escalated');
    await nightshift.deliver([about('late')]);
    await expect.poll(() => eventOf(31, 'incident.folded')).toMatchObject({ under: 'INC-1' });
    const { body } = await nightshift.api<{ incidents: { foldedUnder: string | null; state: string }[] }>(
      '/incidents?limit=100',
    );
    expect(body.incidents.filter(({ foldedUnder }) => foldedUnder === 'INC-1')).toHaveLength(30);
    expect(body.incidents.filter(({ state }) => state !== 'received')).toHaveLength(1);
  });

  it('a known alert that is being worked on costs nothing: no stage runs, and no model is asked', async () => {
    const asked: string[] = [];
    const model = await serve((path) => asked.push(path));
    closeServer = () => void model.close();
    const baseUrl = `http://127.0.0.1:${(model.address() as AddressInfo).port}/v1`;
    await start({
      config: {
        mode: 'observe',
        models: [{ provider: 'openai', model: 'x', baseUrl, apiKey: 'k', timeoutSeconds: 1 }],
      },
    });
    const one = about('db');
    await nightshift.deliver([one]);
    await nightshift.until(1, 'escalated');
    const before = [asked.length, (await nightshift.incident(1)).events.length];
    expect(before[0]).toBeGreaterThan(0);
    for (let count = 0; count < 20; count += 1)
      expect((await nightshift.deliver([one])).body).toMatchObject({ incidents: [], repeated: 1 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([asked.length, (await nightshift.incident(1)).events.length]).toEqual(before);
  });

  it('what flaps is one incident that a person has, and over only once it has been quiet', async () => {
    await start({
      config: { mode: 'observe', correlation: { flapping: { times: 2, withinSeconds: 600, quietSeconds: 2 } } },
    });
    const flap = async (count: number) => {
      const one = about('db', { fingerprint: 'f1a9', startsAt: `2026-11-01T10:0${count}:00Z` });
      await nightshift.deliver([one]);
      await nightshift.until(1, 'escalated');
      await nightshift.deliver([over(one)]);
    };
    for (const count of [1, 2]) {
      await flap(count);
      await nightshift.until(1, 'resolved');
    }
    await flap(3);
    await flap(4);
    const now = await nightshift.until(1, 'escalated');
    expect(now.needs).toContain('it is flapping: it fired 3 times');
    expect(now.cycle).toBe(3);
    await nightshift.until(1, 'resolved');
    const { events } = await nightshift.incident(1);
    expect(events.filter(({ type }) => type === 'triage.done')).toHaveLength(2);
    const [last, resolved] = [events.findLast(({ type }) => type === 'alert.resolved'), events.at(-1)] as {
      at: string;
    }[] as [{ at: string }, { at: string }];
    expect(Date.parse(resolved.at) - Date.parse(last.at)).toBeGreaterThanOrEqual(1900);
    expect((await nightshift.api<{ incidents: [] }>('/incidents')).body.incidents).toHaveLength(1);
  });

  it('within a maintenance nothing is done, and when it ends what still fires is worked on', async () => {
    await start({ config: { mode: 'observe' } });
    const until = new Date(Date.now() + 3_600_000).toISOString();
    const begun = await nightshift.api<{ id: string }>('/maintenance', {
      match: ['service=~"db|web"'],
      reason: 'upgrade',
      until,
    });
    expect(begun.status).toBe(201);
    await nightshift.deliver([about('cart'), about('db')]);
    await nightshift.until(1, 'escalated');
    await expect.poll(() => eventOf(2, 'incident.held')).toMatchObject({ because: expect.stringContaining('upgrade') });
    expect(await nightshift.incident(2)).toMatchObject({ state: 'received', held: expect.stringContaining('admin') });
    const ended = await fetch(`${nightshift.app.url}/api/v1/maintenance/${begun.body.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${await adminToken()}` },
    });
    expect(ended.status).toBe(200);
    await nightshift.until(2, 'escalated');
    expect(await nightshift.incident(2)).toMatchObject({ held: null });
  });

  it.each([
    ['no matcher', { match: [], reason: 'x', until: '2099-01-01T00:00:00Z' }],
    ['an end that is over', { match: ['a="b"'], reason: 'x', until: '2020-01-01T00:00:00Z' }],
    ['an end that is too far', { match: ['a="b"'], reason: 'x', until: '2099-01-01T00:00:00Z' }],
    ['no reason', { match: ['a="b"'], reason: ' ', until: new Date(Date.now() + 60_000).toISOString() }],
  ])('refuses a maintenance with %s', async (_what, body) => {
    await start({ config: { mode: 'observe' } });
    expect((await nightshift.api('/maintenance', body)).status).toBe(400);
  });

  it('the silences of Alertmanager hold as well, and end when they end there', async () => {
    let silences: object[] = [];
    const alertmanager = await serve(() => silences);
    closeServer = () => void alertmanager.close();
    silences = [silence('s1', 'service', 'db'), silence('s2', 'service', '(', true)];
    const url = `http://127.0.0.1:${(alertmanager.address() as AddressInfo).port}`;
    await start({ config: { mode: 'observe', sources: { alertmanager: { type: 'alertmanager', url } } } });
    await expect
      .poll(async () => (await nightshift.api<{ maintenance: { id: string }[] }>('/maintenance')).body.maintenance)
      .toMatchObject([{ id: 's1', origin: 'alertmanager', match: ['service="db"'], by: 'ada' }]);
    await nightshift.deliver([about('db')]);
    await expect
      .poll(() => eventOf(1, 'incident.held'))
      .toMatchObject({ because: 'a silence of alertmanager (s1) of ada: quiet' });
  });

  const adminToken = async () =>
    (await import('node:fs/promises')).readFile(nightshift.app.adminTokenFile, 'utf8').then((text) => text.trim());
});

describe.each(anyDatabase)('a time in which nothing is done, when it changes on $name', ({ open }) => {
  it('wakes what it is about and nothing else, whoever begins, changes or ends it', async () => {
    const db = await open();
    const log = createLogger('silent');
    const queue = await startQueue(db, log);
    try {
      const config = parseConfig({
        ...{ env: {}, directory: '/', toolsetSettings: {}, readFile: () => null },
        file: { path: 'nightshift.yaml', text: '{}' },
      });
      const metrics = createMetrics();
      const driver = createDriver({
        ...{ db, queue, stages: {} as never, concurrency: 1, config, metrics, log, failpoint: () => {} },
      });
      const grouping = createGrouping({ db, driver, identity: { mayDecide: () => true } });
      const labelled = (service: string) => ({ fingerprint: service, labels: { alertname: 'x', service } });
      await testIntake(db).accept(deliveryOf(['db', 'web', 'cart'].map(labelled)));
      await testIntake(db).accept(
        deliveryOf([{ ...labelled('db'), source: 'other', fingerprint: 'o' }], { source: 'other' }),
      );
      const wokenBy = async (change: () => Promise<unknown>) => {
        await sql`update incident set wake_seq = 0`.execute(db.q);
        await change();
        const { rows } = await sql<{ id: number }>`select id from incident where wake_seq > 0 order by id`.execute(
          db.q,
        );
        return rows.map(({ id }) => id);
      };
      const until = new Date(Date.now() + 3_600_000);
      const about = (id: string, service: string, reason = ''): Omit<Maintenance, 'origin'> => ({
        ...{ id, matchers: [makeMatcher('service', '=', service)], reason, madeBy: 'ada' },
        ...{ startsAt: new Date(), endsAt: until },
      });
      const set = (...silences: Omit<Maintenance, 'origin'>[]) =>
        wokenBy(() => grouping.setSilences('alertmanager', silences));
      const [ofDb, ofWeb] = [about('s1', 'db'), about('s2', 'web')];
      expect(await set(ofDb)).toEqual([1]);
      expect(await set(ofWeb, ofDb)).toEqual([2]);
      expect(await set(ofDb, ofWeb)).toEqual([]);
      expect(await set(ofDb, { ...ofWeb, reason: 'longer' })).toEqual([2]);
      expect(await set(ofDb)).toEqual([2]);
      expect(await wokenBy(() => grouping.setSilences('other', [about('s3', 'web')]))).toEqual([]);
      const matchers = [makeMatcher('service', '=~', 'cart|db')];
      const begun = { matchers, reason: 'upgrade', from: null, until, by: 'ada' };
      let id = '';
      expect(
        await wokenBy(async () => {
          ({ id } = await grouping.beginMaintenance(begun));
        }),
      ).toEqual([1, 3]);
      expect(await wokenBy(() => grouping.endMaintenance(id, 'ada'))).toEqual([1, 3]);
    } finally {
      await queue.stop();
      await db.close();
    }
  });
});

function silence(id: string, name: string, value: string, isRegex = false): object {
  return {
    id,
    status: { state: 'active' },
    matchers: [{ name, value, isRegex, isEqual: true }],
    startsAt: new Date(Date.now() - 1000).toISOString(),
    endsAt: new Date(Date.now() + 60_000).toISOString(),
    createdBy: 'ada',
    comment: 'quiet',
  };
}

async function serve(answer: (path: string) => unknown): Promise<Server> {
  const server = createServer((request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer(request.url ?? '') ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
