import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Labels, labelsSchema } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { hashEmbedder } from './embed.ts';
import { rankRunbooks } from './retrieve.ts';

/** Of so many, the most frequent, it is looked whether a runbook fits. */
const ALERTS_MAX = 100;
const INCIDENTS_MAX = 10;

/** An alert for which no runbook fits. */
export interface UncoveredAlert {
  readonly alertname: string;
  readonly service: string | null;
  /** How many times it fired; what was sent again counts once. */
  readonly times: number;
  /** The newest ten. */
  readonly incidents: readonly number[];
  readonly last: Date;
}

interface Row {
  alertname: string;
  service: string | null;
  times: number;
  incidents: number[];
  last: Date;
  labels: unknown;
  annotations: unknown;
  generator_url: string | null;
}

/**
 * Lists the alerts of the last days that no runbook fits as things stand now: none declares itself for the newest one of that name and service, is
 * linked in it, bears its name, or is found by its words. The most frequent first; of over 100 different ones the rarest are not looked at.
 * No provider of vectors is asked.
 */
export async function uncoveredAlerts(db: Database, days: number): Promise<UncoveredAlert[]> {
  const { rows } = await sql<Row>`
    with told as (
      select coalesce(a.labels ->> 'alertname', '') as alertname, coalesce(i.service, a.labels ->> 'service') as service,
        a.id, a.incident_id, a.last_seen_at
      from alert a join incident i on i.id = a.incident_id
      where a.last_seen_at > clock_timestamp() - ${days} * interval '1 day' and i.correlation_key not like 'manual-%'
    ), counted as (
      select alertname, service, count(*)::int as times, max(last_seen_at) as last, max(id) as newest,
        (array(select distinct unnest(array_agg(incident_id)) order by 1 desc))[:${sql.lit(INCIDENTS_MAX)}] as incidents
      from told group by alertname, service order by times desc, alertname, service limit ${ALERTS_MAX}
    )
    select c.alertname, c.service, c.times, c.last, c.incidents, a.labels, a.annotations, a.generator_url
    from counted c join alert a on a.id = c.newest order by c.times desc, c.alertname, c.service`.execute(db.q);
  const uncovered: UncoveredAlert[] = [];
  for (const { alertname, service, times, incidents, last, ...alert } of rows) {
    // An embedded database answers without a turn of the loop in which alerts would come in.
    await setImmediate();
    if (!(await isCovered(db, alert)))
      uncovered.push({ alertname, service, times, incidents: incidents.map(Number), last });
  }
  return uncovered;
}

async function isCovered(db: Database, alert: Pick<Row, 'labels' | 'annotations' | 'generator_url'>): Promise<boolean> {
  const labels: Labels = labelsSchema.parse(alert.labels);
  const annotations: Labels = labelsSchema.parse(alert.annotations);
  const query = { labels, annotations, generatorUrl: alert.generator_url, limit: 1, embedder: hashEmbedder };
  const ranked = await rankRunbooks(db, query);
  return ranked.some(({ fits }) => fits);
}
