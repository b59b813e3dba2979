import { type RawBuilder, sql } from 'kysely';
import { jsonArrayFrom, jsonObjectFrom } from 'kysely/helpers/postgres';
import type { Database } from '../database/index.ts';
import type { Incident, StoredAlert } from '../incident/index.ts';
import { type Action, actionRows, toAction } from '../planning/index.ts';
import { matchingOf, matchingRows, type Runbook } from '../rag/index.ts';
import { type SeenRun, seenRuns } from './ineffective.ts';
import { type KillRow, killRow } from './kill-switch.ts';
import { type RecordOf, type RunRow, recordsOf, runRows } from './recent-runs.ts';

/** What the actions of an incident are judged by before anybody looks at their targets, all of it as it is at one moment. */
export interface Standing {
  readonly at: Date;
  readonly stop: KillRow | null;
  /** Those that may act on the firing alerts. */
  readonly runbooks: readonly Runbook[];
  /** What was sent of late, as `runRows` reads it. */
  readonly runs: readonly RunRow[];
  /** Those of the incident's cycle, in the order they were planned. */
  readonly actions: readonly StandingAction[];
}

/** An action, and what became of the same before. */
export interface StandingAction extends Action {
  readonly seenRuns: readonly SeenRun[];
  /** Of its tool, for the firing alerts. */
  readonly records: readonly RecordOf[];
  /** A no outlives what it was asked for: the same action is never allowed unasked afterwards. */
  readonly wasDenied: boolean;
}

/** Reads how the actions of an incident stand, in one statement. */
export async function readStanding(
  db: Database,
  { id, cycle }: Pick<Incident, 'id' | 'cycle'>,
  alerts: readonly StoredAlert[],
): Promise<Standing> {
  const labelSets = alerts.filter(({ status }) => status === 'firing').map(({ labels }) => labels);
  // What is over is not judged any more, and its history may be long.
  const ofWhatGoesOn = <T>(history: RawBuilder<T[]>) =>
    sql<
      T[]
    >`case when a.status in ('proposed', 'allowed', 'asked', 'approved', 'running') then ${history} else '[]' end`;
  const actionsWithRuns = actionRows(db, id, cycle).select([
    ofWhatGoesOn(jsonArrayFrom(seenRuns(db, sql`a.fingerprint`))).as('seen_runs'),
    ofWhatGoesOn(recordsOf(sql`a.tool`, labelSets)).as('records'),
    sql<boolean>`exists (select from approval where action_id = a.id and status = 'denied')`.as('was_denied'),
  ]);
  const { runbooks, actions, ...read } = await db.q
    .selectNoFrom([
      sql<Date>`clock_timestamp()`.as('at'),
      jsonObjectFrom(killRow(db)).as('stop'),
      jsonArrayFrom(matchingRows(db, labelSets)).as('runbooks'),
      jsonArrayFrom(runRows(db)).as('runs'),
      jsonArrayFrom(actionsWithRuns).as('actions'),
    ])
    .executeTakeFirstOrThrow();
  return {
    ...read,
    runbooks: matchingOf(runbooks, labelSets),
    actions: actions.map((row) => {
      const { seen_runs: seenRuns, records, was_denied: wasDenied } = row;
      return { ...toAction(row), seenRuns, records, wasDenied };
    }),
  };
}
