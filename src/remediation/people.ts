import { type Decision, decide, endApproval, listApprovals } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { addEvents, addSignal, type Incident, incidentName, isClosed, isFiring, loadIncident, type Signal, type Stage, type State } from '../incident/index.ts';
import { type Action, actionsOf, beginVerification, setAction } from '../planning/index.ts';
import type { Driver } from './driver.ts';

/** Makes the stage of an incident that a person has: it hears their word, or that the alert resolved, and waits otherwise. */
export function createAwaitPerson({ db }: { db: Database }): Stage {
  return async ({ incident, alerts, signals }) => {
    const closer = signals.findLast(({ kind }) => kind === 'close');
    if (closer) return beginVerification('person', closer.by);
    if (signals.some(({ kind }) => kind === 'resolved') && !isFiring(alerts)) return beginVerification('alert');
    const asker = signals.findLast(({ kind }) => kind === 'ask_again');
    const again = asker ? await unrunActions(db, incident) : [];
    if (asker && again.length > 0) {
      const event = { type: 'plan.asked_again', actor: asker.by, data: { actions: again.map(({ tool, target }) => ({ tool, target })) } };
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
  const plan = (await actionsOf(db, incident.id, incident.cycle)).filter(({ attempt }) => attempt === incident.context.attempt);
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
export function withStop({ db }: { db: Database }, stages: Readonly<Record<State, Stage>>): Readonly<Record<State, Stage>> {
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
  return Object.fromEntries(Object.entries(stages).map(([state, stage]) => [state, guard(stage)])) as Record<State, Stage>;
}

async function cancelAll(db: Database, incident: Incident): Promise<void> {
  for (const { id, status } of await actionsOf(db, incident.id, incident.cycle)) {
    if (status === 'proposed' || status === 'allowed' || status === 'asked' || status === 'approved') await setAction(db, id, { status: 'cancelled' });
  }
  for (const { id, status } of await listApprovals(db, { incidentId: incident.id })) {
    if (status === 'pending') await endApproval(db, id, 'superseded');
  }
}

/** What people can say to a running Nightshift; each is committed with its wake-up before it is answered. */
export interface People {
  decide(decision: Decision): Promise<{ incidentId: number; status: string }>;
  /** @throws NightshiftError `not_found`, or `conflict` when the incident is in no state to hear it. */
  say(incidentId: number, kind: Exclude<Signal['kind'], 'fired' | 'resolved'>, by: string): Promise<void>;
}

const HEARD_IN: Readonly<Record<'close' | 'ask_again' | 'stop', (state: State) => boolean>> = {
  close: (state) => state === 'escalated' || state === 'verifying',
  ask_again: (state) => state === 'escalated',
  stop: (state) => !isClosed(state),
};

/** Makes the door through which every surface (API, CLI, Slack) passes a person's word on. */
export function createPeople({ db, driver }: { db: Database; driver: Driver }): People {
  return {
    async decide(decision) {
      const approval = await db.transaction(async () => {
        const decided = await decide(db, decision, new Date());
        await driver.wake(decided.incidentId);
        return decided;
      });
      driver.kick();
      return { incidentId: approval.incidentId, status: approval.status };
    },
    async say(incidentId, kind, by) {
      await db.transaction(async () => {
        const incident = await loadIncident(db, incidentId);
        if (!HEARD_IN[kind](incident.state)) {
          throw new NightshiftError('conflict', `${incidentName(incidentId)} is ${incident.state}, so it cannot hear ${kind}. Fix: look at it with: nightshift incident ${incidentName(incidentId)}`);
        }
        await addSignal(db, incidentId, kind, by);
        await addEvents(db, incidentId, [{ type: `person.${kind}`, actor: by, data: {} }]);
        await driver.wake(incidentId);
      });
      driver.kick();
    },
  };
}
