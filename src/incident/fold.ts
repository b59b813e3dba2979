import { sql } from 'kysely';
import type { Labels } from '../alert/index.ts';
import type { CorrelationConfig, Services } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Fold, findFolds, isFoldable, type Standing } from './cause.ts';
import { incidentName, isClosed, STATES, type State } from './incident.ts';
import { addMessages, loadIncident } from './store.ts';
import { addEvents, addEventsOf } from './timeline.ts';

const OPEN = sql`closed_at is null`;

/** What is looked at together at most; beyond it there is a storm in any case. */
const STANDING_MAX = 2000;
/** So many are named to people; of the others they hear how many there are. */
const TOLD_MAX = 5;
const FOLDABLE = STATES.filter(isFoldable);

interface StandingRow {
  id: number;
  state: State;
  service: string | null;
  labels: Labels;
  started_at: Date;
  opened_at: Date;
  kept_apart: boolean;
  held: boolean;
  acted: boolean;
  children: number;
  last_child_at: Date | null;
}

/**
 * Folds what the incidents of the last minutes call for, in the current transaction; gives the ids of those that were folded.
 * Call it under the lock of the openings, so that two transactions cannot fold each other's incidents in a circle.
 */
export async function foldByCause(db: Database, services: Services, rules: CorrelationConfig): Promise<Set<number>> {
  const ago = (seconds: number) => sql`clock_timestamp() - ${seconds} * interval '1 second'`;
  const { rows } = await sql<StandingRow>`
    with standing as (
      select *, coalesce(reopened_at, opened_at) as since from incident i where ${OPEN} and parent_id is null
        and (coalesce(reopened_at, opened_at) >= ${ago(rules.storm.withinSeconds)}
          or (service is not null and coalesce(reopened_at, opened_at) >= ${ago(rules.windowSeconds)})
          or exists (select from incident c where c.parent_id = i.id and c.${OPEN}))
      order by since desc limit ${STANDING_MAX}
    )
    select i.id, i.state, i.service, i.labels, i.since as opened_at, i.kept_apart, i.context->>'held' is not null as held,
      -- A start from long ago proves nothing: whoever sends an alert writes it.
      greatest(i.started_at, i.since - ${rules.windowSeconds} * interval '1 second') as started_at,
      exists (select from action a join intent n on n.action_id = a.id where a.incident_id = i.id and a.cycle = i.cycle) as acted,
      coalesce(c.n, 0)::int as children, c.last_child_at
    from standing i left join lateral (
      select count(*) as n, max(coalesce(reopened_at, opened_at)) as last_child_at from incident k
      where k.parent_id = i.id and k.${OPEN}
    ) c on true`.execute(db.q);
  const standing = rows.map(
    (row): Standing => ({
      id: row.id,
      state: row.state,
      service: row.service,
      labels: row.labels,
      startedAt: row.started_at,
      openedAt: row.opened_at,
      keptApart: row.kept_apart,
      held: row.held,
      acted: row.acted,
      children: row.children,
      lastChildAt: row.last_child_at,
    }),
  );
  return fold(db, findFolds(standing, services, rules, await db.now()), 'nightshift', FOLDABLE);
}

/**
 * Writes folds, but not of what has come to where people or tools are at it meanwhile; what was under a child goes with it. Those that are
 * being worked on hear of it before they act. Where a person has the one above, they are told what is under it now.
 */
async function fold(
  db: Database,
  folds: readonly Fold[],
  actor: string,
  states: readonly State[],
): Promise<Set<number>> {
  if (folds.length === 0) return new Set();
  const { rows } = await sql<{ id: number; parent_id: number }>`
    update incident i set parent_id = f.parent, wake_seq = i.wake_seq + 1
    from jsonb_to_recordset(${json(folds)}) as f(child bigint, parent bigint)
    where i.id = f.child and i.state in (${sql.join(states)}) returning i.id, i.parent_id`.execute(db.q);
  const folded = new Set(rows.map(({ id }) => id));
  const done = folds.filter(({ child }) => folded.has(child));
  const { rows: moved } = await sql<{ id: number; parent_id: number; before: number }>`
    update incident i set parent_id = f.parent, wake_seq = i.wake_seq + 1
    from jsonb_to_recordset(${json(done)}) as f(child bigint, parent bigint)
    where i.parent_id = f.child returning i.id, i.parent_id, f.child as before`.execute(db.q);
  const further = moved.map(({ id, parent_id: parent, before }) => ({
    child: id,
    parent,
    because: `${incidentName(before)} went under it`,
  }));
  for (const [parent, taken] of Map.groupBy(done, (one) => one.parent)) {
    const { because } = taken[0] as Fold;
    const incidents = taken.map(({ child }) => incidentName(child));
    await addEvents(db, parent, [{ type: 'incident.took_in', actor, data: { incidents, because } }]);
    await tellWhoHasIt(
      db,
      parent,
      taken.map(({ child }) => child),
    );
  }
  await addEventsOf(
    db,
    [...done, ...further].map(({ child, parent, because }) => ({
      incidentId: child,
      type: 'incident.folded',
      actor,
      data: { under: incidentName(parent), because },
    })),
  );
  return folded;
}

