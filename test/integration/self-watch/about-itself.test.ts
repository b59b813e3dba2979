/** A whole Nightshift that deviates from the week before: what becomes of the alert that it raises about itself. */
import { readdir } from 'node:fs/promises';
import { json } from 'node:stream/consumers';
import { sql } from 'kysely';
import { afterEach, describe, expect, it } from 'vitest';
import { openPostgres } from '../../../src/database/index.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { startLoopback } from '../../real-parts/loopback.ts';
import { eventually } from '../../real-parts/program.ts';
import { type Setup, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';
import { addCalls, addPast, ROUND } from './stored.ts';

/** It would do so at once for anybody else's alert. */
const RUNBOOK = (instance: string) => `---
match: ['alertname="NightshiftDeviates"']
steps:
  - tool: host.purge
    with: { directory: shop }
    why: What waits there makes it slow.
verify:
  - tool: http.probe
    with: { url: "http://${instance}/healthz" }
    expect: status == 200
    within: 500ms
---
# Nightshift is slow
Purge the spool.
`;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** Starts it on a database whose last round deviated, as this one will. */
async function startDeviating(setup: Omit<Setup, 'database' | 'databaseUrl'>): Promise<TestNightshift> {
  const { url, drop } = await throwawayDatabaseUrl();
  ends.push(drop);
  const db = await openPostgres(url);
  await addPast(db, 'latency_p95');
  await sql`
    insert into slo_sample (at, signal, agent, value, observations, mean, stddev, deviates)
    values (${ROUND} - interval '5 minutes', 'latency_p95', 'plan', 30, 9, 8, 1, true)`.execute(db.q);
  await addCalls(db, 9, { ms: 30_000 });
  await db.close();
  const nightshift = await startNightshift({ ...setup, database: 'postgres', databaseUrl: url });
  ends.push(nightshift.stop);
  return nightshift;
}

async function ownIncident(nightshift: TestNightshift): Promise<number> {
  return eventually('an incident is opened', async () => {
    const { body } = await nightshift.api<{ incidents: { id: string }[] }>('/incidents');
    const [first] = body.incidents;
    return first === undefined ? undefined : Number(first.id.slice(4));
  });
}

describe('what Nightshift raises about itself', () => {
  it('is never mended unasked, whatever a runbook and the policy say', async () => {
    const service = await startService();
    ends.push(service.stop);
    await service.jam();
    const nightshift = await startDeviating({
      runbooks: { 'slow.md': RUNBOOK(service.instance) },
      config: {
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: { uses: 'host', directories: { shop: { path: service.spool } } },
        },
      },
    });
    const id = await ownIncident(nightshift);
    const { actions } = await nightshift.until(id, 'awaiting_approval');
    expect(actions).toMatchObject([{ tool: 'host.purge', decision: { decision: 'ask' } }]);
    expect(actions[0]?.decision?.spoke.map(({ rule }) => rule)).toEqual(expect.arrayContaining(['about-itself']));
    expect(await readdir(service.spool)).toHaveLength(1);
    const metrics = await (await fetch(`${nightshift.app.url}/metrics`)).text();
    expect(metrics).toContain('nightshift_slo_value{signal="latency_p95",agent="plan"} 30');
    expect(metrics).toContain('nightshift_slo_deviating{signal="latency_p95",agent="plan"} 1');
    expect(metrics).toMatch(/nightshift_slo_sigma\{signal="latency_p95",agent="plan"\} 2[12]\./);
    expect(metrics).toContain('nightshift_slo_deviating{signal="error_ratio",agent="plan"} 0');
    expect(metrics).not.toContain('nightshift_slo_sigma{signal="error_ratio"');
    expect(metrics).toMatch(/nightshift_build_info\{version="\d+\.\d+\.\d+[^"]*"\} 1/);
  });

  it('goes to a person where no runbook is for it', async () => {
    const told: { kind: string; text: string }[] = [];
    const pager = await startLoopback(async (request, response) => {
      told.push((await json(request)) as (typeof told)[number]);
      response.writeHead(204).end();
    });
    ends.push(pager.close);
    const nightshift = await startDeviating({ config: { escalation: { webhook: `${pager.origin}/page` } } });
    await nightshift.until(await ownIncident(nightshift), 'escalated');
    const { text } = await eventually('a person is told', async () => told.find(({ kind }) => kind === 'escalated'));
    expect(text).toMatch(/^INC-1 NightshiftDeviates needs a person/);
  });

  it('is not raised where it is switched off', async () => {
    const nightshift = await startDeviating({ config: { selfWatch: { enabled: false } } });
    // Where it is on, the first round is made before anything else is heard.
    await eventually(
      'retention, outbox and the rest have begun',
      async () => (await fetch(`${nightshift.app.url}/readyz`)).ok || undefined,
    );
    const metrics = await (await fetch(`${nightshift.app.url}/metrics`)).text();
    expect(metrics).not.toContain('nightshift_slo_value{signal="queue_depth"');
    expect((await nightshift.api<{ incidents: unknown[] }>('/incidents')).body.incidents).toEqual([]);
  });
});
