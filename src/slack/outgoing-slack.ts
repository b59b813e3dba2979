import { webApi } from '@slack/bolt';
import { z } from 'zod';
import type { SlackConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/index.ts';
import type { Claimed } from './outgoing-claim.ts';

const EVENT_TYPE = 'nightshift_message';
const TIMEOUT_MS = 10_000;
const PAGE = 200;
const PAGES_MAX = 20;
/** Slack's clock and the database's may differ by as much. */
const CLOCKS_MS = 10 * 60 * 1000;
const LIMITED_SECONDS = 30;

/** Said by Slack itself about a request that it may have carried out. */
const PERHAPS_DONE = new Set(['internal_error', 'fatal_error', 'service_unavailable', 'request_timeout']);
/** The message is not there any more, or not ours to change, however often it is tried. */
const NOT_OURS = new Set(['message_not_found', 'cant_update_message', 'edit_window_closed']);

const postedSchema = z.looseObject({ ts: z.string() });
const pageSchema = z.looseObject({ messages: z.array(z.unknown()) });
const markedSchema = z.looseObject({
  ts: z.string(),
  metadata: z.looseObject({
    event_type: z.literal(EVENT_TYPE),
    event_payload: z.looseObject({ outbox: z.number(), installation: z.string(), content: z.string().optional() }),
  }),
});

/** What a failed call leaves behind: whether Slack may have acted on it, and whether trying again can help. */
export interface SlackFailure {
  readonly error: string;
  readonly perhapsDone: boolean;
  /** Slack said when to come back, in seconds. */
  readonly waitSeconds: number | null;
  readonly futile: boolean;
}

/** Makes the client of Slack's Web API. It never tries again by itself: the outbox does, and knows what may have been done. */
export function createSlackClient(config: Pick<SlackConfig, 'botToken' | 'apiUrl'>, log: Logger): webApi.WebClient {
  const quiet = () => {};
  return new webApi.WebClient(config.botToken, {
    slackApiUrl: config.apiUrl,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    timeout: TIMEOUT_MS,
    allowAbsoluteUrls: false,
    // Its own would write to standard output, where only our log lines belong, and would show what is sent.
    logger: {
      debug: quiet,
      info: quiet,
      warn: (...words) => log.debug({ slack: words.map(String).join(' ') }, 'Slack’s client warns'),
      error: (...words) => log.warn({ slack: words.map(String).join(' ') }, 'Slack’s client complains'),
      setLevel: quiet,
      setName: quiet,
      getLevel: () => webApi.LogLevel.INFO,
    },
  });
}

/** Posts a message, marked with its outbox id; gives Slack's name of it. @throws whatever the client throws; see `explainFailure`. */
export async function postMessage(client: webApi.WebClient, claimed: Claimed): Promise<string> {
  const { channel, purpose, rootTs, wanted } = claimed;
  const reply = purpose === 'root' || rootTs === null ? {} : { thread_ts: rootTs, reply_broadcast: wanted.broadcast };
  const posted = await client.apiCall('chat.postMessage', {
    channel,
    ...contentOf(claimed),
    ...reply,
    mrkdwn: false,
    unfurl_links: false,
    unfurl_media: false,
  });
  return postedSchema.parse(posted).ts;
}

/** Changes a message that Slack has into what is wanted; saying it twice changes nothing. */
export async function updateMessage(client: webApi.WebClient, claimed: Claimed, ts: string): Promise<void> {
  await client.apiCall('chat.update', { channel: claimed.channel, ts, ...contentOf(claimed) });
}

function contentOf({ id, installation, wanted, wantedSha256 }: Claimed) {
  return {
    text: wanted.text,
    blocks: wanted.blocks,
    parse: 'none',
    link_names: false,
    metadata: { event_type: EVENT_TYPE, event_payload: { outbox: id, installation, content: wantedSha256 } },
  };
}

/**
 * Looks for a message by its outbox id where an earlier send would have put it: in the channel for a root, else in the thread.
 * Gives its ts and the hash of its content, or null when it is not there.
 */
export async function findMessage(
  client: webApi.WebClient,
  claimed: Claimed,
  doubtSince: Date,
): Promise<{ ts: string; contentSha256: string | null } | null> {
  const { channel, id, installation, purpose, rootTs } = claimed;
  const oldest = String((doubtSince.getTime() - CLOCKS_MS) / 1000);
  const isRoot = purpose === 'root' || rootTs === null;
  const method = isRoot ? 'conversations.history' : 'conversations.replies';
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await client.apiCall(method, {
      channel,
      ...(isRoot ? {} : { ts: rootTs }),
      oldest,
      include_all_metadata: true,
      limit: PAGE,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const message of pageSchema.parse(answer).messages) {
      const ours = markedSchema.safeParse(message);
      if (!ours.success) continue;
      const { outbox, installation: whose, content } = ours.data.metadata.event_payload;
      if (outbox === id && whose === installation) return { ts: ours.data.ts, contentSha256: content ?? null };
    }
    cursor = answer.response_metadata?.next_cursor;
    if (!cursor) return null;
  }
  return null;
}

/** Says what a failure of a call to Slack means for what was to be sent; anything unclear counts as perhaps done. */
export function explainFailure(error: unknown): SlackFailure {
  const failure = { error: messageOf(error).slice(0, 300), perhapsDone: true, waitSeconds: null, futile: false };
  if (error instanceof webApi.WebAPIRateLimitedError)
    return { ...failure, perhapsDone: false, waitSeconds: error.retryAfter };
  if (error instanceof webApi.WebAPIPlatformError) {
    const { error: code } = error.data;
    const limited = code === 'ratelimited' || code === 'rate_limited';
    return {
      ...failure,
      perhapsDone: PERHAPS_DONE.has(code),
      waitSeconds: limited ? LIMITED_SECONDS : null,
      futile: NOT_OURS.has(code),
    };
  }
  return failure;
}