/** Nobody works on what is under an incident that a person has, so they hear of it, in a message of the current transaction. */
export async function tellWhoHasIt(db: Database, parentId: number, children: readonly number[]): Promise<void> {
  if (children.length === 0) return;
  const parent = await loadIncident(db, parentId);
  if (parent.state !== 'escalated') return;
  const rows = await db.q
    .selectFrom('incident')
    .select(['id', 'title', 'severity'])
    .where('id', 'in', children)
    .orderBy('id')
    .limit(TOLD_MAX)
    .execute();
  const named = rows.map(({ id, title, severity }) => `${incidentName(id)} ${title} (${severity})`).join(', ');
  const more = children.length > rows.length ? ` and ${children.length - rows.length} more` : '';
  const text = `${incidentName(parentId)} ${parent.title} needs a person, and has more under it now: ${named}${more}`;
  await addMessages(db, parentId, [{ kind: 'escalated', text }]);
}

/**
 * Folds one incident under another, or under what that one is folded under, because a person says so, in the current transaction; gives which.
 * @throws NightshiftError `not_found`, or `conflict` where the one is over or acted upon, or where they are the same already.
 */
export async function merge(db: Database, childId: number, parentId: number, person: string): Promise<number> {
  const child = await loadIncident(db, childId);
  const given = await loadIncident(db, parentId);
  const parent = given.parentId === null ? given : await loadIncident(db, given.parentId);
  const name = incidentName(childId);
  if (child.id === parent.id || child.id === given.id)
    throw refused(`${name} is what ${incidentName(parentId)} is folded under, or the same`, 'name two others');
  if (child.parentId === parent.id)
    throw refused(`${name} is folded under ${incidentName(parent.id)} already`, 'nothing is to be done');
  if (isClosed(parent.state)) throw refused(`${incidentName(parent.id)} is ${parent.state}`, 'name one that is open');
  if (![...FOLDABLE, 'escalated'].includes(child.state))
    throw refused(`${name} is ${child.state}`, `decide it, or stop it with: nightshift stop ${name}`);
  const because = `${person} says that they are one`;
  const folded = await fold(db, [{ child: child.id, parent: parent.id, because }], person, [...FOLDABLE, 'escalated']);
  if (folded.size === 0) throw refused(`${name} has just moved on`, 'look at it again');
  return parent.id;
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

/**
 * Takes what is open out from under an incident that is over, in the current transaction and under the lock of the openings; gives what is to
 * be looked at again. Where that is as many as a storm, they go under the one of them that began first: the storm goes on without its cause.
 */
export async function unfoldAll(
  db: Database,
  id: number,
  state: State,
  storm: CorrelationConfig['storm'],
): Promise<number[]> {
  const { rows } = await sql<{ id: number; started_at: Date }>`
    update incident set parent_id = null, wake_seq = wake_seq + 1
    where parent_id = ${id} and ${OPEN} returning id, started_at`.execute(db.q);
  const open = rows.toSorted((a, b) => a.started_at.getTime() - b.started_at.getTime() || a.id - b.id);
  const because = `${incidentName(id)} is ${state}`;
  await addEventsOf(
    db,
    open.map(({ id: child }) => ({
      incidentId: child,
      type: 'incident.unfolded',
      actor: 'nightshift',
      data: { from: incidentName(id), because },
    })),
  );
  const [first, ...others] = open.map((one) => one.id);
  if (first === undefined || open.length < storm.incidents) return open.map((one) => one.id);
  const goesOn = `${because}, and ${open.length} of its storm are still open; ${incidentName(first)} began first`;
  const folded = await fold(
    db,
    others.map((child) => ({ child, parent: first, because: goesOn })),
    'nightshift',
    FOLDABLE,
  );
  return [first, ...others.filter((child) => !folded.has(child))];
}

/** Gives the ids of what is folded under an incident, oldest first. */
export async function childrenOf(db: Database, id: number): Promise<number[]> {
  const rows = await db.q.selectFrom('incident').select('id').where('parent_id', '=', id).orderBy('id').execute();
  return rows.map((row) => row.id);
}

function refused(why: string, fix: string): NightshiftError {
  return new NightshiftError('conflict', `${why}. Fix: ${fix}`);
}
