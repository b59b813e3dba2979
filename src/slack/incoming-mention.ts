import { NightshiftError } from '../errors.ts';
import type { WhoIs } from './incoming-actor.ts';
import type { FromSlack } from './incoming-payload.ts';
import type { SlackPorts } from './ports.ts';
import { incidentOfThread } from './store.ts';

const LOOKS_LIKE_A_DECISION =
  /^(?:approved?|deny|denied|reject(?:ed)?|lgtm)\b|^(?:yes|no|ok(?:ay)?|go ahead|do it)[.!]*$/i;

/** What is asked, and where. */
export interface MentionDependencies {
  readonly ports: SlackPorts;
  readonly whoIs: WhoIs;
  /** The channels that Nightshift writes to; what it knows is told nowhere else. */
  readonly channels: readonly string[];
}

/**
 * Answers a question that somebody put to Nightshift: inside an incident's thread from that incident's evidence, elsewhere from runbooks
 * and past incidents. It reads and does nothing else.
 * @throws NightshiftError in words for whoever asked.
 */
export async function answerMention(
  { actor, place }: FromSlack,
  text: string,
  { ports, whoIs, channels }: MentionDependencies,
): Promise<string> {
  await whoIs(actor, 'viewer');
  const { channel } = place;
  if (channel === null || !channels.includes(channel))
    throw new NightshiftError(
      'forbidden',
      'questions are not answered in this channel. Fix: ask in the channel of Nightshift, or with /nightshift ask',
    );
  if (LOOKS_LIKE_A_DECISION.test(text))
    return 'Nothing that is written decides anything here. Only the buttons of a card do, or the CLI.';
  if (text === '')
    return 'Ask a question behind my name; in an incident’s thread it is answered from what was found there.';
  const incidentId = place.thread === null ? null : await incidentOfThread(ports.db, channel, place.thread);
  return ports.answer(text, incidentId);
}
