import { statSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../src/database/index.ts';
import { loadIncident, moveIncident } from '../../../src/incident/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { deliveryOf, testIntake } from '../support/intake.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

interface Problems {
  readonly code: string;
  readonly detail: string;
  readonly problems?: readonly { field: string; value?: string; message: string; fix?: string }[];
}

describe.each(databases)('the Alertmanager webhook on $name', ({ name: database }) => {
  let nightshift: TestNightshift;
  beforeAll(async () => {
    nightshift = await startNightshift({ database, config: { mode: 'observe' } });
  });
  afterAll(() => nightshift?.stop());

  const refusal = async (body: string, token?: string | null) => {
    const answer = await nightshift.deliver([], { body, ...(token === undefined ? {} : { token }) });
    return { status: answer.status, ...(answer.body as unknown as Problems) };
  };
  const incidents = async () =>
    (await nightshift.api<{ incidents: { id: string }[] }>('/incidents')).body.incidents.length;
  const webhookBody = (alerts: unknown[], change: object = {}) =>
    JSON.stringify({ version: '4', status: 'firing', alerts, ...change });

  it('refuses a missing and a wrong token, and says where the right one is', async () => {
    const before = await incidents();
    for (const token of [null, 'wrong', 'nst_']) {
      const answer = await refusal(webhookBody([alert({})]), token);
      expect(answer).toMatchObject({
        status: 401,
        code: 'unauthorized',
        problems: [{ field: 'Authorization', fix: expect.stringContaining('webhook.token') }],
      });
    }
    expect(await incidents()).toBe(before);
  });

  it.each<[string, string, object]>([
    [
      'what is not JSON',
      '{"version":',
      {
        status: 400,
        code: 'invalid_payload',
        problems: [{ field: 'body', fix: expect.stringContaining('webhook_config') }],
      },
    ],
    ['an empty body', '', { status: 400, code: 'invalid_payload', problems: [{ field: 'body' }] }],
    [
      'another version',
      webhookBody([alert({})], { version: '3' }),
      {
        status: 400,
        code: 'unsupported_version',
        problems: [{ field: 'version', value: '"3"', fix: expect.stringContaining('0.16') }],
      },
    ],
    [
      'a field of another type',
      webhookBody([alert({}, { labels: { alertname: ['x'] } })]),
      { status: 400, code: 'invalid_payload', problems: [{ field: 'alerts.0.labels.alertname', value: '["x"]' }] },
    ],
    [
      'an alert without labels',
      webhookBody([alert({}, { labels: {} })]),
      {
        status: 400,
        code: 'invalid_payload',
        problems: [{ field: 'alerts.0.labels', message: expect.stringContaining('no labels') }],
      },
    ],
  ])('refuses %s and keeps the body, because it will not be sent again', async (_name, body, expected) => {
    const answer = await refusal(body);
    expect(answer).toMatchObject(expected);
    expect(JSON.stringify(answer)).not.toMatch(/ at .*\.ts:\d+/);
    const lastRefusal = async () => {
      const { body: shown } = await nightshift.api<{ events: { type: string; data: { problems: unknown[] } }[] }>(
        '/events?limit=1000',
      );
      return shown.events.filter(({ type }) => type === 'delivery.refused').at(-1)?.data.problems;
    };
    // The events of all incidents wait for whatever transaction is under way, of other databases on the server as well.
    await expect.poll(lastRefusal, { timeout: 40_000 }).toEqual(answer.problems);
  });

  it('refuses 5 MiB with the limit and the fix', async () => {
    const answer = await refusal(
      webhookBody([alert({}, { annotations: { description: 'x'.repeat(5 * 1024 * 1024) } })]),
    );
    expect(answer).toMatchObject({
      status: 413,
      code: 'payload_too_large',
      problems: [{ field: 'body', fix: expect.stringContaining('max_alerts') }],
    });
  });

  it('commits the alerts that are in order beside those that are not', async () => {
    const before = await incidents();
    const { status, body } = await nightshift.deliver([
      alert({ service: 'good' }, { fingerprint: 'aa01' }),
      alert({}, { labels: {}, fingerprint: 'aa02' }),
    ]);
    expect(status).toBe(400);
    expect((body as unknown as Problems).detail).toContain('1 of its alerts are committed');
    expect(await incidents()).toBe(before + 1);
  });

  it('changes nothing on a repeat, however often and however many at once', async () => {
    const body = [
      alert({ service: 'repeated' }, { fingerprint: 'bb01' }),
      alert({ service: 'repeated', instance: 'b' }, { fingerprint: 'bb02' }),
    ];
    const answers = await Promise.all(Array.from({ length: 20 }, () => nightshift.deliver(body)));
    expect(answers.every(({ status }) => status === 202)).toBe(true);
    const ids = new Set(answers.flatMap((answer) => answer.body.incidents as number[]));
    expect(ids.size).toBe(1);
    const [id = 0] = ids;
    const incident = await nightshift.until(id, 'escalated');
    expect(incident.events.filter(({ type }) => type === 'alert.firing')).toHaveLength(2);
    expect(incident.events.filter(({ type }) => type === 'incident.opened')).toHaveLength(1);
    expect(incident.alerts).toHaveLength(2);
    expect((await nightshift.deliver(body)).body).toMatchObject({ incidents: [], repeated: 2 });
  });

  it('understands resolved by fingerprint and start, and starts nothing from one it never saw fire', async () => {
    const before = await incidents();
    expect(
      (await nightshift.deliver([alert({ service: 'ghost' }, { fingerprint: 'cc01', status: 'resolved' })])).status,
    ).toBe(202);
    expect(await incidents()).toBe(before);

    const firing = alert({ service: 'known' }, { fingerprint: 'cc02' });
    const [id] = (await nightshift.deliver([firing])).body.incidents as [number];
    await nightshift.deliver([{ ...firing, status: 'resolved', startsAt: '2026-11-02T00:00:00Z' }]);
    expect((await nightshift.incident(id)).alerts).toMatchObject([{ status: 'firing' }]);
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    expect((await nightshift.incident(id)).alerts).toMatchObject([{ status: 'resolved' }]);
  });

  it('does not drop a firing alert that arrives after its own resolved', async () => {
    const firing = alert({ service: 'late' }, { fingerprint: 'dd01' });
    await nightshift.deliver([{ ...firing, status: 'resolved' }]);
    const { body } = await nightshift.deliver([firing]);
    expect(body.incidents).toHaveLength(1);
  });

  it('keeps its tokens in files that only their owner can read', () => {
    for (const file of [nightshift.app.adminTokenFile, nightshift.app.webhookTokenFile]) {
      expect(statSync(file).mode & 0o777, file).toBe(0o600);
    }
  });

  it('counts what it did in its metrics, and answers health and readiness', async () => {
    const metrics = await (await fetch(`${nightshift.app.url}/metrics`)).text();
    expect(metrics).toMatch(/nightshift_webhooks_total\{source="alertmanager",outcome="unauthorized"\} 3/);
    expect(metrics).toMatch(/nightshift_incidents\{state="escalated"\} \d/);
    expect((await fetch(`${nightshift.app.url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${nightshift.app.url}/readyz`)).json()).toMatchObject({
      status: 'ready',
      mode: 'observe',
    });
    expect(await (await fetch(`${nightshift.app.url}/nowhere`)).json()).toMatchObject({ status: 404 });
  });
});

describe.skipIf(databases.every(({ name }) => name !== 'postgres'))(
  'the webhook while Postgres cannot be reached',
  () => {
    it('answers 503 so that Alertmanager sends again, and has lost nothing when Postgres is back', async () => {
      const { url, drop } = await throwawayDatabaseUrl();
      const throughCable = new URL(url);
      const { hostname, port } = throughCable;
      const sockets = new Set<Socket>();
      let cut = false;
      // What stands between Nightshift and Postgres is a cable that can be pulled.
      const cable = createServer((client) => {
        if (cut) return client.destroy();
        const upstream = connect(Number(port), hostname);
        for (const socket of [client, upstream]) {
          sockets.add(socket);
          socket.on('error', () => {});
          socket.on('close', () => {
            client.destroy();
            upstream.destroy();
          });
        }
        client.pipe(upstream).pipe(client);
      });
      await new Promise<void>((resolve) => cable.listen(0, '127.0.0.1', resolve));
      throughCable.port = String((cable.address() as { port: number }).port);
      const nightshift = await startNightshift({
        database: 'embedded',
        config: { mode: 'observe' },
        env: { DATABASE_URL: throughCable.href },
      });
      try {
        cut = true;
        for (const socket of sockets) socket.destroy();
        const firing = alert({ service: 'dark' }, { fingerprint: 'ee01' });
        const refused = await nightshift.deliver([firing]);
        expect(refused).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
        expect((await fetch(`${nightshift.app.url}/readyz`)).status).toBe(503);
        expect((await fetch(`${nightshift.app.url}/healthz`)).status).toBe(200);
        cut = false;
        await expect.poll(async () => (await nightshift.deliver([firing])).status, { timeout: 10_000 }).toBe(202);
        const { body } = await nightshift.api<{ incidents: { id: string }[] }>('/incidents');
        expect(body.incidents).toHaveLength(1);
        await nightshift.until(Number(body.incidents[0]?.id.slice(4)), 'escalated');
      } finally {
        await nightshift.stop();
        cable.close();
        for (const socket of sockets) socket.destroy();
        await drop();
      }
    });

    it('commits a delivery as a whole or not at all', async () => {
      const { url, drop } = await throwawayDatabaseUrl();
      const db = await openPostgres(url);
      try {
        const intake = testIntake(db, { wake: () => Promise.reject(new Error('no queue')) });
        await expect(intake.accept(deliveryOf([{}]))).rejects.toThrow('no queue');
        for (const table of ['delivery', 'alert', 'incident', 'event'] as const) {
          expect(await db.q.selectFrom(table).selectAll().execute(), table).toEqual([]);
        }
      } finally {
        await db.close();
        await drop();
      }
    });

    it('lets no incident close over an alert that is being committed', async () => {
      const { url, drop } = await throwawayDatabaseUrl();
      const db = await openPostgres(url);
      try {
        const { opened } = await testIntake(db).accept(deliveryOf([{}]));
        const incident = await loadIncident(db, opened[0] as number);
        const other = await openPostgres(url);
        const closing = Promise.withResolvers<object | null>();
        const intake = testIntake(db, {
          wake: async (ids) => {
            // Another connection closes the incident now, between the look at its state and the commit.
            const close = {
              state: 'resolved' as const,
              context: incident.context,
              provided: sql`true`,
              unlessWoken: true,
              events: [],
              messages: [],
              heard: [],
              leaves: true,
            };
            void moveIncident(other, incident, close).then(closing.resolve, closing.reject);
            await sleep(300);
            await db.q.updateTable('incident').set({ wake_seq: 1 }).where('id', 'in', ids).execute();
          },
        });
        await intake.accept(deliveryOf([{ startsAt: new Date('2026-11-01T11:00:00Z') }]));
        expect(await closing.promise).toBeNull();
        await other.close();
        expect((await loadIncident(db, incident.id)).state).toBe('received');
      } finally {
        await db.close();
        await drop();
      }
    });
  },
);
