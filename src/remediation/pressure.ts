import { sql } from 'kysely';
import { isPageWorthy, SEVERITIES, severityOf } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { handOverUnbegun, incidentName } from '../incident/index.ts';
import { startLoop, tellPeople } from '../notify/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { bandOf } from './priority.ts';
import { type Depth, type Queue, TO_BEGIN } from './queue.ts';

const LOOK_MS = 2000;
/** In one transaction at most, so that no sender of an alert waits for it. */
const SHED_AT_ONCE = 200;
/** People hear of an overload no more often than this. */
const TELL_SECONDS = 60;
/** Nothing was handed over for this long: it is over. */
const OVER_SECONDS = 300;
const NAMED_MAX = 5;
/** An incident that a person has is looked at again after this, in case a wake-up went missing. */
const IDLE_SECONDS = 24 * 3600;

/** How much waits, and whether it is too much. */
export interface PressureState {
  readonly waiting: readonly Depth[];
  /** How many may wait to be begun. */
  readonly limit: number;
  readonly shedLastHour: number;
}

export interface Pressure {
  state(): Promise<PressureState>;
  start(): void;
  /** Looks now; gives how many were handed over. */
  look(): Promise<number>;
  stop(): Promise<void>;
}

export interface PressureDependencies {
  readonly db: Database;
  readonly queue: Pick<Queue, 'putOff' | 'depth'>;
  /** How many incidents may wait to be begun. */
  readonly limit: number;
  readonly metrics: Metrics;
  readonly log: Logger;
}

interface Candidate {
  readonly id: number;
  readonly version: number;
  readonly wakeSeq: number;
  readonly severity: string;
  readonly job: string;
  readonly priority: number;
}

/**
 * Makes what keeps the queue within its bound: of the incidents that wait to be begun beyond it, the least severe are handed to people at
 * once instead of being diagnosed late, and people hear of it in one message. One replica at a time does it; nothing is ever dropped.
 */
