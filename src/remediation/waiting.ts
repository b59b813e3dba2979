import { endApproval, listApprovals } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { finishIntent } from '../execution/index.ts';
import {
  beginVerification,
  type Incident,
  isClosed,
  isFiring,
  type Outcome,
  type Stage,
  type State,
  type StoredAlert,
  timeOf,
} from '../incident/index.ts';
import { type Action, actionsOf, setAction } from '../planning/index.ts';

/** Makes the stage of an incident that a person has: it hears their word, or that the alert resolved, and waits otherwise. */
export function createAwaitPerson({ db, quietSeconds }: { db: Database; quietSeconds: number }): Stage {
  return async ({ incident, alerts, signals }) => {
    const closer = signals.findLast(({ kind }) => kind === 'close');
    const heard = signals;
    const lost = (await actionsOf(db, incident.id, incident.cycle)).filter(({ status }) => status === 'running');
    if (lost.length > 0) return surface(lost);
    if (closer) return { ...beginVerification('person', closer.by), heard };
    if (signals.some(({ kind }) => kind === 'resolved') && !isFiring(alerts)) {
      const quietAt = incident.context.flapping ? quietSince(alerts) : null;
      if (quietAt !== null && quietAt > (await timeOf(db, incident)))
        return { state: 'escalated', wait: { until: quietAt } };
      return { ...beginVerification('alert'), heard };
    }
    const asker = signals.findLast(({ kind }) => kind === 'ask_again');
    if (asker && incident.context.escalation?.shed) {
      const event = { type: 'incident.taken_up', actor: asker.by, data: {} };
      return { state: 'received', heard, context: { escalation: null }, events: [event] };
    }
    const again = asker ? await unrunActions(db, incident) : [];
    if (asker && again.length > 0) {
      const event = {
        type: 'plan.asked_again',
        actor: asker.by,
        data: { actions: again.map(({ tool, target }) => ({ tool, target })) },
      };
      return {
        state: 'planned',
        heard,
        context: { escalation: null },
        events: [event],
        write: async () => {
          for (const { id } of again) await setAction(db, id, { status: 'proposed' });
        },
      };
    }
    return { state: 'escalated', wait: { until: null }, heard };
  };

  /** What flapped is over once it has been quiet for long enough. */
  function quietSince(alerts: readonly StoredAlert[]): Date {
    const last = Math.max(...alerts.map(({ receivedAt }) => receivedAt.getTime()));
    return new Date(last + quietSeconds * 1000);
  }

  /** Whoever takes over must know that nobody knows; what was said meanwhile is heard right after. */
  function surface(lost: readonly Action[]): Outcome {
    const error = 'Nightshift failed while this ran';
    return {
      state: 'escalated',
      wait: { seconds: 0 },
      events: lost.map(({ id, tool, target, arguments: args }) => ({
        type: 'action.unknown',
        actor: 'nightshift',
        data: { action: id, tool, target, arguments: args, error },
      })),
      write: async () => {
        for (const { id } of lost) await finishIntent(db, id, { outcome: 'unknown', said: { error } });
      },
    };
  }
}

/**
 * The actions of the latest attempt that were refused or never came to run; none once an action of it has run without success,
 * because what was to follow it was meant to follow its success.
 */
export async function unrunActions(db: Database, incident: Incident): Promise<Action[]> {
  const plan = (await actionsOf(db, incident.id, incident.cycle)).filter(
    ({ attempt }) => attempt === incident.context.attempt,
  );
  if (plan.some(({ status }) => status === 'failed' || status === 'unknown')) return [];
  // What the kill switch stopped right before it was sent counts as one that may have been, because its intent stands.
  return plan.filter(({ status, sentAt }) => (status === 'cancelled' || status === 'denied') && sentAt === null);
}

/** Makes the stage of an incident that is over: only its alert firing again opens it again. */
export function createReopen(): Stage {
  return async ({ incident, signals }) => {
    const fired = signals.some(({ kind }) => kind === 'fired');
    return { state: fired && incident.state === 'resolved' ? 'received' : incident.state, heard: signals };
  };
}

/** Where a person's `close` may arrive after the incident has moved on from the state that it was said in. */
const CLOSABLE: ReadonlySet<State> = new Set(['diagnosed', 'planned', 'awaiting_approval', 'acting']);

/** Lets a person's `stop` or `close` come before whatever a stage would do; an action that was sent is landed first. */
export function withStop(
  { db }: { db: Database },
  stages: Readonly<Record<State, Stage>>,
): Readonly<Record<State, Stage>> {
  const guard =
    (stage: Stage): Stage =>
    async (work) => {
      const { incident, signals } = work;
      if (isClosed(incident.state)) return stage(work);
      const stopped = signals.some(({ kind }) => kind === 'stop');
      const closer = signals.findLast(({ kind }) => kind === 'close');
      if (!stopped && !(closer && CLOSABLE.has(incident.state))) return stage(work);
      const running = (await actionsOf(db, incident.id, incident.cycle)).some(({ status }) => status === 'running');
      if (incident.state === 'acting' && running) return stage(work);
      const write = () => cancelAll(db, incident);
      if (stopped || !closer) return { state: 'stopped', write };
      return { ...beginVerification('person', closer.by), heard: signals, write };
    };
  return Object.fromEntries(Object.entries(stages).map(([state, stage]) => [state, guard(stage)])) as Record<
    State,
    Stage
  >;
}

async function cancelAll(db: Database, incident: Incident): Promise<void> {
  for (const { id, status } of await actionsOf(db, incident.id, incident.cycle)) {
    if (status === 'proposed' || status === 'allowed' || status === 'asked' || status === 'approved')
      await setAction(db, id, { status: 'cancelled' });
  }
  for (const { id, status } of await listApprovals(db, { incidentId: incident.id })) {
    if (status === 'pending') await endApproval(db, id, 'superseded');
  }
}
