/** What a server says of itself while it starts, and what becomes of the requests that are under way when it stops. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { startDatabaseProxy } from '../real-parts/database-proxy.ts';
import { databases, throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { alert, startNightshift, type TestNightshift } from './support/nightshift.ts';

describe.each(databases.filter(({ name }) => name === 'postgres'))('a server on $name', ({ name: database }) => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });

  /** Somebody else on the same database, who holds what Nightshift waits for. */
  async function startHolder(databaseUrl: string) {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    ends.push(() => client.end());
    const waiting = async () => {
      const { rows } = await client.query('select 1 from pg_locks where not granted and relation is not null');
      return rows.length;
    };
    return {
      waiting,
      hold: async (statement: string) => void (await client.query(`begin; ${statement}`)),
      letGo: async () => void (await client.query('commit')),
    };
  }

  it('is not ready before all of it has started', async () => {
    const served = await throwawayDatabaseUrl();
    ends.push(served.drop);
    // Its schema is there already, so that the one thing that waits is the work.
    await (await startNightshift({ database, databaseUrl: served.url })).stop();
    const holder = await startHolder(served.url);
    const port = await freePort();
    await holder.hold('lock table signal in access exclusive mode');
    const starting = startNightshift({ database, databaseUrl: served.url, config: { server: { port } } });
    ends.push(async () => (await starting).stop());
    const ready = async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
      return answer && { status: answer.status, ...((await answer.json()) as object) };
    };
    await expect.poll(ready, { timeout: 30_000 }).toMatchObject({ status: 'starting' });
    await expect.poll(holder.waiting).toBeGreaterThan(0);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await holder.letGo();
    await starting;
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
    expect(await ready()).toMatchObject({ status: 'ready' });
  });

  it('says that its database is gone, and when to come again', async () => {
    const served = await throwawayDatabaseUrl();
    ends.push(served.drop);
    const proxy = await startDatabaseProxy(served.url);
    ends.push(() => proxy.stop());
    const nightshift = await startNightshift({ database, databaseUrl: proxy.url });
    ends.push(() => nightshift.stop());
    const read = (path: string) => readFileSync(path, 'utf8').trim();
    const { url, adminTokenFile, webhookTokenFile } = nightshift.app;
    await proxy.become('refuses');
    for (const [path, token, body] of [
      ['/api/v1/incidents', read(adminTokenFile), null],
      ['/webhooks/alertmanager', read(webhookTokenFile), JSON.stringify({ version: '4', alerts: [alert({})] })],
    ] as const) {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${url}${path}`, { headers, ...(body === null ? {} : { method: 'POST', body }) });
      expect([answer.status, answer.headers.get('retry-after')], path).toEqual([503, '5']);
      expect(await answer.json(), path).toMatchObject({
        code: 'database_unavailable',
        detail: 'the database does not answer, so nothing was accepted; send it again',
      });
    }
    await proxy.become('there');
  });

  it('answers what it was asked before it stops, and waits for nobody who has asked nothing', async () => {
    const nightshift: TestNightshift = await startNightshift({ database });
    ends.push(() => nightshift.stop());
    const holder = await startHolder(nightshift.databaseUrl as string);
    // One that is kept for later requests, and one on which nothing was ever said.
    const agent = new Agent({ keepAlive: true });
    ends.push(() => agent.destroy());
    const idle = request(`${nightshift.app.url}/healthz`, { agent }).end();
    const [answer] = await once(idle, 'response');
    await once(answer.resume(), 'end');
    const silent = connect(Number(new URL(nightshift.app.url).port), '127.0.0.1');
    await once(silent, 'connect');
    const gone = once(silent, 'close');

    await holder.hold('lock table delivery in access exclusive mode');
    const delivered = nightshift.deliver([alert({})]);
    const headers = { authorization: `Bearer ${readFileSync(nightshift.app.webhookTokenFile, 'utf8').trim()}` };
    const kept = request(`${nightshift.app.url}/webhooks/alertmanager`, { agent, method: 'POST', headers });
    const answered = once(kept.end('{"version":"4","alerts":[]}'), 'response');
    await expect.poll(holder.waiting, { timeout: 10_000 }).toBeGreaterThan(0);
    const stopping = nightshift.app.stop();
    await expect.poll(() => connects(nightshift.app.url)).toBe(false);
    // Longer than all that ends without having to wait.
    await sleep(500);
    await holder.letGo();
    expect(await delivered).toMatchObject({ status: 202, body: { incidents: [1] } });
    expect(await stopping).toEqual({ parked: true, unended: [] });
    // Or whoever keeps its connection busy would be heard for ever.
    const [last] = await answered;
    expect(last.headers.connection).toBe('close');
    await gone;
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function connects(url: string): Promise<boolean> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  return once(socket, 'connect')
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
