import { randomBytes } from 'node:crypto';
import type { Selectable } from 'kysely';
import { jsonArrayFrom } from 'kysely/helpers/postgres';
import { type Alert, type Labels, labelsSchema } from '../alert/index.ts';
import { type Database, json, type Schema } from '../database/index.ts';
import type { Incident } from '../incident/index.ts';
import type { Call, Inspection, RiskClass } from '../mcp-tools/index.ts';
import type { Question, RunEffect, Verdict } from '../policy/index.ts';
import { matchingOf, matchingRows, type Runbook } from '../rag/index.ts';

export type ActionStatus =
  | 'proposed'
  | 'allowed'
  | 'asked'
  | 'approved'
  | 'denied'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'unknown'
  | 'cancelled';

/** One tool call of a plan: what exactly, on what, why, and how it stands. */
export interface Action {
  readonly id: string;
  readonly incidentId: number;
  readonly cycle: number;
  readonly attempt: number;
  readonly ordinal: number;
  readonly instance: string;
  readonly tool: string;
  readonly arguments: Record<string, unknown>;
  readonly target: string;
  readonly risk: RiskClass;
  readonly undo: string;
  readonly definitionSha256: string;
  /** Labels of the alert that it is for; they bound what it may touch. */
  readonly labels: Labels;
  readonly fingerprint: string;
  /** `runbook:PATH`, `model:NAME` or `person:NAME`. */
  readonly origin: string;
  readonly reason: string;
  readonly expectedEffect: string;
  readonly status: ActionStatus;
  readonly decision: Verdict | null;
  readonly result: unknown;
  /** Who asked for it by hand; null where Nightshift planned it. */
  readonly requestedBy: string | null;
  /** What a look at its target found when it was last judged. */
  readonly inspection: Inspection | null;
  /** Which action it takes back; null for a remedy. */
  readonly undoOf: string | null;
  /** How the world was afterwards, as the checks say. */
  readonly effect: RunEffect | null;
  readonly createdAt: Date;
  /** When its intent was committed; null where it never was about to be sent. */
  readonly sentAt: Date | null;
}

export interface DraftAction {
  readonly call: Call;
  readonly labels: Labels;
  readonly fingerprint: string;
  readonly origin: string;
  readonly reason: string;
  readonly expectedEffect: string;
  readonly undo: string;
  /** Which action it takes back. */
  readonly undoOf?: string;
}

// Without 0, O, 1, l and i, so that it can be read out over the phone.
const ID_ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789';

/** Makes a short random id with a prefix, for people to type: 10 characters, 49 bits. */
export function shortId(prefix: string): string {
  return prefix + Array.from(randomBytes(10), (byte) => ID_ALPHABET[byte % ID_ALPHABET.length]).join('');
}

/** Stores the actions of one attempt in their order, behind those that stand at `after` or before, as proposed. */
export async function addActions(
  db: Database,
  place: { incidentId: number; cycle: number; attempt: number; requestedBy?: string; after?: number },
  drafts: readonly DraftAction[],
): Promise<void> {
  await db.q
    .insertInto('action')
    .values(
      drafts.map(({ call, labels, ...draft }, index) => ({
        id: shortId('act-'),
        incident_id: place.incidentId,
        cycle: place.cycle,
        attempt: place.attempt,
        ordinal: (place.after ?? 0) + index + 1,
        instance: call.instance,
        tool: call.tool,
        arguments: json(call.arguments),
        target: call.target,
        risk: call.risk,
        labels: json(labels),
        definition_sha256: call.definitionSha256,
        fingerprint: draft.fingerprint,
        origin: draft.origin,
        reason: draft.reason,
        expected_effect: draft.expectedEffect,
        undo: draft.undo,
        status: 'proposed',
        requested_by: place.requestedBy ?? null,
        undo_of: draft.undoOf ?? null,
      })),
    )
    .execute();
}

/** Reads the actions of an incident in the order they were planned, of one cycle or of all. */
export async function actionsOf(db: Database, incidentId: number, cycle?: number): Promise<Action[]> {
  return (await actionRows(db, incidentId, cycle).execute()).map(toAction);
}