export function createPressure({ db, queue, limit, metrics, log }: PressureDependencies): Pressure {
  let loop: { stop(): Promise<void> } | undefined;

  async function look(): Promise<number> {
    const { waiting, said } = await measure();
    if (waiting <= limit && said !== 'overloaded') return 0;
    // Told with what it is about: a process that dies in between would leave them to nobody.
    const shed = await db.transaction(async () => {
      const ours = waiting > limit ? await shedSome() : [];
      await tell();
      return ours;
    });
    for (const { severity } of shed) {
      metrics.shed.inc({ severity: severityOf(severity) });
      metrics.transitions.inc({ state: 'escalated' });
    }
    return shed.length;
  }

  /** One cheap statement, because it is made all the time. */
  async function measure(): Promise<{ waiting: number; said: string | null }> {
    const { rows } = await sql<{ waiting: number; said: string | null }>`
      select (select count(*)::int from (select from pgboss.job j where ${TO_BEGIN} limit ${limit + 1}) w) as waiting,
        (select kind from outbox where kind in ('overloaded', 'overload_over') order by id desc limit 1) as said`.execute(
      db.q,
    );
    return rows[0] ?? { waiting: 0, said: null };
  }

  /** Runs inside a transaction, and leaves what another one holds at that moment to the next look. */
  async function shedSome(): Promise<Candidate[]> {
    if (!(await isMine())) return [];
    const { rows: counted } = await sql<{ waiting: number }>`
      select count(*)::int as waiting from pgboss.job j where ${TO_BEGIN}`.execute(db.q);
    const waiting = counted[0]?.waiting ?? 0;
    const chosen = await candidates(Math.min(waiting - limit, SHED_AT_ONCE));
    const held = await lock(chosen);
    // Incident before job, as everywhere; a worker that has just taken one keeps it.
    const put = new Set(
      await queue.putOff(
        held.map(({ job }) => job),
        IDLE_SECONDS,
      ),
    );
    const ours = held.filter(({ job }) => put.has(job));
    const done = await handOverUnbegun(db, ours, {
      reasonFor: (name, severity) =>
        `Nightshift is overloaded: ${waiting} incidents wait, and this is among the least severe (${severity}), so nobody has looked at it. Look at it yourself, or have Nightshift do it: nightshift ask-again ${name}`,
      data: { waiting, limit },
    });
    // All of them were locked and looked at, so this says that a lock did not hold.
    if (done.size !== ours.length) throw new Error('an incident moved while it was handed over');
    return ours;
  }

  /** The last in the queue, and no page-worthy one as long as a lesser one could go; what others are folded under stands for more than itself. */
  async function candidates(most: number): Promise<Candidate[]> {
    if (most <= 0) return [];
    const { rows } = await sql<Candidate>`
      select i.id, i.version, i.wake_seq as "wakeSeq", i.severity, j.id as job, j.priority
      from pgboss.job j join incident i on i.id = (j.data ->> 'incident')::bigint and i.job_id = j.id
      where ${TO_BEGIN} and ${SHEDDABLE}
      order by j.priority, j.created_on desc limit ${most}`.execute(db.q);
    const lesser = rows.filter(({ priority }) => priority < PAGE_WORTHY_FROM);
    return lesser.length > 0 ? lesser : rows;
  }

  async function lock(chosen: readonly Candidate[]): Promise<Candidate[]> {
    if (chosen.length === 0) return [];
    const { rows } = await sql<{ id: number; version: number; wake_seq: number }>`
      select i.id, i.version, i.wake_seq from incident i
      where i.id = any(${chosen.map(({ id }) => id)}::bigint[]) and ${SHEDDABLE} for update skip locked`.execute(db.q);
    const now = new Map(rows.map((row) => [row.id, row]));
    return chosen.filter(({ id, version, wakeSeq }) => {
      const row = now.get(id);
      return row?.version === version && row.wake_seq === wakeSeq;
    });
  }

  /** One message for all that were handed over since the last one, and one when it is over; runs inside the same transaction. */
  async function tell(): Promise<void> {
    if (!(await isMine())) return;
    const { rows } = await sql<{ kind: string; recent: boolean; quiet: boolean }>`
      select kind, created_at > clock_timestamp() - ${TELL_SECONDS} * interval '1 second' as recent,
        not exists (select from incident where shed_at > clock_timestamp() - ${OVER_SECONDS} * interval '1 second') as quiet
      from outbox where kind in ('overloaded', 'overload_over') order by id desc limit 1`.execute(db.q);
    const [last] = rows;
    if (last?.kind === 'overloaded' && last.recent) return;
    const untold = await shedSinceTold();
    if (untold.length > 0) await tellPeople(db, { incidentId: null, kind: 'overloaded', text: overloadText(untold) });
    else if (last?.kind === 'overloaded' && last.quiet) {
      const text = `Nightshift is not overloaded any more: nothing was handed over undiagnosed for ${OVER_SECONDS / 60} min`;
      await tellPeople(db, { incidentId: null, kind: 'overload_over', text });
    }
  }

  async function shedSinceTold(): Promise<{ id: number; title: string; severity: string }[]> {
    const { rows } = await sql<{ id: number; title: string; severity: string }>`
      select id, title, severity from incident
      where shed_at > coalesce((select created_at from outbox where kind in ('overloaded', 'overload_over') order by id desc limit 1), '-infinity')
        and closed_at is null order by id`.execute(db.q);
    return rows;
  }

  function overloadText(shed: readonly { id: number; title: string; severity: string }[]): string {
    const first = shed.toSorted((a, b) => rank(b.severity) - rank(a.severity)).slice(0, NAMED_MAX);
    const named = first.map(({ id, title, severity }) => `${incidentName(id)} ${title} (${severity})`).join(', ');
    const more = shed.length > first.length ? ` and ${shed.length - first.length} more` : '';
    return `Nightshift is overloaded: more than ${limit} incidents wait, so the ${shed.length} least severe are yours, and nobody has looked at them: ${named}${more}. List them with: nightshift incidents --state escalated`;
  }

  /** Until the transaction ends nobody else hands anything over, and nobody waits for it. */
  async function isMine(): Promise<boolean> {
    const { rows } = await sql<{ mine: boolean }>`
      select pg_try_advisory_xact_lock(hashtextextended('nightshift pressure', 0)) as mine`.execute(db.q);
    return rows[0]?.mine ?? false;
  }

  async function shedLastHour(): Promise<number> {
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from incident where shed_at > clock_timestamp() - interval '1 hour'`.execute(db.q);
    return rows[0]?.n ?? 0;
  }

  return {
    look,
    state: async () => ({ waiting: await queue.depth(), limit, shedLastHour: await shedLastHour() }),
    start() {
      const failed = (error: unknown) => log.error({ error: messageOf(error) }, 'cannot look how much waits');
      loop = startLoop(async () => (await look()) > 0, LOOK_MS, failed);
    },
    async stop() {
      await loop?.stop();
    },
  };
}

const PAGE_WORTHY_FROM = Math.min(...SEVERITIES.filter(isPageWorthy).map((severity) => bandOf(severity).from));

/** What nobody has begun, nothing was said to, and no other hangs on. */
const SHEDDABLE = sql`i.state = 'received' and i.parent_id is null and i.context ->> 'v' = '1'
  and not exists (select from signal s where s.incident_id = i.id)
  and not exists (select from incident c where c.parent_id = i.id and c.closed_at is null)`;

function rank(severity: string): number {
  return bandOf(severityOf(severity)).from;
}
