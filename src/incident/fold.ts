import { sql } from 'kysely';
import type { Labels } from '../alert/index.ts';
import type { CorrelationConfig, Services } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Fold, findFolds, isFoldable, type Standing } from './cause.ts';
import { CLOSED_STATES, incidentName, isClosed, type State } from './incident.ts';
import { addEvents, addEventsOf, loadIncident } from './store.ts';

const OPEN = sql`state not in (${sql.join([...CLOSED_STATES])})`;

/** What is looked at together at most; beyond it there is a storm in any case. */
const STANDING_MAX = 2000;

interface StandingRow {
  id: number;
  state: State;
  service: string | null;
  labels: Labels;
  started_at: Date;
  opened_at: Date;
  kept_apart: boolean;
  children: number;
  last_child_at: Date | null;
}

/**
 * Folds what the incidents of the last minutes call for, in the current transaction; gives the ids of those that were folded.
 * Call it under the lock of the intake, so that two transactions cannot fold each other's incidents in a circle.
 */
export async function foldByCause(db: Database, services: Services, rules: CorrelationConfig): Promise<Set<number>> {
  const { rows } = await sql<StandingRow>`
    select id, state, service, labels, started_at, opened_at, kept_apart,
      coalesce(c.n, 0)::int as children, c.last_child_at
    from incident i
    left join (
      select parent_id, count(*) as n, max(opened_at) as last_child_at
      from incident where parent_id is not null and ${OPEN} group by 1
    ) c on c.parent_id = i.id
    where ${OPEN} and i.parent_id is null
      and (c.n > 0 or i.opened_at >= clock_timestamp() - ${rules.storm.withinSeconds} * interval '1 second'
        or (i.service is not null and i.opened_at >= clock_timestamp() - ${rules.windowSeconds} * interval '1 second'))
    order by c.n desc nulls last, i.opened_at desc limit ${STANDING_MAX}`.execute(db.q);
  const standing = rows.map(
    (row): Standing => ({
      id: row.id,
      state: row.state,
      service: row.service,
      labels: row.labels,
      startedAt: row.started_at,
      openedAt: row.opened_at,
      keptApart: row.kept_apart,
      children: row.children,
      lastChildAt: row.last_child_at,
    }),
  );
  const folds = findFolds(standing, services, rules, await db.now());
  await fold(db, folds, 'nightshift');
  return new Set(folds.map(({ child }) => child));
}

/** Writes folds; what was under a child goes with it. Those that are being worked on hear of it before they act. */
async function fold(db: Database, folds: readonly Fold[], actor: string): Promise<void> {
  if (folds.length === 0) return;
  await sql`
    update incident i set parent_id = f.parent, wake_seq = i.wake_seq + 1
    from jsonb_to_recordset(${json(folds)}) as f(child bigint, parent bigint)
    where i.id = f.child or i.parent_id = f.child`.execute(db.q);
  for (const [parent, taken] of Map.groupBy(folds, (one) => one.parent)) {
    const { because } = taken[0] as Fold;
    const incidents = taken.map(({ child }) => incidentName(child));
    await addEvents(db, parent, [{ type: 'incident.took_in', actor, data: { incidents, because } }]);
  }
  await addEventsOf(
    db,
    folds.map(({ child, parent, because }) => ({
      incidentId: child,
      type: 'incident.folded',
      actor,
      data: { under: incidentName(parent), because },
    })),
  );
}

/**
 * Folds one incident under another because a person says so, in the current transaction.
 * @throws NightshiftError `not_found`, or `conflict` where the one is over or acted upon, or where they are the same already.
 */
export async function merge(db: Database, childId: number, parentId: number, person: string): Promise<void> {
  const child = await loadIncident(db, childId);
  const given = await loadIncident(db, parentId);
  const parent = given.parentId === null ? given : await loadIncident(db, given.parentId);
  const name = incidentName(childId);
  if (child.id === parent.id)
    throw refused(`${name} is what ${incidentName(parentId)} is folded under, or the same`, 'name two others');
  if (isClosed(parent.state)) throw refused(`${incidentName(parent.id)} is ${parent.state}`, 'name one that is open');
  if (!isFoldable(child.state) && child.state !== 'escalated')
    throw refused(`${name} is ${child.state}`, `decide it, or stop it with: nightshift stop ${name}`);
  await fold(db, [{ child: child.id, parent: parent.id, because: `${person} says that they are one` }], person);
}

/**
 * Takes an incident out from under another for good, because a person says so, in the current transaction. Wake it afterwards.
 * @throws NightshiftError `not_found`, or `conflict` where it is folded under none.
 */
export async function split(db: Database, id: number, person: string): Promise<void> {
  const { parentId } = await loadIncident(db, id);
  if (parentId === null) throw refused(`${incidentName(id)} is folded under none`, 'nothing is to be done');
  await db.q.updateTable('incident').set({ parent_id: null, kept_apart: true }).where('id', '=', id).execute();
  const data = { from: incidentName(parentId), because: `${person} says that it is one of its own` };
  await addEvents(db, id, [{ type: 'incident.unfolded', actor: person, data }]);
}

/** Takes what is open out from under an incident that is over; gives it, to be looked at again. */
export async function unfoldAll(db: Database, id: number, state: State): Promise<number[]> {
  const { rows } = await sql<{ id: number }>`
    update incident set parent_id = null where parent_id = ${id} and ${OPEN} returning id`.execute(db.q);
  const open = rows.map((row) => row.id);
  const data = { from: incidentName(id), because: `${incidentName(id)} is ${state}` };
  await addEventsOf(
    db,
    open.map((child) => ({ incidentId: child, type: 'incident.unfolded', actor: 'nightshift', data })),
  );
  return open;
}

/** Gives the ids of what is folded under an incident, oldest first. */
export async function childrenOf(db: Database, id: number): Promise<number[]> {
  const rows = await db.q.selectFrom('incident').select('id').where('parent_id', '=', id).orderBy('id').execute();
  return rows.map((row) => row.id);
}

function refused(why: string, fix: string): NightshiftError {
  return new NightshiftError('conflict', `${why}. Fix: ${fix}`);
}
