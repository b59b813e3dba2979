import type { webApi } from '@slack/bolt';
import type { Role } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { type Principal, reaches } from '../identity/index.ts';
import type { SlackActor } from './incoming-payload.ts';
import type { SlackPorts } from './ports.ts';

/** For how long Slack's word that an account is a whole member's holds. */
const MEMBER_MS = 30_000;

/** Finds out which configured person did something. @throws NightshiftError `forbidden` in words for whoever did it. */
export type WhoIs = (actor: SlackActor, needed: Role) => Promise<Principal>;

/**
 * Makes the check of who is at the door: workspace and user id must be those of a configured person whose role reaches, and Slack must
 * say, now, that the account is a member's: no bot's, no guest's, nobody's from outside. If Slack cannot be asked, nobody is let in.
 */
export function createWhoIs(
  client: Pick<webApi.WebClient, 'users'>,
  identity: SlackPorts['identity'],
  now: () => Date,
): WhoIs {
  const members = new Map<string, { readonly until: number; readonly refusal: Promise<string | null> }>();

  /** Asked once for many clicks of one person; a failure is not kept. */
  const whyNot = (actor: SlackActor): Promise<string | null> => {
    const key = `${actor.team}/${actor.enterprise ?? ''}/${actor.user}`;
    const known = members.get(key);
    if (known && known.until > now().getTime()) return known.refusal;
    const refusal = whyNoMember(client, actor);
    members.set(key, { until: now().getTime() + MEMBER_MS, refusal });
    refusal.then((why) => why !== null && members.delete(key)).catch(() => members.delete(key));
    return refusal;
  };

  return async (actor, needed) => {
    const { team, enterprise, user } = actor;
    const person = identity.ofSlack(team, user) ?? (enterprise === null ? null : identity.ofSlack(enterprise, user));
    if (!person)
      throw forbidden(
        'you are none of the people whom Nightshift knows',
        `let an operator add ${team}/${user} to people: in nightshift.yaml`,
      );
    if (!reaches(person.role, needed))
      throw forbidden(`${person.name} is ${person.role}; this needs ${needed}`, 'ask somebody with that role');
    const why = await whyNot(actor).catch((error: unknown) => {
      throw forbidden(
        `Slack could not be asked who you are (${messageOf(error)})`,
        'use the CLI, or try again in a minute',
      );
    });
    if (why !== null) throw forbidden(why, 'use an account of a whole member');
    return person;
  };
}

/** Asks Slack why an account is no whole member's of its workspace; null where it is one's. @throws whatever the client throws. */
export async function whyNoMember(client: Pick<webApi.WebClient, 'users'>, actor: SlackActor): Promise<string | null> {
  const { user } = await client.users.info({ user: actor.user });
  if (!user || user.id !== actor.user) return 'Slack does not know your account';
  if (user.deleted) return 'your account is deactivated';
  if (user.is_bot || user.is_workflow_bot || user.is_connector_bot)
    return 'bots and workflows cannot decide anything here';
  if (user.is_restricted || user.is_ultra_restricted) return 'guests cannot decide anything here';
  const organisation = user.enterprise_user?.enterprise_id ?? user.enterprise_id;
  const isOurs = user.team_id === actor.team || (actor.enterprise !== null && organisation === actor.enterprise);
  return user.is_stranger || !isOurs ? 'people of another workspace cannot decide anything here' : null;
}

function forbidden(message: string, fix: string): NightshiftError {
  return new NightshiftError('forbidden', `${message}. Fix: ${fix}`);
}
