import { endApproval, listApprovals } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { beginVerification, type Incident, isClosed, isFiring, type Stage, type State } from '../incident/index.ts';
import { type Action, actionsOf, setAction } from '../planning/index.ts';

/** Makes the stage of an incident that a person has: it hears their word, or that the alert resolved, and waits otherwise. */
export function createAwaitPerson({ db }: { db: Database }): Stage {
  return async ({ incident, alerts, signals }) => {
    const closer = signals.findLast(({ kind }) => kind === 'close');
    if (closer) return beginVerification('person', closer.by);
    if (signals.some(({ kind }) => kind === 'resolved') && !isFiring(alerts)) return beginVerification('alert');
    const asker = signals.findLast(({ kind }) => kind === 'ask_again');
    const again = asker ? await unrunActions(db, incident) : [];
    if (asker && again.length > 0) {
      const event = {
        type: 'plan.asked_again',
        actor: asker.by,
        data: { actions: again.map(({ tool, target }) => ({ tool, target })) },
      };
      return {
        state: 'planned',
        context: { escalation: null },
        events: [event],
        write: async () => {
          for (const { id } of again) await setAction(db, id, { status: 'proposed' });
        },
      };
    }
    return { state: 'escalated', wait: { until: null } };
  };
}

/** The actions of the latest attempt that were refused or never came to run. */
async function unrunActions(db: Database, incident: Incident): Promise<Action[]> {
  const plan = (await actionsOf(db, incident.id, incident.cycle)).filter(
    ({ attempt }) => attempt === incident.context.attempt,
  );
  return plan.filter(({ status }) => status === 'cancelled' || status === 'denied');
}

/** Makes the stage of an incident that is over: only its alert firing again opens it again. */
export function createReopen(): Stage {
  return async ({ incident, signals }) => {
    const fired = signals.some(({ kind }) => kind === 'fired');
    return { state: fired && incident.state === 'resolved' ? 'received' : incident.state };
  };
}

/** Lets a person's `stop` come before whatever a stage would do; an action that was sent is landed first. */
export function withStop(
  { db }: { db: Database },
  stages: Readonly<Record<State, Stage>>,
): Readonly<Record<State, Stage>> {
  const guard =
    (stage: Stage): Stage =>
    async (work) => {
      const { incident, signals } = work;
      const stopped = signals.some(({ kind }) => kind === 'stop');
      if (!stopped || isClosed(incident.state)) return stage(work);
      const running = (await actionsOf(db, incident.id, incident.cycle)).some(({ status }) => status === 'running');
      if (incident.state === 'acting' && running) return stage(work);
      return { state: 'stopped', write: () => cancelAll(db, incident) };
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
