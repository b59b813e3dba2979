import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { RISK_CLASSES, type RiskClass } from '../mcp-tools/index.ts';
import { type RunEffect, wilsonLowerBound } from '../policy/index.ts';

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
  readonly healed: number;
  readonly worse: number;
  /** Lower bound of the 95 % Wilson interval of healed among those whose effect is known: 0 to 1. */
  readonly lowerBound: number;
  /** The rules that asked when it was judged last. */
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
    select coalesce(a.labels ->> 'alertname', '') as alertname, coalesce(a.labels ->> 'service', '') as service, a.tool,
      (array_agg(a.risk order by a.created_at desc))[1] as risk,
      count(*)::integer as proposed,
      count(*) filter (where exists (select from approval p where p.action_id = a.id and p.status = 'approved'))::integer as approved,
      count(*) filter (where exists (select from approval p where p.action_id = a.id and p.status = 'denied'))::integer as denied,
      count(*) filter (where exists (select from intent i where i.action_id = a.id))::integer as ran,
      array_agg(a.effect order by a.created_at desc) filter (where a.effect is not null) as effects,
      (select array_agg(distinct spoke ->> 'rule') from jsonb_array_elements(
        (array_agg(a.decision order by a.created_at desc) filter (where a.decision is not null))[1] -> 'spoke') as spoke
        where spoke ->> 'decision' = 'ask') as asked_by
    from action a where a.requested_by is null
    group by 1, 2, 3 order by proposed desc, 1, 2, 3 limit 500`.execute(db.q);
  return rows.map(toRecord);
}

function toRecord({ effects, asked_by: askedBy, ...row }: Row): TrackRecord {
  const known = effects ?? [];
  const healed = known.filter((effect) => effect === 'healed').length;
  const worse = known.filter((effect) => effect === 'worse').length;
  const record = {
    ...row,
    risk: RISK_CLASSES.find((risk) => risk === row.risk) ?? 'forbidden',
    healed,
    worse,
    lowerBound: wilsonLowerBound(healed, known.length),
    askedBy: askedBy ?? [],
  };
  const isEarned =
    known.length >= RUNS_ENOUGH && record.lowerBound >= HEALED_ENOUGH && !known.slice(0, RUNS_ENOUGH).includes('worse');
  // Where another rule asks as well, this one would change nothing; and no rule lowers a risk class.
  const wouldHelp = record.risk === 'safe' && record.askedBy.length === 1 && record.askedBy[0] === 'nothing-allows';
  return { ...record, suggestion: isEarned && wouldHelp ? suggest(record, known.length) : null };
}

function suggest(
  { alertname, service, tool, healed }: Pick<TrackRecord, 'alertname' | 'service' | 'tool' | 'healed'>,
  known: number,
): string {
  const name = `earned-${[tool, alertname, service].join('-')}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 64)
    .replace(/-$/, '');
  const match = [`alertname=${JSON.stringify(alertname)}`, `service=${JSON.stringify(service)}`];
  return [
    `  - name: ${name}`,
    `    tools: [${tool}]`,
    `    match: [${match.map((text) => `'${text.replaceAll("'", "''")}'`).join(', ')}]`,
    `    record: {runs: ${RUNS_ENOUGH}, healed: ${HEALED_ENOUGH}}`,
    '    decision: allow',
    `    reason: It healed ${healed} of ${known} times when people let it run.`,
  ].join('\n');
}
