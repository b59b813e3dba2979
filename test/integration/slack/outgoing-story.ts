/** The story of an incident, written through the stores as the stages would write it. */
import { addApproval, draftApproval } from '../../../src/approval/approval.ts';
import type { Approval } from '../../../src/approval/index.ts';
import { decide } from '../../../src/approval/index.ts';
import { type Database, json } from '../../../src/database/index.ts';
import { addEvidence } from '../../../src/diagnosis/store.ts';
import {
  addEvents,
  type Context,
  contextSchema,
  loadIncident,
  openIncident,
  type State,
} from '../../../src/incident/index.ts';
import { actionsOf, addActions, setAction } from '../../../src/planning/index.ts';

export interface Story {
  readonly id: number;
  /** Moves the incident, as the landing of a stage does. */
  move(state: State, context?: Partial<Context>): Promise<void>;
  event(type: string, data?: Record<string, unknown>, actor?: string): Promise<void>;
  diagnose(rootCause?: string): Promise<void>;
  /** Plans one action and asks people about it. */
  ask(directory?: string): Promise<Approval>;
  answer(approval: Approval, decision: 'approve' | 'deny', principal: string): Promise<void>;
  /** The action ran. */
  ran(): Promise<void>;
}

let opened = 0;

/** Opens an incident. */
export async function openStory(db: Database, title = 'SpoolStuck (shop)'): Promise<Story> {
  opened += 1;
  const labels = { alertname: 'SpoolStuck', service: `shop-${opened}` };
  const id = await db.transaction(async () => {
    const number = await openIncident(db, {
      state: 'received',
      correlationKey: `key-${opened}`,
      title,
      severity: 'critical',
      labels,
      context: { v: 1 },
      because: 'a test says so',
      actor: 'alertmanager',
    });
    await db.q
      .insertInto('alert')
      .values({
        incident_id: number,
        cycle: 1,
        source: 'alertmanager',
        fingerprint: `f${opened}`,
        status: 'firing',
        labels: json(labels),
        annotations: json({ summary: 'jobs pile up' }),
        starts_at: new Date(),
      })
      .execute();
    return number;
  });

  const story: Story = {
    id,
    async move(state, context = {}) {
      const now = await loadIncident(db, id);
      await db.q
        .updateTable('incident')
        .set({
          state,
          version: now.version + 1,
          context: json({ ...contextSchema.parse(now.context), ...context }),
          closed_at: state === 'resolved' || state === 'stopped' ? new Date() : null,
        })
        .where('id', '=', id)
        .execute();
    },
    event: (type, data = {}, actor = 'nightshift') => addEvents(db, id, [{ type, actor, data }]),
    async diagnose(rootCause = 'A poison job blocks the spool.') {
      await db.transaction(async () => {
        const evidence = [
          { ref: 'E1', kind: 'runbook' as const, title: 'Spool is stuck', content: 'Purge the spool.', origin: {} },
        ];
        await addEvidence(db, id, 1, evidence);
        await story.event('diagnosis.made');
        await story.move('diagnosed', {
          diagnosis: {
            mode: 'model',
            model: 'anthropic/claude',
            rootCause,
            confidence: 'high',
            inconclusive: false,
            citations: [{ evidence: 'E1', quote: 'Purge the spool.' }],
            ruledOut: [],
            unknowns: [],
          },
        });
      });
    },
    ask: (directory = 'shop') =>
      db.transaction(async () => {
        const call = {
          instance: 'spool',
          tool: 'host.purge',
          arguments: { directory },
          target: `spool:directory ${directory}`,
          risk: 'destructive' as const,
          undo: 'it cannot be undone',
          timeoutSeconds: 10,
          definitionSha256: 'd'.repeat(64),
        };
        const draft = {
          call,
          labels,
          fingerprint: 'f',
          origin: 'runbook:spool.md',
          reason: 'The poison job blocks all others.',
          expectedEffect: 'the checks pass',
          undo: call.undo,
        };
        await addActions(db, { incidentId: id, cycle: 1, attempt: 1 }, [draft]);
        const [action] = await actionsOf(db, id);
        if (!action) throw new Error('the action is gone');
        const approval = draftApproval(action, {
          call,
          risk: 'destructive',
          verdict: { approvals: 1, approvers: null, expirySeconds: null },
          inspection: { uid: null, population: null, preview: ['would delete 1 file'] },
          barred: [],
          policySha256: 'p'.repeat(64),
          ttlSeconds: 900,
          now: new Date(),
        });
        await addApproval(db, approval);
        await setAction(db, action.id, { status: 'asked' });
        await story.event('approval.requested', { approval: approval.id });
        await story.move('awaiting_approval', { attempt: 1 });
        return approval;
      }),
    answer: (approval, decision, principal) =>
      db.transaction(async () => {
        await decide(
          db,
          { approvalId: approval.id, decision, principal, reason: 'as planned', via: 'cli' },
          new Date(),
        );
      }),
    ran: () =>
      db.transaction(async () => {
        const [action] = await actionsOf(db, id);
        if (!action) throw new Error('there is no action');
        await setAction(db, action.id, { status: 'succeeded', result: { result: { deleted: 1 } } });
        await story.event('action.succeeded', { action: action.id });
        await story.move('verifying');
      }),
  };
  return story;
}
