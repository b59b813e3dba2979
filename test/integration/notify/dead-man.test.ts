import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WATCHDOG } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createChannels, createDeadMan, createOutbox } from '../../../src/notify/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { listen } from '../support/doubles.ts';
import { ROUTING_KEY, startPagerDuty } from '../support/pagerduty.ts';

describe.each(anyDatabase)('the dead-man, on $name', ({ open }) => {
  let db: Database;
  let server: Server;
  let url: string;
  const pings: string[] = [];
  const running: { stop(): Promise<void> }[] = [];
  const log = createLogger('silent');

  const start = (withinSeconds: number, method: 'GET' | 'POST' = 'POST') => {
    const config = { url, method, match: [], everySeconds: 1, withinSeconds };
    const deadMan = createDeadMan({ db, config, metrics: createMetrics(), log });
    running.push(deadMan);
    deadMan.start();
  };
  /** As the intake does it. */
  const hear = (at: Date) =>
    db.q
      .insertInto('heartbeat')
      .values({ name: WATCHDOG, last_seen_at: at })
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ last_seen_at: at }))
      .execute();
  const messages = () => db.q.selectFrom('outbox').selectAll().orderBy('id').execute();
  const said = (count: number) =>
    eventually(`${count} message(s)`, async () => {
      const all = await messages();
      return all.length >= count ? all : undefined;
    });
  const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

  beforeAll(async () => {
    db = await open();
    server = createServer((request, response) => {
      pings.push(request.method ?? '');
      response.writeHead(200).end('OK');
    });
    url = `http://${await listen(server)}/ping`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await db?.close();
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((one) => one.stop()));
    pings.length = 0;
    for (const table of ['outbox_delivery', 'outbox', 'heartbeat'] as const) await db.q.deleteFrom(table).execute();
  });

  it('is asked every interval while the alert comes, and not any more when it stops; people are told once', async () => {
    start(3, 'GET');
    await seconds(1.5);
    expect(pings).toEqual([]);
    await hear(await db.now());
    await eventually('two pings', async () => (pings.length >= 2 ? true : undefined));
    expect(new Set(pings)).toEqual(new Set(['GET']));
    expect(await messages()).toEqual([]);
    const [gone] = await said(1);
    const count = pings.length;
    expect(count).toBeLessThanOrEqual(5);
    expect(gone).toMatchObject({ incident_id: null, kind: 'watchdog_gone' });
    expect(gone?.message).toMatchObject({ text: expect.stringMatching(/^no Watchdog alert since 20/) });
    start(3, 'GET');
    await seconds(4);
    expect(pings).toHaveLength(count);
    expect(await messages()).toHaveLength(1);

    await hear(await db.now());
    expect((await said(2)).map(({ kind }) => kind)).toEqual(['watchdog_gone', 'watchdog_back']);
    await eventually('a ping again', async () => (pings.length > count ? true : undefined));
    const events = await db.q
      .selectFrom('event')
      .selectAll()
      .where('type', 'like', 'watchdog.%')
      .orderBy('id')
      .execute();
    expect(events.map(({ type, incident_id }) => [type, incident_id])).toEqual([
      ['watchdog.gone', null],
      ['watchdog.back', null],
    ]);
  });

  it('tells people too where the alert never came', async () => {
    start(1);
    const [gone] = await said(1);
    expect(gone?.message).toMatchObject({ text: expect.stringContaining('none ever came') });
    expect(pings).toEqual([]);
  });

  it('does not blame the alert for the time in which nobody listened', async () => {
    await hear(new Date(Date.now() - 3_600_000));
    start(3);
    await seconds(2);
    expect(await messages()).toEqual([]);
    expect(pings).toEqual([]);
    await said(1);
  });

  it('pages, and ends the page when the alert comes again', async () => {
    const pagerDuty = await startPagerDuty();
    const pagerduty = { routingKey: ROUTING_KEY, url: pagerDuty.eventsUrl };
    const channels = createChannels({ pagerduty }, { db, installation: 'here', writtenBack: [], log });
    const outbox = createOutbox({ db, channels, metrics: createMetrics(), log });
    running.push(outbox);
    outbox.start();
    start(1);
    await eventually('the page', async () => (pagerDuty.pages.length > 0 ? true : undefined));
    expect(pagerDuty.alerts.get('nightshift/here/watchdog')).toMatchObject({ open: true, severity: 'critical' });
    const keepComing = setInterval(() => void hear(new Date()), 300);
    await eventually('its end', async () =>
      pagerDuty.alerts.get('nightshift/here/watchdog')?.open ? undefined : true,
    );
    clearInterval(keepComing);
    expect(pagerDuty.refusals).toEqual([]);
    await pagerDuty.stop();
  });
});
