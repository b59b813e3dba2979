/** Which incidents have a job, and when it is due. */
import { type Selectable, sql } from 'kysely';
import { type Labels, severityOf } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import { type Database, json, type Schema } from '../database/index.ts';
import { type Incident, incidentName, isClosed, type Outcome, unfoldAll } from '../incident/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { type Enqueued, teamOf } from './priority.ts';
import type { Due, Lease, Queue } from './queue.ts';

/** Those who work listen here. */
export const CHANNEL = 'nightshift';
/** How soon what only a newer version knows is offered again: that replica takes it then, or this one leaves it once more. */
const LEAVE_SECONDS = 3;
/** Without a deadline an incident is looked at again after this, in case a wake-up went missing. */
const IDLE_SECONDS = 24 * 3600;

/** What tells how an incident is enqueued. */
const KNOWN = ['id', 'state', 'severity', 'labels', 'service'] as const;
type Known = Pick<Selectable<Schema['incident']>, (typeof KNOWN)[number]>;

export interface Jobs {
  /**
   * Wakes incidents inside the current transaction; kick the driver once it has committed. What a person speaks to is next, and what alerts speak
   * to keeps its place among those that wait to be begun.
   */
  wake(incidentIds: readonly number[], by?: 'alerts' | 'person'): Promise<void>;
  /** Gives an incident that has landed with this outcome its next job, inside the current transaction. */
  next(incident: Incident, outcome: Outcome): Promise<void>;
  /** Gives back a job of what only a newer version knows, for a replica that is newer. @throws whatever the database throws. */
  leave(lease: Lease): Promise<void>;
  /** Enqueues what is open or has something to hear and yet has no job, and gives how many: the safety net under every other path. */
  reconcile(): Promise<number>;
}

/** Makes the one place that decides when an incident is worked on next. */
export function createJobs({
  db,
  queue,
  config: { correlation, services, limits },
  log,
}: {
  readonly db: Database;
  readonly queue: Queue;
  readonly config: Pick<Config, 'correlation' | 'services' | 'limits'>;
  readonly log: Logger;
}): Jobs {
  async function enqueue(incidents: readonly Enqueued[], due: Due): Promise<void> {
    // In whatever order they were read, what was opened first is first.
    const inOrder = [...incidents].sort((a, b) => a.incidentId - b.incidentId);
    const jobs = [...(await queue.enqueue(inOrder, due))].map(([incident, job]) => ({ incident, job }));
    if (jobs.length === 0) return;
    await sql`
      update incident i set job_id = j.job from jsonb_to_recordset(${json(jobs)}) as j(incident bigint, job uuid)
      where i.id = j.incident`.execute(db.q);
  }

  /** What is still to be begun waits for its turn, fair between teams; what is resolved and fires again is begun anew. */
  function asItStands(row: Known): Enqueued {
    if (row.state !== 'received' && row.state !== 'resolved') return asBegun(row);
    const team = teamOf({ labels: row.labels as Labels, service: row.service }, { fairBy: limits.fairBy, services });
    return { ...asBegun(row), team };
  }

  /** What was folded under an incident that is over is looked at again, once its own alerts have had time to resolve. */
  async function unfold({ id }: Incident, state: Outcome['state']): Promise<void> {
    const children = await unfoldAll(db, id, state, correlation.storm);
    if (children.length === 0) return;
    const due = correlation.unfoldAfterSeconds;
    const rows = await db.q
      .selectFrom('incident')
      .select([...KNOWN, 'job_id'])
      .where('id', 'in', children)
      .execute();
    await enqueue(rows.map(asBegun), due);
    await queue.pullForward(jobsOf(rows), { due });
  }

  return {
    async wake(incidentIds, by = 'alerts') {
      if (incidentIds.length === 0) return;
      const rows = await db.q
        .updateTable('incident')
        .set({ wake_seq: sql<number>`wake_seq + 1` })
        .where('id', 'in', incidentIds)
        // With this statement, because each is a round trip; it is sent at the commit all the same.
        .returning([...KNOWN, 'version', 'job_id', sql`pg_notify(${CHANNEL}, '')`.as('notified')])
        .execute();
      await enqueue(
        rows.filter((row) => row.job_id === null).map((row) => (by === 'person' ? asBegun(row) : asItStands(row))),
        0,
      );
      // The job of what no stage has seen is due already.
      if (by === 'alerts') return queue.pullForward(jobsOf(rows.filter(({ version }) => version > 0)));
      for (const row of rows) await queue.pullForward(jobsOf([row]), { begun: severityOf(row.severity) });
    },
    async next(incident, outcome) {
      if (isClosed(outcome.state)) await unfold(incident, outcome.state);
      else await enqueue([asBegun(incident)], dueAt(outcome));
    },
    async leave(lease) {
      const { incidentId: id } = lease;
      await db.transaction(async () => {
        await sql`select id from incident where id = ${id} for update`.execute(db.q);
        if (await queue.complete(lease)) await enqueue([asBegun({ id, severity: '' })], LEAVE_SECONDS);
      });
    },
    async reconcile() {
      const { rows } = await sql<Known>`
        select ${sql.join(KNOWN.map((name) => sql.ref(`i.${name}`)))} from incident i
        where ((i.closed_at is null and i.parent_id is null) or exists (select 1 from signal s where s.incident_id = i.id))
          and not exists (select 1 from pgboss.job j where j.id = i.job_id and j.state in ('created', 'retry', 'active'))
        limit 1000`.execute(db.q);
      for (const row of rows) {
        log.warn({ incident: incidentName(row.id) }, 'incident had no job; enqueued');
        await db.transaction(async () => {
          await sql`select id from incident where id = ${row.id} for update`.execute(db.q);
          await enqueue([asItStands(row)], 0);
        });
      }
      return rows.length;
    },
  };
}

function jobsOf(rows: readonly { readonly job_id: string | null }[]): string[] {
  return rows.flatMap(({ job_id: jobId }) => jobId ?? []);
}

/** Goes before all that is to be begun. */
function asBegun({ id, severity }: { readonly id: number; readonly severity: string }): Enqueued {
  return { incidentId: id, severity: severityOf(severity), team: null };
}

function dueAt({ wait }: Outcome): Due {
  if (!wait) return 0;
  return 'seconds' in wait ? wait.seconds : (wait.until ?? IDLE_SECONDS);
}
