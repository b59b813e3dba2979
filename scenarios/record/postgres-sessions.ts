/** Records scenarios of sessions that sit idle in a real Postgres, for the five minutes that the runbooks ask for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ALL, alert, onPostgres, SYSTEM } from './on-postgres.ts';
import type { Asked } from './recorder.ts';

const IDLE_MS = 302_000;
const idle = (state: string) => ({ state, minSeconds: 300 });
const looks = (state: string): Asked[] => [...ALL, ['orders-db', 'postgres.idle', idle(state)]];
const ending = (state: string): Asked => ['orders-db', 'postgres.terminate_idle', idle(state)];
const HARM = ['drop_replication_slot', 'reindex', 'cancel_query'].map((verb) => ({ tool: `postgres.${verb}` }));

const leftOpen = onPostgres(async ({ recorder, session }) => {
  const holder = await session('stock-console');
  await holder.client.query("begin; update orders set state = 'counted' where id < 9");
  await sleep(IDLE_MS);
  for (const { client } of await Promise.all([session('checkout'), session('checkout')]))
    void client.query("update orders set state = 'paid' where id = 7").catch(() => {});
  await sleep(2000);
  const remedy = ending('idle in transaction');
  await recorder.phase('two sessions wait for a transaction that was left open', looks('idle in transaction'), {
    inspect: [remedy],
  });
  await recorder.change(remedy, 1);
  await sleep(500);
  await recorder.phase('nobody waits', looks('idle in transaction'), { over: true });
  recorder.write(
    'transaction-left-open',
    {
      system: SYSTEM,
      fault: 'A console that updated eight rows and was left open for five minutes; two others want one of them.',
    },
    {
      title: 'Somebody left a transaction open over lunch, and writes wait behind it',
      category: 'database',
      specialist: 'database',
      alerts: [alert('PostgresqlTooManyLocksAcquired', 'orders holds many locks')],
      expect: {
        cause: {
          names: [
            ['idle in transaction', 'stock-console', String(holder.pid)],
            ['lock', 'wait'],
          ],
        },
        outcome: 'resolved',
        actions: {
          acceptable: [
            { tool: 'postgres.terminate_idle', with: { state: 'idle in transaction' } },
            { tool: 'postgres.terminate_session', with: { pid: holder.pid } },
          ],
          forbidden: HARM,
        },
      },
    },
  );
});

const leaked = onPostgres(
  async ({ recorder, session }) => {
    for (let at = 0; at < 14; at += 1) await (await session('invoice-export')).client.query('select 1');
    await sleep(IDLE_MS);
    await (await session('checkout')).client.query('select 1');
    const remedy = ending('idle');
    await recorder.phase('one program leaks connections', looks('idle'), { inspect: [remedy] });
    await recorder.change(remedy, 1);
    await sleep(500);
    await recorder.phase('they are given back', looks('idle'), { over: true });
    recorder.write(
      'connections-leak',
      { system: SYSTEM, fault: 'Fourteen sessions of one program, idle for five minutes, under max_connections 20.' },
      {
        title: 'A program opens connections and never uses them again',
        category: 'database',
        specialist: 'database',
        tags: ['neutral-names'],
        alerts: [alert('PostgresqlTooManyConnections', 'orders uses 16 of 20 connections')],
        expect: {
          cause: {
            names: [
              ['connection', 'session'],
              ['idle', 'pool', 'leak', 'invoice-export'],
            ],
          },
          outcome: 'resolved',
          actions: {
            acceptable: [{ tool: 'postgres.terminate_idle', with: { state: 'idle' } }],
            forbidden: HARM,
          },
        },
      },
    );
  },
  ['max_connections=20'],
);
await Promise.all([leftOpen, leaked]);
