/** An incident with everything that its thread can show, for tests to change one thing in. */
import { type Approval, digestOf, type Subject } from '../../../src/approval/index.ts';
import { contextSchema, type Incident, type StoredEvent } from '../../../src/incident/index.ts';
import type { Action } from '../../../src/planning/index.ts';
import type { Rendered } from '../../../src/slack/render-blocks.ts';
import { renderThread, type ThreadView } from '../../../src/slack/render-thread.ts';

export const AT = new Date('2026-11-01T10:00:00.000Z');

const subject: Subject = {
  incident: 'INC-7',
  action: 'act-1',
  instance: 'spool-eu',
  tool: 'host.purge',
  definitionSha256: 'd'.repeat(64),
  arguments: { directory: 'shop' },
  target: 'spool-eu:directory shop',
  labels: {},
  uid: null,
  risk: 'destructive',
  step: '1.1.1',
  policySha256: 'p'.repeat(64),
  required: 1,
  approvers: ['anna', 'bob'],
  barred: ['carl'],
  requestedBy: null,
  preview: ['would delete 3 files:', '  a.job', '  b.job'],
  undo: 'it cannot be undone',
  expiresAt: '2026-11-01T10:15:00.000Z',
  nonce: 'n',
};

export function approval(change: Partial<Approval> = {}, about: Partial<Subject> = {}): Approval {
  const asked = { ...subject, ...about };
  return {
    id: 'appr234567',
    incidentId: 7,
    actionId: 'act-1',
    digest: digestOf(asked),
    subject: asked,
    required: asked.required,
    status: 'pending',
    expiresAt: new Date(asked.expiresAt),
    createdAt: AT,
    decidedAt: null,
    usedAt: null,
    votes: [],
    ...change,
  };
}

export function action(change: Partial<Action> = {}): Action {
  return {
    id: 'act-1',
    incidentId: 7,
    cycle: 1,
    attempt: 1,
    ordinal: 1,
    instance: 'spool-eu',
    tool: 'host.purge',
    arguments: { directory: 'shop' },
    target: 'spool-eu:directory shop',
    risk: 'destructive',
    undo: 'it cannot be undone',
    definitionSha256: 'd'.repeat(64),
    labels: {},
    fingerprint: 'f',
    origin: 'runbook:spool.md',
    reason: 'The poison job blocks all others.',
    expectedEffect: 'the checks of the runbook pass',
    status: 'asked',
    decision: {
      decision: 'ask',
      risk: 'destructive',
      approvals: 1,
      approvers: null,
      expirySeconds: null,
      spoke: [{ rule: 'risk-destructive', decision: 'ask', why: 'it changes or deletes what cannot be brought back' }],
    },
    result: null,
    undoOf: null,
    requestedBy: null,
    inspection: null,
    effect: null,
    createdAt: AT,
    sentAt: null,
    ...change,
  };
}

export function incident(change: Partial<Incident> = {}): Incident {
  return {
    id: 7,
    state: 'awaiting_approval',
    isForeign: false,
    glimpse: null,
    version: 5,
    wakeSeq: 0,
    jobId: null,
    cycle: 1,
    correlationKey: 'k',
    title: 'SpoolStuck (shop)',
    severity: 'critical',
    labels: { alertname: 'SpoolStuck', service: 'shop' },
    traceId: 't',
    context: contextSchema.parse({
      v: 1,
      attempt: 1,
      escalateTo: 'shop-oncall',
      diagnosis: {
        mode: 'model',
        model: 'anthropic/claude',
        rootCause: 'A poison job blocks the spool.',
        confidence: 'high',
        inconclusive: false,
        citations: [{ evidence: 'E1', quote: 'Purge the spool.' }],
        ruledOut: [{ hypothesis: 'the disk is full', why: '40 % are free' }],
        unknowns: ['who wrote the job'],
      },
    }),
    openedAt: AT,
    updatedAt: AT,
    closedAt: null,
    parentId: null,
    service: null,
    ...change,
  };
}

let eventId = 0;
export function event(type: string, data: Record<string, unknown> = {}, actor = 'nightshift'): StoredEvent {
  eventId += 1;
  return { id: eventId, incidentId: 7, at: AT, type, actor, data };
}

export function view(change: Partial<ThreadView> = {}): ThreadView {
  return {
    incident: incident(),
    alerts: [
      {
        source: 'alertmanager',
        fingerprint: 'f',
        status: 'firing',
        labels: { alertname: 'SpoolStuck' },
        annotations: { summary: 'jobs pile up' },
        startsAt: AT,
        endsAt: null,
        generatorUrl: null,
      },
    ],
    evidence: [{ ref: 'E1', kind: 'runbook', title: 'Spool is stuck', content: 'Purge the spool.', origin: {} }],
    actions: [action()],
    approvals: [approval()],
    events: [event('incident.opened'), event('triage.done', { mode: 'auto' }), event('plan.made', { attempt: 1 })],
    heldCards: 0,
    ...change,
  };
}

/** Renders a thread and gives one of its messages. */
export function rendered(purpose: string, change: Partial<ThreadView> = {}): Rendered {
  const found = renderThread(view(change)).find((one) => one.purpose === purpose);
  if (!found) throw new Error(`there is no ${purpose}`);
  return found;
}

/** Every object anywhere in the blocks. */
export function partsOf(node: unknown): Record<string, unknown>[] {
  if (node === null || typeof node !== 'object') return [];
  const below = Object.values(node).flatMap(partsOf);
  return Array.isArray(node) ? below : [node as Record<string, unknown>, ...below];
}

/** All that a person reads, part after part. */
export function shownTexts({ blocks, text }: Rendered): string[] {
  const texts = partsOf(blocks).flatMap(({ text: shown, fallback }) => [shown, fallback]);
  return [text, ...texts.filter((one) => typeof one === 'string')];
}

/** The names of the buttons. */
export function buttonsOf({ blocks }: Rendered): string[] {
  return partsOf(blocks).flatMap(({ type, action_id: id }) => (type === 'button' ? [String(id)] : []));
}
