import type { types, webApi } from '@slack/bolt';
import { fetch } from 'undici';
import { messageOf } from '../errors.ts';
import { type Logger, redact } from '../telemetry/index.ts';
import { createLane } from './incoming-lane.ts';
import type { SlackPlace } from './incoming-payload.ts';
import { escapeText } from './render-words.ts';

const TEXT_MAX = 2_900;
const TIMEOUT_MS = 10_000;
/** So that each has its whole time, also in a storm of clicks. */
const ANSWERS_AT_ONCE = 16;
/** Slack's own, for its commercial and its government cloud; a payload cannot make us talk to anybody else. */
const RESPONSE_ORIGINS = ['https://hooks.slack.com', 'https://hooks.slack-gov.com'];

/** Answers people in Slack, in plain text: nothing in it can mention, link or format. Never throws. */
export interface Tell {
  /** Only the person who did something sees it. */
  alone(place: SlackPlace, user: string, text: string): Promise<void>;
  /** Everybody in the thread sees it. */
  inThread(place: SlackPlace, text: string): Promise<void>;
}

/** Makes the answers to what people do in Slack; `channel` is where they stand when it was done in no channel, as in a modal. */
export function createTell(
  client: Pick<webApi.WebClient, 'chat'>,
  { apiUrl, channel }: { apiUrl: string; channel: string },
  log: Logger,
): Tell {
  const origins = [...RESPONSE_ORIGINS, new URL(apiUrl).origin];
  const lane = createLane(ANSWERS_AT_ONCE);
  const never = async (say: () => Promise<unknown>) => {
    try {
      await lane(say);
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'Slack did not take an answer to a person');
    }
  };
  return {
    alone(place, user, text) {
      const { responseUrl, thread } = place;
      if (responseUrl !== null && URL.canParse(responseUrl) && origins.includes(new URL(responseUrl).origin))
        return never(() =>
          respond(responseUrl, { response_type: 'ephemeral', replace_original: false, ...plainMessage(text) }),
        );
      const at = { channel: place.channel ?? channel, ...(thread === null ? {} : { thread_ts: thread }) };
      return never(() => client.chat.postEphemeral({ ...at, user, ...plainMessage(text) }));
    },
    inThread(place, text) {
      const at = { channel: place.channel ?? channel, ...(place.thread === null ? {} : { thread_ts: place.thread }) };
      const links = { unfurl_links: false, unfurl_media: false };
      return never(() => client.chat.postMessage({ ...at, ...plainMessage(text), ...links }));
    },
  };
}

function plainMessage(text: string): { text: string; blocks: types.SectionBlock[] } {
  const shown = redact(text, TEXT_MAX);
  return {
    text: escapeText(shown),
    blocks: [{ type: 'section', text: { type: 'plain_text', text: shown || '(nothing)', emoji: false } }],
  };
}

async function respond(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}
