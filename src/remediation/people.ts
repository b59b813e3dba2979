import { type Decision, decide } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import {
  addEvents,
  addSignal,
  incidentName,
  isClosed,
  loadIncident,
  type Signal,
  type State,
} from '../incident/index.ts';
import type { Driver } from './driver.ts';
import { unrunActions } from './waiting.ts';

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
        // Incident before approval, as the landing of a stage locks them.
        const about = await db.q
          .selectFrom('approval')
          .select('incident_id')
          .where('id', '=', decision.approvalId)
          .executeTakeFirst();
        if (about) await driver.wake(about.incident_id);
        return decide(db, decision, new Date());
      });
      driver.kick();
      return { incidentId: approval.incidentId, status: approval.status };
    },
    async say(incidentId, kind, by) {
      await db.transaction(async () => {
        const incident = await loadIncident(db, incidentId);
        if (!HEARD_IN[kind](incident.state)) {
          throw new NightshiftError(
            'conflict',
            `${incidentName(incidentId)} is ${incident.state}, so it cannot hear ${kind}. Fix: look at it with: nightshift incident ${incidentName(incidentId)}`,
          );
        }
        if (kind === 'ask_again' && (await unrunActions(db, incident)).length === 0) {
          throw new NightshiftError(
            'conflict',
            `${incidentName(incidentId)} has no action that was refused or left out, so there is nothing to ask again. Fix: mend it by hand and say: nightshift close ${incidentName(incidentId)}`,
          );
        }
        await addSignal(db, incidentId, kind, by);
        await addEvents(db, incidentId, [{ type: `person.${kind}`, actor: by, data: {} }]);
        await driver.wake(incidentId);
      });
      driver.kick();
    },
  };
}
