import type { types, webApi } from '@slack/bolt';
import { messageOf, NightshiftError } from '../errors.ts';
import { incidentName } from '../incident/index.ts';
import type { WhoIs } from './incoming-actor.ts';
import { denyForm, detailsModal } from './incoming-modals.ts';
import type { FromSlack } from './incoming-payload.ts';
import { type SlackPorts, VIA } from './ports.ts';
import { ACTION_IDS, type DecisionValue, decisionValueSchema, incidentValueSchema } from './render-buttons.ts';

export interface ButtonDependencies {
  readonly ports: SlackPorts;
  readonly client: Pick<webApi.WebClient, 'views'>;
  readonly whoIs: WhoIs;
}

type Button = Extract<FromSlack['word'], { kind: 'button' }>;

/**
 * Does what a button stands for, and gives the words for whoever pressed it. A button says only which question, with the digest that was
 * shown, or which incident; what will run is in the database.
 * @throws NightshiftError in words for whoever pressed it.
 */
export async function pressButton(
  { actor, place }: FromSlack,
  { actionId, value }: Button,
  { ports, client, whoIs }: ButtonDependencies,
): Promise<string | null> {
  const { people, killSwitch, db, renderEvent } = ports;
  switch (actionId) {
    case ACTION_IDS.approve: {
      const { approval, digest } = decisionOf(value);
      const { name } = await whoIs(actor, 'approver');
      const decision = {
        approvalId: approval,
        decision: 'approve',
        reason: '',
        principal: name,
        via: VIA,
        digest,
      } as const;
      const { status } = await people.decide(decision);
      return status === 'approved'
        ? `You approved ${approval}; it is approved now.`
        : `You approved ${approval}; it is ${status} until somebody else approves it, too.`;
    }
    case ACTION_IDS.deny: {
      const decision = decisionOf(value);
      await whoIs(actor, 'approver');
      await openModal(client, place.trigger, denyForm(decision));
      return null;
    }
    case ACTION_IDS.details: {
      const { incident } = incidentOf(value);
      await whoIs(actor, 'viewer');
      await openModal(client, place.trigger, await detailsModal(db, incident, renderEvent));
      return null;
    }
    case ACTION_IDS.takeOver: {
      const { incident } = incidentOf(value);
      const { name } = await whoIs(actor, 'approver');
      await people.say(incident, 'stop', name);
      return `${incidentName(incident)} is yours: Nightshift stops working on it.`;
    }
    case ACTION_IDS.stopEverything: {
      const { incident } = incidentOf(value);
      const { name } = await whoIs(actor, 'approver');
      await killSwitch.engage({ by: name, via: VIA, reason: `the button of ${incidentName(incident)}` });
      return 'Everything is stopped. Release it with /nightshift resume.';
    }
    case ACTION_IDS.helpful:
    case ACTION_IDS.unhelpful: {
      const { incident } = incidentOf(value);
      const { name } = await whoIs(actor, 'approver');
      await people.rate(incident, actionId === ACTION_IDS.helpful, name);
      return `Noted for ${incidentName(incident)}. Thank you.`;
    }
    default:
      return null;
  }
}

/** Records a no with its reason, and gives the words for whoever said it. @throws NightshiftError in words for them. */
export async function submitDenial(
  { actor }: FromSlack,
  { metadata, reason }: { metadata: string; reason: string },
  { ports, whoIs }: ButtonDependencies,
): Promise<string> {
  const { approval, digest } = decisionOf(metadata);
  const { name } = await whoIs(actor, 'approver');
  await ports.people.decide({ approvalId: approval, decision: 'deny', reason, principal: name, via: VIA, digest });
  return `You denied ${approval}.`;
}

function decisionOf(value: string): DecisionValue {
  const parsed = decisionValueSchema.safeParse(jsonOf(value));
  if (parsed.success) return parsed.data;
  throw unreadable();
}

function incidentOf(value: string): { incident: number } {
  const parsed = incidentValueSchema.safeParse(jsonOf(value));
  if (parsed.success) return parsed.data;
  throw unreadable();
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}

function unreadable(): NightshiftError {
  return new NightshiftError(
    'invalid_payload',
    'this button is not one of this version of Nightshift. Fix: use the newest message, or the CLI: nightshift approvals',
  );
}

async function openModal(
  client: ButtonDependencies['client'],
  trigger: string | null,
  view: types.ModalView,
): Promise<void> {
  try {
    await client.views.open({ trigger_id: trigger ?? '', view });
  } catch (cause) {
    const why = /(?:expired|exchanged)_trigger_id/.test(messageOf(cause))
      ? 'Slack waits only three seconds for it'
      : messageOf(cause);
    throw new NightshiftError('conflict', `the form could not be opened: ${why}. Fix: press the button once more`, {
      cause,
    });
  }
}