/** Reads the actions of an incident's cycle, and the runbooks that may act on its alerts, as they are at one moment. */
export async function actionsAndRunbooks(
  db: Database,
  { id, cycle }: Pick<Incident, 'id' | 'cycle'>,
  alerts: readonly Pick<Alert, 'labels'>[],
): Promise<{ actions: Action[]; runbooks: Runbook[] }> {
  const labelSets = alerts.map(({ labels }) => labels);
  const { actions, runbooks } = await db.q
    .selectNoFrom([
      jsonArrayFrom(actionRows(db, id, cycle)).as('actions'),
      jsonArrayFrom(matchingRows(db, labelSets)).as('runbooks'),
    ])
    .executeTakeFirstOrThrow();
  return { actions: actions.map(toAction), runbooks: matchingOf(runbooks, labelSets) };
}

/** The query for what `toAction` reads, in the order the actions were planned. */
export function actionRows(db: Database, incidentId: number, cycle?: number) {
  const query = db.q
    .selectFrom('action as a')
    .leftJoin('intent as i', 'i.action_id', 'a.id')
    .selectAll('a')
    .select('i.sent_at')
    .where('a.incident_id', '=', incidentId)
    .orderBy('a.cycle')
    .orderBy('a.attempt')
    .orderBy('a.ordinal');
  return cycle === undefined ? query : query.where('a.cycle', '=', cycle);
}

/** Records how an action stands now. */
export async function setAction(
  db: Database,
  id: string,
  change: {
    status: ActionStatus;
    decision?: Verdict;
    questions?: readonly Question[];
    inspection?: Inspection;
    result?: unknown;
  },
): Promise<void> {
  await db.q
    .updateTable('action')
    .set({
      status: change.status,
      ...(change.decision === undefined ? {} : { decision: json(change.decision) }),
      ...(change.questions === undefined ? {} : { questions: json(change.questions) }),
      ...(change.inspection === undefined ? {} : { inspection: json(change.inspection) }),
      ...(change.result === undefined ? {} : { result: json(change.result) }),
    })
    .where('id', '=', id)
    .execute();
}

/**
 * Records how the world was after the actions of an attempt, for those of them that were sent, and gives their ids; a tool's own word counts
 * for nothing.
 */
export async function setEffect(
  db: Database,
  { id, cycle, context }: Pick<Incident, 'id' | 'cycle' | 'context'>,
  effect: RunEffect,
): Promise<string[]> {
  const rows = await db.q
    .updateTable('action')
    .set({ effect })
    .where('incident_id', '=', id)
    .where('cycle', '=', cycle)
    .where('attempt', '=', context.attempt)
    .where('undo_of', 'is', null)
    .where('status', 'in', ['succeeded', 'failed', 'unknown'])
    .where('id', 'in', db.q.selectFrom('intent').select('action_id'))
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Inside JSON, moments are text. */
type ActionRow = Omit<Selectable<Schema['action']>, 'created_at'> &
  Readonly<{ created_at: Date | string; sent_at: Date | string | null }>;

/** Reads an action out of its row. */
export function toAction(row: ActionRow): Action {
  return {
    id: row.id,
    incidentId: row.incident_id,
    cycle: row.cycle,
    attempt: row.attempt,
    ordinal: row.ordinal,
    instance: row.instance,
    tool: row.tool,
    arguments: row.arguments as Record<string, unknown>,
    target: row.target,
    risk: row.risk as RiskClass,
    undo: row.undo,
    definitionSha256: row.definition_sha256,
    labels: labelsSchema.parse(row.labels),
    fingerprint: row.fingerprint,
    origin: row.origin,
    reason: row.reason,
    expectedEffect: row.expected_effect,
    status: row.status as ActionStatus,
    decision: row.decision as Verdict | null,
    result: row.result,
    requestedBy: row.requested_by,
    undoOf: row.undo_of,
    inspection: row.inspection as Inspection | null,
    effect: row.effect as RunEffect | null,
    createdAt: new Date(row.created_at),
    sentAt: row.sent_at === null ? null : new Date(row.sent_at),
  };
}
