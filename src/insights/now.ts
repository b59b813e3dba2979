import { type RawBuilder, sql } from 'kysely';
import { SEVERITY_RANKS, severityOf } from '../alert/index.ts';
import { type Database, json } from '../database/index.ts';
import { type Incident, type IncidentRow, incidentColumns, toIncident, wordsOf } from '../incident/index.ts';

/** A page that shows more is not read; how many there are of each state stands beside it. */
const OPEN_MAX = 500;
const RECENT_MAX = 20;
const RECENT_HOURS = 24;
/** What is told when all is done, and of what other systems were told, says nothing about what goes on. */
const BESIDE = ['incident.remembered', 'judge.scored', 'message.undelivered'];

/** An incident at a glance: what was told of it last, and what is being done about it. */
export interface Glance {
  readonly incident: Incident;
  /** The last line of its timeline, but for what is told beside the work; null where nothing was told yet. */
  readonly doing: { readonly type: string; readonly at: Date; readonly actor: string; readonly words: string } | null;
  /** How many alerts of its present cycle there are, whatever their status. */
  readonly alerts: number;
  /** What the last action works on, or else what the alert names. */
  readonly target: string | null;
  /** The last one of its present cycle. */
  readonly action: { readonly tool: string; readonly target: string; readonly status: string } | null;
}

/** What goes on now. */
export interface Present {
  /** Open and with Nightshift, the most severe first and of those the oldest; at most 500. */
  readonly burning: readonly Glance[];
  /** With a person (`escalated`), in the same order; at most 500. */
  readonly people: readonly Glance[];
  /** Over since 24 hours at most, the newest first; at most 20. */
  readonly recent: readonly Glance[];
}

type Row = IncidentRow & {
  readonly doing: { type: string; at: string; actor: string; data: Record<string, unknown> } | null;
  readonly alerts: number;
  readonly action: Glance['action'];
};

/** Reads what goes on now: what burns, what people have, and what is over since yesterday. */
export async function presentIncidents(db: Database): Promise<Present> {
  const worst = sql`coalesce((${json(SEVERITY_RANKS)} ->> lower(i.severity))::int, ${SEVERITY_RANKS[severityOf(undefined)]}) desc,
    coalesce(i.reopened_at, i.opened_at), i.id`;
  const [burning, people, recent] = await Promise.all([
    glances(db, { where: sql`i.closed_at is null and i.state <> 'escalated'`, order: worst, limit: OPEN_MAX }),
    glances(db, { where: sql`i.state = 'escalated'`, order: worst, limit: OPEN_MAX }),
    glances(db, {
      where: sql`i.closed_at > clock_timestamp() - ${RECENT_HOURS} * interval '1 hour'`,
      order: sql`i.closed_at desc, i.id desc`,
      limit: RECENT_MAX,
    }),
  ]);
  return { burning, people, recent };
}

async function glances(
  db: Database,
  { where, order, limit }: { where: RawBuilder<unknown>; order: RawBuilder<unknown>; limit: number },
): Promise<Glance[]> {
  const { rows } = await sql<Row>`
    select ${incidentColumns('i')},
      (select jsonb_build_object('type', e.type, 'at', e.at, 'actor', e.actor, 'data', e.data)
        from event e where e.incident_id = i.id and e.type not in (${sql.join(BESIDE)}) and e.type not like 'pagerduty.%'
        order by e.id desc limit 1) as doing,
      (select count(distinct (source, fingerprint))::int from alert a where a.incident_id = i.id and a.cycle = i.cycle) as alerts,
      (select jsonb_build_object('tool', a.tool, 'target', a.target, 'status', a.status) from action a
        where a.incident_id = i.id and a.cycle = i.cycle order by a.attempt desc, a.ordinal desc limit 1) as action
    from incident i where ${where} order by ${order} limit ${limit}`.execute(db.q);
  return rows.map(({ doing, alerts, action, ...row }): Glance => {
    const incident = toIncident(row);
    const said = doing && { type: doing.type, at: new Date(doing.at), actor: doing.actor, words: wordsOf(doing) };
    return { incident, doing: said, alerts, target: action?.target ?? named(incident), action };
  });
}

/** The labels that say best what is in trouble, the most exact first. */
const NAMING = ['pod', 'container', 'instance', 'node', 'host', 'deployment', 'job'];

function named({ labels }: Incident): string | null {
  return NAMING.map((name) => labels[name]).find((value) => value !== undefined && value !== '') ?? null;
}
