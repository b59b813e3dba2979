/** The database is away for a minute while alerts keep coming: each is told so or is kept, and afterwards work goes on. */
import { createHmac, randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatabaseProxy, type NetworkState, startDatabaseProxy } from '../real-parts/database-proxy.ts';
import { throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../real-parts/nightshift.ts';
import { eventually, scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';

const PER_SECOND = 50;
/** Silence is noticed after 6 s; whoever waited for a connection that somebody else held meanwhile notices it as long after. */
const ANSWER_MS_MAX = 15_000;
/** PagerDuty gives up then, and counts it as a failure of the endpoint. */
const PAGERDUTY_ANSWER_MS_MAX = 5000;
/** Silence is last and long: from it the way back is the hardest, since the server still holds what was under way. */
const WEATHER: readonly (readonly [state: NetworkState, seconds: number])[] = [
  ['there', 10],
  ['refuses', 15],
  ['resets', 20],
  ['silent', 25],
  ['there', 10],
];
const SECRET = 'a-secret-of-the-subscription';

interface Delivery {
  readonly door: 'alertmanager' | 'pagerduty';
  readonly fingerprint: string;
  readonly during: NetworkState;
  readonly send: () => Promise<number>;
}
interface Answered {
  readonly delivery: Delivery;
  /** Null where the connection broke or no answer came at all. */
  readonly status: number | null;
  readonly ms: number;
}

const story = 'the database is down for 60 s';
describe.skipIf(requireParts(story, 'postgres'))(story, () => {
  let nightshift: Nightshift;
  let proxy: DatabaseProxy;
  /** Around the proxy: what is really there. */
  let direct: pg.Client;
  const closers: (() => unknown)[] = [];

  beforeAll(async () => {
    const { path: dataDir, remove } = scratchDirectory();
    closers.push(remove);
    mkdirSync(join(dataDir, 'runbooks'));
    const { url, drop } = await throwawayDatabaseUrl();
    closers.push(drop);
    proxy = await startDatabaseProxy(url);
    closers.push(() => proxy.stop());
    nightshift = await startNightshift({
      dataDir,
      config: {
        mode: 'observe',
        runbooks: [join(dataDir, 'runbooks')],
        sources: { alertmanager: { type: 'alertmanager' }, pagerduty: { type: 'pagerduty', secrets: [SECRET] } },
      },
      env: { DATABASE_URL: proxy.url },
    });
    closers.push(() => nightshift.stop());
    direct = new pg.Client({ connectionString: url });
    await direct.connect();
    closers.push(() => direct.end());
  });
  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  const post = async (door: Delivery['door'], body: string, headers: Record<string, string>) => {
    const response = await fetch(`${nightshift.url}/webhooks/${door}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      signal: AbortSignal.timeout(60_000),
    });
    await response.arrayBuffer();
    return response.status;
  };

  /** As many services as there are before a storm, so that each has an incident of its own. */
  const serviceOf = (number: number) => `service-${number % 15}`;

  const fromAlertmanager = (number: number, during: NetworkState): Delivery => {
    const fingerprint = `a${number.toString(16)}`;
    const labels = { alertname: 'Slow', severity: 'warning', service: serviceOf(number), pod: fingerprint };
    const alert = {
      status: 'firing',
      labels,
      annotations: { summary: 'it is slow' },
      startsAt: new Date().toISOString(),
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: '',
      fingerprint,
    };
    const body = JSON.stringify({ version: '4', groupKey: '{}', status: 'firing', alerts: [alert] });
    const headers = { authorization: `Bearer ${nightshift.webhookToken}` };
    return { door: 'alertmanager', fingerprint, during, send: () => post('alertmanager', body, headers) };
  };

  const fromPagerDuty = (number: number, during: NetworkState): Delivery => {
    const fingerprint = `PD${number}`;
    const now = new Date().toISOString();
    const data = { id: fingerprint, type: 'incident', title: 'Slow', created_at: now, service: { summary: 'shop' } };
    const event = { id: randomUUID(), event_type: 'incident.triggered', occurred_at: now, data };
    const body = JSON.stringify({ event });
    const signature = `v1=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
    const send = () => post('pagerduty', body, { 'x-pagerduty-signature': signature });
    return { door: 'pagerduty', fingerprint, during, send };
  };

  const answered = async (delivery: Delivery): Promise<Answered> => {
    const began = performance.now();
    const status = await delivery.send().catch(() => null);
    return { delivery, status, ms: performance.now() - began };
  };

  /** Sends at the rate, whatever comes back, while the network goes through its states. */
  async function sendThroughout(onState: (state: NetworkState) => Promise<void>): Promise<Answered[]> {
    const pending: Promise<Answered>[] = [];
    const fromAm: Delivery[] = [];
    for (const [state, seconds] of WEATHER) {
      await onState(state);
      const until = performance.now() + seconds * 1000;
      const began = performance.now();
      for (let sent = 0; performance.now() < until; ) {
        const due = Math.floor(((performance.now() - began) / 1000) * PER_SECOND);
        for (; sent < due; sent += 1) {
          const number = pending.length;
          // What was sent two seconds before is sent again, as Alertmanager's repeats are.
          const repeated = number % 5 === 4 ? fromAm.at(-80) : undefined;
          const delivery =
            repeated ?? (number % 5 === 3 ? fromPagerDuty(number, state) : fromAlertmanager(number, state));
          if (!repeated && delivery.door === 'alertmanager') fromAm.push(delivery);
          pending.push(answered(repeated ? { ...repeated, during: state } : delivery));
        }
        await sleep(5);
      }
    }
    return Promise.all(pending);
  }

  const stored = async () => {
    const { rows } = await direct.query<{ fingerprint: string; times: number }>(
      'select fingerprint, count(*)::int as times from alert group by fingerprint',
    );
    return new Map(rows.map(({ fingerprint, times }) => [fingerprint, times]));
  };

  it('every delivery is refused with a 5xx in time or is kept, and work goes on afterwards', {
    timeout: 150_000,
  }, async () => {
    const healthy: (number | null)[] = [];
    const health = setInterval(async () => {
      const response = await fetch(`${nightshift.url}/healthz`, { signal: AbortSignal.timeout(1000) }).catch(
        () => null,
      );
      healthy.push(response?.status ?? null);
    }, 1000);
    // What is only done the first time may take longer on a busy machine.
    for (let number = 2_000_000; number < 2_000_020; number += 1) await answered(fromAlertmanager(number, 'there'));
    const all = await sendThroughout((state) => proxy.become(state));
    clearInterval(health);

    const shown = ({ delivery, status, ms }: Answered) =>
      `${delivery.during}: ${delivery.door} ${delivery.fingerprint} was answered ${status} after ${Math.round(ms)} ms`;
    expect(all.length).toBeGreaterThan(0.9 * PER_SECOND * 80);
    expect(all.filter(({ status }) => status !== 202 && status !== 503).map(shown)).toEqual([]);
    expect(all.filter(({ ms }) => ms > ANSWER_MS_MAX).map(shown)).toEqual([]);
    const late = all.filter(({ delivery, ms }) => delivery.door === 'pagerduty' && ms > PAGERDUTY_ANSWER_MS_MAX);
    expect(late.map(shown)).toEqual([]);
    const kept = await stored();
    expect(all.filter(({ delivery, status }) => status === 202 && !kept.has(delivery.fingerprint)).map(shown)).toEqual(
      [],
    );

    // It was really away, and is really back.
    const accepted = (state: NetworkState, door: Delivery['door']) =>
      all.filter(({ delivery, status }) => delivery.during === state && delivery.door === door && status === 202)
        .length;
    for (const door of ['alertmanager', 'pagerduty'] as const) {
      expect(accepted('refuses', door)).toBeLessThan(5);
      expect(accepted('there', door)).toBeGreaterThan(100);
    }
    expect(healthy.length).toBeGreaterThan(70);
    expect(healthy.filter((status) => status !== 200)).toEqual([]);

    // Whoever was refused sends it again: then all is there, and once, whatever became of the first time.
    const refused = [
      ...new Map(all.filter(({ status }) => status !== 202).map((one) => [one.delivery.fingerprint, one])),
    ];
    expect(refused.length).toBeGreaterThan(1000);
    for (let from = 0; from < refused.length; from += 64) {
      const again = await Promise.all(refused.slice(from, from + 64).map(([, { delivery }]) => answered(delivery)));
      expect(again.filter(({ status }) => status !== 202).map(shown)).toEqual([]);
    }
    const now = await stored();
    expect([...new Set(all.map(({ delivery }) => delivery.fingerprint))].filter((one) => now.get(one) !== 1)).toEqual(
      [],
    );

    const fresh = fromAlertmanager(1_000_000, 'there');
    expect((await answered(fresh)).status).toBe(202);
    await eventually(
      'every incident is handed to a person',
      async () => {
        const { rows } = await direct.query<{ state: string; count: number }>(
          'select state, count(*)::int as count from incident where parent_id is null group by state',
        );
        return rows.every(({ state }) => state === 'escalated') && rows.length > 0 ? rows : undefined;
      },
      30,
    );
  });
});
