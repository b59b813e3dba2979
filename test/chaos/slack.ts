/** As much of Slack as Nightshift writes to; it keeps what was posted, and who marked it how. */
import { setTimeout as sleep } from 'node:timers/promises';

export const CHANNEL = 'C0OPS';
/** In two parts, so that nothing takes them for real ones. */
export const BOT_TOKEN = ['xoxb', 'chaos-nightshift'].join('-');
export const SIGNING_SECRET = ['8f742231b10e8888', 'abcd99yyyzzz85a5'].join('');

/** One message that Slack took as new. */
export interface Post {
  /** Nightshift's own name of it: the same message never has another. */
  readonly key: string;
  readonly at: number;
  /** False where the sender never heard that Slack had it. */
  answered: boolean;
}

interface Message {
  readonly ts: string;
  readonly thread_ts?: string;
  readonly metadata: unknown;
}

export interface SlackDouble {
  readonly posts: Post[];
  updates: number;
  /** Gives what a method answers, and has done it by then; `unheard` is told of the post whose answer is lost. */
  call(method: string, body: Readonly<Record<string, unknown>>): { answer: object; post: Post | null };
}

/** Makes one workspace. */
export function createSlack(): SlackDouble {
  const posts: Post[] = [];
  const messages: Message[] = [];
  let serial = 0;
  const double: SlackDouble = {
    posts,
    updates: 0,
    call(method, body) {
      const ok = { ok: true, channel: CHANNEL };
      switch (method) {
        case 'auth.test':
          return {
            answer: { ok: true, team_id: 'T0CHAOS', user_id: 'U0BOT', bot_id: 'B0BOT', app_id: 'A0N' },
            post: null,
          };
        case 'chat.postMessage': {
          serial += 1;
          const ts = `${Math.floor(Date.now() / 1000)}.${String(serial).padStart(6, '0')}`;
          const metadata = body.metadata as { event_payload?: { outbox?: number; installation?: string } } | undefined;
          const thread = typeof body.thread_ts === 'string' ? { thread_ts: body.thread_ts } : {};
          messages.push({ ts, ...thread, metadata });
          const { installation = '', outbox = serial } = metadata?.event_payload ?? {};
          const post = { key: `${installation}/${outbox}`, at: Date.now(), answered: true };
          posts.push(post);
          return { answer: { ...ok, ts }, post };
        }
        case 'chat.update':
          double.updates += 1;
          return { answer: { ...ok, ts: body.ts }, post: null };
        case 'conversations.history':
          return { answer: { ok: true, messages: messages.filter((one) => one.thread_ts === undefined) }, post: null };
        case 'conversations.replies':
          return {
            answer: {
              ok: true,
              messages: messages.filter(({ ts, thread_ts }) => ts === body.ts || thread_ts === body.ts),
            },
            post: null,
          };
        default:
          return { answer: { ok: true, messages: [], channel: { id: CHANNEL, is_member: true } }, post: null };
      }
    },
  };
  return double;
}

/** Reads what was sent to a method, as JSON or as a form. */
export function slackBody(raw: string): Record<string, unknown> {
  const parse = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  };
  if (raw.startsWith('{')) return parse(raw) as Record<string, unknown>;
  return Object.fromEntries(
    [...new URLSearchParams(raw)].map(([key, value]) => [key, /^[[{]/.test(value) ? parse(value) : value]),
  );
}

/** How long a hung answer is held, in milliseconds. */
const HANG_MS = 15_000;

/** Waits as long as a hung service would. */
export async function hang(signal: AbortSignal): Promise<void> {
  await sleep(HANG_MS, undefined, { signal }).catch(() => {});
}
