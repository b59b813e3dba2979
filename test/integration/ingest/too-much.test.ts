/** What gets in when alerts come faster than they can be committed. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseConfig } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createWebhooks } from '../../../src/ingest/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { deliveryOf, testIntake } from '../support/intake.ts';

// What differs between databases is the business of the other tests.
const [{ open }] = databases as [(typeof databases)[number]];
let db: Database;
beforeAll(async () => {
  db = await open();
});
afterAll(() => db.close());

it('lets only what is page-worthy in at half of the bound, nothing at the whole, and says so with a time to come back', async () => {
  const gate = Promise.withResolvers<void>();
  const intake = testIntake(db, {
    wake: () => gate.promise,
    watchdog: { matchers: [{ label: 'alertname', operator: '=', value: 'Watchdog' }], source: null },
  });
  const log: string[] = [];
  const { sources } = parseConfig({ env: {}, directory: '/', toolsetSettings: {}, file: null, readFile: () => null });
  const server = createServer(
    createWebhooks({
      ...{ sources, intake, mappings: new Map(), token: 't'.repeat(64), metrics: createMetrics() },
      log: createLogger('info', { write: (line) => void log.push(line) }),
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/alertmanager`;
  const post = async (labels: Record<string, string>) => {
    const one = { status: 'firing', labels, annotations: {}, startsAt: '2026-11-01T10:00:00Z', fingerprint: 'f' };
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${'t'.repeat(64)}` },
      body: JSON.stringify({ version: '4', alerts: [one] }),
    });
    const { code, detail } = (await response.json()) as { code: string; detail: string };
    return { status: response.status, code, detail, again: response.headers.get('retry-after') };
  };
  const many = (count: number, severity: string) =>
    deliveryOf(Array.from({ length: count }, () => ({ labels: { alertname: 'x', severity } })));
  const ends: Promise<string>[] = [];
  const send = (delivery: ReturnType<typeof deliveryOf>) => {
    const end = intake.accept(delivery).then(
      () => 'accepted',
      ({ code }) => String(code),
    );
    ends.push(end);
    return Promise.race([end, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))]);
  };
  try {
    // The first is under way, and the others wait for it.
    expect(await send(many(1, 'info'))).toBe('waits');
    expect(await send(many(9_999, 'info'))).toBe('waits');
    expect(await send(many(1, 'warning'))).toBe('waits');
    expect(await send(many(1, 'warning'))).toBe('busy');
    expect(await post({ alertname: 'x', severity: 'warning' })).toEqual({
      status: 503,
      code: 'busy',
      again: '5',
      detail: expect.stringMatching(
        /^too much comes at once: 10000 alerts wait .* only what is critical or an error gets in/,
      ),
    });
    expect(await send(deliveryOf([{ labels: { alertname: 'Watchdog', severity: 'none' } }]))).toBe('waits');
    expect(await send(many(9_000, 'critical'))).toBe('waits');
    expect(await send(many(998, ''))).toBe('waits');
    expect(await send(many(1, 'page'))).toBe('waits');
    expect(await send(many(1, 'critical'))).toBe('busy');
    for (let n = 0; n < 20; n += 1) expect((await post({ alertname: 'x', severity: 'critical' })).status).toBe(503);
    expect(log.filter((line) => line.includes('deliveries refused'))).toHaveLength(1);
  } finally {
    gate.reject(new Error('Connection terminated'));
    await Promise.all(ends);
    server.close();
  }
});
