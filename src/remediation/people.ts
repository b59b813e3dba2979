import { type Decision, decide } from '../approval/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import { type KillState, type KillSwitch, killRow } from '../gate/index.ts';
import type { Identity } from '../identity/index.ts';
import {
  addEvents,
  addSignal,
  incidentName,
  isClosed,
  loadIncident,
  type Signal,
  type State,
} from '../incident/index.ts';
import { rate } from '../learning/index.ts';
import type { Catalogue } from '../mcp-tools/index.ts';
import type { Driver } from './driver.ts';
import { type Investigation, openInvestigation } from './investigate.ts';
import { type ByHand, openByHand } from './run-by-hand.ts';
import { unrunActions } from './waiting.ts';

/** What people can say to a running Nightshift; each is committed with its wake-up before it is answered. */
export interface People {
  /** While everything is stopped only a no is taken: a yes would be used up, and nothing would run. @throws NightshiftError as `count` does, or `conflict`. */
  decide(decision: Decision): Promise<{ incidentId: number; status: string }>;
  /** Says why that person may decide nothing at all; null where they may. */
  refusalOf(name: string): NightshiftError | null;
  /**
   * `did` tells what the person who closes it did about it, which `nightshift report shadow` counts.
   * @throws NightshiftError `not_found`, or `conflict` when the incident is in no state to hear it.
   */
  say(
    incidentId: number,
    kind: Exclude<Signal['kind'], 'fired' | 'resolved'>,
    by: string,
    did?: PersonDid,
  ): Promise<void>;
  /** Runs what a person asks for, through the gate; gives the incident that stands for it. */
  run(byHand: ByHand): Promise<{ incidentId: number }>;
  /** Opens an incident for what a person wants looked into; gives its number. */
  investigate(investigation: Investigation): Promise<{ incidentId: number }>;
  /** Keeps whether a person found the handling of an incident helpful. */
  rate(incidentId: number, helpful: boolean, by: string, why?: string): Promise<void>;
}

/** What a person did about an incident that Nightshift only observed: what it proposed, something else, or nothing. */
export const PERSON_DID = ['same', 'other', 'nothing'] as const;
export type PersonDid = (typeof PERSON_DID)[number];

const HEARD_IN: Readonly<Record<'close' | 'ask_again' | 'stop', (state: State) => boolean>> = {
  close: (state) => state === 'escalated' || state === 'verifying',
  ask_again: (state) => state === 'escalated',
  stop: (state) => !isClosed(state),
};

/** Makes the door through which every surface (API, CLI, Slack) passes a person's word on. */
export function createPeople({
  db,
  driver,
  catalogue,
  identity,
  killSwitch,
  failpoint = noFailpoint,
}: {
  db: Database;
  driver: Driver;
  catalogue: Catalogue;
  identity: Pick<Identity, 'mayDecide'>;
  killSwitch: Pick<KillSwitch, 'stateBy'>;
  failpoint?: Failpoint;
}): People {
  const open = async (by: string, opening: () => Promise<number>) => {
    refuseUnlessListed(identity, by);
    const incidentId = await db.transaction(async () => {
      const opened = await opening();
      await driver.wake([opened], 'person');
      return opened;
    });
    driver.kick();
    return { incidentId };
  };
  return {
    refusalOf: (name) => refusalUnlessListed(identity, name),
    async decide(decision) {
      refuseUnlessListed(identity, decision.principal);
      const approval = await db.transaction(async () => {
        if (decision.decision === 'approve')
          refuseWhileStopped(await killSwitch.stateBy((await killRow(db).executeTakeFirst()) ?? null));
        // Incident before approval, as the landing of a stage locks them.
        const about = await db.q
          .selectFrom('approval')
          .select('incident_id')
          .where('id', '=', decision.approvalId)
          .executeTakeFirst();
        if (about) await driver.wake([about.incident_id], 'person');
        const decided = await decide(db, decision, await db.now());
        failpoint('decision.before-commit');
        return decided;
      });
      failpoint('decision.after-commit');
      driver.kick();
      return { incidentId: approval.incidentId, status: approval.status };
    },
    async say(incidentId, kind, by, did) {
      await db.transaction(async () => {
        const incident = await loadIncident(db, incidentId);
        if (!HEARD_IN[kind](incident.state)) {
          throw new NightshiftError(
            'conflict',
            `${incidentName(incidentId)} is ${incident.state}, so it cannot hear ${kind}. Fix: look at it with: nightshift incident ${incidentName(incidentId)}`,
          );
        }
        const { escalation } = incident.context;
        if (kind === 'ask_again' && !escalation?.shed && (await unrunActions(db, incident)).length === 0) {
          throw new NightshiftError(
            'conflict',
            `${incidentName(incidentId)} has no action that was refused or left out, so there is nothing to ask again. Fix: mend it by hand and say: nightshift close ${incidentName(incidentId)}`,
          );
        }
        await addSignal(db, incidentId, kind, by);
        await addEvents(db, incidentId, [
          { type: `person.${kind}`, actor: by, data: did === undefined ? {} : { did } },
        ]);
        await driver.wake([incidentId], 'person');
      });
      driver.kick();
    },
    run: (byHand) => open(byHand.by, () => openByHand(db, byHand, catalogue)),
    investigate: (investigation) => open(investigation.by, () => openInvestigation(db, investigation)),
    rate: (incidentId, helpful, by, why = '') => db.transaction(() => rate(db, { incidentId, helpful, by, why })),
  };
}

function refuseWhileStopped({ engaged, why }: KillState): void {
  if (!engaged) return;
  const fix = 'release it with: nightshift resume, then approve, or deny it now';
  throw new NightshiftError(
    'conflict',
    `everything is stopped: ${why}; a yes would be used up without being run. Fix: ${fix}`,
  );
}

/**
 * Refuses who is not among the people who may decide; otherwise the administrator's token would be a second person beside its own holder.
 * @throws NightshiftError `forbidden`.
 */
export function refuseUnlessListed(identity: Pick<Identity, 'mayDecide'>, name: string): void {
  const refusal = refusalUnlessListed(identity, name);
  if (refusal) throw refusal;
}

function refusalUnlessListed(identity: Pick<Identity, 'mayDecide'>, name: string): NightshiftError | null {
  if (identity.mayDecide(name)) return null;
  const fix = `add ${name} to people: in nightshift.yaml, or use the token of somebody who is (NIGHTSHIFT_TOKEN)`;
  return new NightshiftError('forbidden', `${name} is not among the people who may decide. Fix: ${fix}`);
}
