/** What the rows of the last hour say of Nightshift itself. */
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { ABOUT_ITSELF } from '../incident/index.ts';
import type { Queue } from '../remediation/index.ts';
import { ALL, type Measured } from './signal.ts';

// As of the transaction, since no index serves a comparison with clock_timestamp(), which is another one at every row.
const HOUR_AGO = sql`now() - interval '1 hour'`;

/** What Nightshift raised about itself must not make it worse: neither that incident nor what was asked for it counts. */
const ofItself = (incident: string) =>
  sql`exists (select from alert own where own.incident_id = ${sql.ref(incident)} and own.source = ${ABOUT_ITSELF})`;

/** Measures every signal now. Of an hour in which nothing happened nothing is said; the queue always has a depth. */
export async function measure(db: Database, queue: Pick<Queue, 'depth'>): Promise<Measured[]> {
  const waiting = (await queue.depth()).reduce((sum, band) => sum + band.waiting, 0);
  return [
    ...(await ofRoles(db)),
    { signal: 'queue_depth', agent: ALL, value: waiting, observations: null },
    ...(await ofIncidents(db)),
  ];
}

/** Latency (p95, in seconds) and failures of the calls of each role; what its caller gave up says nothing of the model. */
async function ofRoles(db: Database): Promise<Measured[]> {
  const { rows } = await sql<{ agent: string; observations: number; latency: number; errors: number }>`
    select c.role as agent, count(*)::int as observations,
      percentile_cont(0.95) within group (order by c.latency_ms) / 1000 as latency,
      (count(*) filter (where c.outcome <> 'ok'))::float8 / count(*) as errors
    from model_call c
    where c.at > ${HOUR_AGO} and c.outcome <> 'aborted' and not ${ofItself('c.incident_id')}
    group by c.role order by c.role`.execute(db.q);
  return rows.flatMap(({ agent, observations, latency, errors }): Measured[] => [
    { signal: 'latency_p95', agent, value: latency, observations },
    { signal: 'error_ratio', agent, value: errors, observations },
  ]);
}

/**
 * The share of what was handed to people among all that ended. For Nightshift an incident ends once, when it was handed over or else when
 * it was resolved; what is folded under another ends with that one, and what a person stopped says nothing.
 */
async function ofIncidents(db: Database): Promise<Measured[]> {
  const handedAt = sql`(i.context -> 'escalation' ->> 'at')::timestamptz`;
  const { rows } = await sql<{ observations: number; handed: number }>`
    select count(*)::int as observations, (count(*) filter (where handed_at is not null))::int as handed
    from (
      select ${handedAt} as handed_at, coalesce(${handedAt}, i.closed_at) as ended_at
      from (
        select * from incident where closed_at > ${HOUR_AGO}
        union all select * from incident where closed_at is null and state = 'escalated'
      ) i
      where i.parent_id is null and (i.state <> 'stopped' or ${handedAt} is not null) and not ${ofItself('i.id')}
    ) ended
    where ended_at > ${HOUR_AGO}`.execute(db.q);
  const { observations = 0, handed = 0 } = rows[0] ?? {};
  if (observations === 0) return [];
  return [{ signal: 'escalation_ratio', agent: ALL, value: handed / observations, observations }];
}
