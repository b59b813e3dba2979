/** Rows as earlier incidents left them behind: an incident, an action and, where it was sent, an intent. */
import type { Database } from '../../../src/database/index.ts';
import { json } from '../../../src/database/index.ts';
import { shortId } from '../../../src/planning/index.ts';
import type { RunEffect, Verdict } from '../../../src/policy/index.ts';

export interface PastRun {
  readonly labels: Readonly<Record<string, string>>;
  readonly effect?: RunEffect | null;
  readonly tool?: string;
  readonly instance?: string;
  readonly target?: string;
  readonly risk?: string;
  /** When it was planned; and sent, unless `sentDaysAgo` says otherwise or is null, which means never. */
  readonly daysAgo?: number;
  readonly sentDaysAgo?: number | null;
  readonly requestedBy?: string | null;
  readonly decision?: Partial<Verdict> | null;
  readonly inspection?: object | null;
  readonly questions?: readonly object[] | null;
  /** An incident that is there already, and its cycle. */
  readonly of?: { readonly incidentId: number; readonly cycle: number };
  readonly ordinal?: number;
}

const ago = (days: number) => new Date(Date.now() - days * 86_400_000);

/** Stores a closed incident, in which nothing has happened, and gives its number. */
export async function addPastIncident(db: Database, state = 'resolved', cycle = 1): Promise<number> {
  const { id } = await db.q
    .insertInto('incident')
    .values({
      state,
      cycle,
      correlation_key: shortId('past-'),
      title: 'Past',
      severity: 'info',
      labels: json({}),
      trace_id: '0'.repeat(32),
      context: json({ v: 1 }),
      closed_at: new Date(),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** Stores one past run, and gives the ids of its incident and its action. */
export async function addPastRun(db: Database, run: PastRun): Promise<{ incidentId: number; action: string }> {
  const { daysAgo = 30, sentDaysAgo = daysAgo, target = 'processes:process old' } = run;
  const { incidentId, cycle } = run.of ?? { incidentId: await addPastIncident(db), cycle: 1 };
  const action = shortId('act-');
  await db.q
    .insertInto('action')
    .values({
      id: action,
      incident_id: incidentId,
      cycle,
      attempt: 1,
      ordinal: run.ordinal ?? 1,
      instance: run.instance ?? 'processes',
      tool: run.tool ?? 'supervisor.restart',
      arguments: json({}),
      target,
      risk: run.risk ?? 'safe',
      fingerprint: 'f',
      origin: 'runbook:down.md',
      reason: '',
      expected_effect: '',
      undo: '',
      labels: json(run.labels),
      definition_sha256: '',
      status: sentDaysAgo === null ? 'denied' : 'succeeded',
      created_at: ago(daysAgo),
      effect: run.effect ?? null,
      requested_by: run.requestedBy ?? null,
      decision: run.decision ? json(run.decision) : null,
      inspection: run.inspection ? json(run.inspection) : null,
      questions: run.questions ? json(run.questions) : null,
    })
    .execute();
  if (sentDaysAgo !== null)
    await db.q
      .insertInto('intent')
      .values({ action_id: action, target, sent_at: ago(sentDaysAgo), outcome: 'succeeded' })
      .execute();
  return { incidentId, action };
}

/** Stores as many past runs as there are effects; the first is the newest. */
export async function addPastRuns(db: Database, effects: readonly RunEffect[], run: PastRun): Promise<void> {
  for (const [index, effect] of effects.entries())
    await addPastRun(db, { ...run, effect, daysAgo: (run.daysAgo ?? 30) + index / 1000 });
}
