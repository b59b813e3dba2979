import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { stringify } from 'yaml';
import type { Database } from '../database/index.ts';
import { plain } from '../incident/index.ts';
import { RISK_CLASSES, type RiskClass } from '../mcp-tools/index.ts';
import { type RunEffect, wilsonLowerBound } from '../policy/index.ts';
import { COUNTED_MAX } from './recent-runs.ts';

/** What a promotion should rest on; a policy may demand more or less. */
const RUNS_ENOUGH = 20;
const HEALED_ENOUGH = 0.8;

/** What came of one tool for one alert name and service, counted from our own rows. */
export interface TrackRecord {
  readonly alertname: string;
  readonly service: string;
  readonly tool: string;
  readonly risk: RiskClass;
  readonly proposed: number;
  readonly approved: number;
  readonly denied: number;
  readonly ran: number;
  /** Of the newest 1,000 runs whose effect is known, as are `worse` and `lowerBound`. */
  readonly healed: number;
  readonly worse: number;
  /** Lower bound of the 95 % Wilson interval of healed among those whose effect is known: 0 to 1. */
  readonly lowerBound: number;
  /** The rules that asked when it was judged last; none where it was allowed or denied then. */
  readonly askedBy: readonly string[];
  /** A rule for the policy that this record has earned, as YAML; null where it has not, or where a rule would change nothing. */
  readonly suggestion: string | null;
}

interface Row {
  alertname: string;
  service: string;
  tool: string;
  risk: string;
  proposed: number;
  approved: number;
  denied: number;
  ran: number;
  effects: RunEffect[] | null;
  asked_by: string[] | null;
}

/** Counts what was proposed, approved, run, healed and made worse, for each alert name, service and tool; the busiest first, at most 500. */
export async function trackRecords(db: Database): Promise<TrackRecord[]> {
  const { rows } = await sql<Row>`
    with counted as (
      select coalesce(a.labels ->> 'alertname', '') as alertname, coalesce(a.labels ->> 'service', '') as service, a.tool,
        (array_agg(a.risk order by a.created_at desc))[1] as risk,
        count(*)::integer as proposed,
        count(*) filter (where exists (select from approval p where p.action_id = a.id and p.status = 'approved'))::integer as approved,
        count(*) filter (where exists (select from approval p where p.action_id = a.id and p.status = 'denied'))::integer as denied,
        count(i.action_id)::integer as ran,
        (array_agg(a.effect order by i.sent_at desc, a.id) filter (where a.effect is not null and i.action_id is not null))[:${sql.lit(COUNTED_MAX)}] as effects,
        (array_agg(a.id order by a.created_at desc) filter (where a.decision is not null))[1] as last_judged
      from action a left join intent i on i.action_id = a.id
      where a.requested_by is null
      group by 1, 2, 3 order by proposed desc, 1, 2, 3 limit 500
    )
    select c.*, (select array_agg(distinct spoke ->> 'rule') from jsonb_array_elements(l.decision -> 'spoke') as spoke
      where l.decision ->> 'decision' = 'ask' and spoke ->> 'decision' = 'ask') as asked_by
    from counted c left join action l on l.id = c.last_judged
    order by c.proposed desc, c.alertname, c.service, c.tool`.execute(db.q);
  return rows.map(toRecord);
}

function toRecord({ alertname, service, tool, proposed, approved, denied, ran, ...row }: Row): TrackRecord {
  const known = row.effects ?? [];
  const healed = known.filter((effect) => effect === 'healed').length;
  const record = {
    alertname,
    service,
    tool,
    risk: RISK_CLASSES.find((risk) => risk === row.risk) ?? 'forbidden',
    proposed,
    approved,
    denied,
    ran,
    healed,
    worse: known.filter((effect) => effect === 'worse').length,
    lowerBound: wilsonLowerBound(healed, known.length),
    askedBy: row.asked_by ?? [],
  };
  const isEarned =
    known.length >= RUNS_ENOUGH && record.lowerBound >= HEALED_ENOUGH && !known.slice(0, RUNS_ENOUGH).includes('worse');
  // Where another rule asks as well, this one would change nothing; and no rule lowers a risk class.
  const wouldHelp = record.risk === 'safe' && record.askedBy.length === 1 && record.askedBy[0] === 'nothing-allows';
  return { ...record, suggestion: isEarned && wouldHelp ? suggest(record, known.length) : null };
}

/** Writes the rule, or gives null where a label is nothing to put into a policy: without a name, or not as it looks. */
function suggest(
  { alertname, service, tool, healed }: Pick<TrackRecord, 'alertname' | 'service' | 'tool' | 'healed'>,
  known: number,
): string | null {
  const labels = { alertname, service };
  if (alertname === '' || Object.values(labels).some((value) => plain(value) !== value)) return null;
  const words = `earned-${[tool, alertname, service].join('-')}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  // What differs in other characters only, or further on, still needs a name of its own.
  const own = createHash('sha256')
    .update(JSON.stringify([tool, alertname, service]))
    .digest('hex')
    .slice(0, 8);
  const rule = {
    name: `${words.slice(0, 64 - 1 - own.length).replace(/-$/, '')}-${own}`,
    tools: [tool],
    match: Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/["\\]/g, '\\$&')}"`),
    record: { runs: RUNS_ENOUGH, healed: HEALED_ENOUGH },
    decision: 'allow',
    reason: `It healed ${healed} of ${known} times when people let it run.`,
  };
  return stringify([rule], { lineWidth: 0 }).trimEnd().replace(/^/gm, '  ');
}
