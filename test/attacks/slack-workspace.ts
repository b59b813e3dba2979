/** As much of Slack as Nightshift talks to, and people who press buttons in it. See https://docs.slack.dev/authentication/verifying-requests-from-slack */
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export const TEAM = 'T0ATTACKS';
export const APP = 'A0NIGHTSHIFT';
export const CHANNEL = 'C0OPS';
export const SIGNING_SECRET = '8f742231b10e8888' + 'abcd99yyyzzz85a5';
const BOT_TOKEN = 'xoxb-' + 'attacks-nightshift';

/** Who is who: the first four are approvers; the others are people of the workspace whom nobody listed. */
export const APPROVERS: Readonly<Record<string, string>> = {
  sre1: 'U0SRE1',
  sre2: 'U0SRE2',
  sre3: 'U0SRE3',
  lead: 'U0LEAD',
};
const LISTED_GUEST = 'U0GUEST';

/** One call of Slack's Web API, as it came. */
export interface SlackCall {
  readonly method: string;
  readonly body: Record<string, unknown>;
  readonly at: number;
}

export interface Workspace {
  readonly config: {
    readonly botToken: string;
    readonly channel: string;
    readonly signingSecret: string;
    readonly apiUrl: string;
  };
  readonly responseUrl: string;
  readonly calls: SlackCall[];
  /** How often somebody was told something in answer to what they pressed. */
  answered(): number;
  stop(): Promise<void>;
}

/** Starts the workspace on a free loopback port; `onBody` is told of everything that leaves for Slack, as it came. */
export async function startWorkspace(onBody: (body: string) => void): Promise<Workspace> {
  const calls: SlackCall[] = [];
  let posted = 0;
  let answered = 0;
  const server = createServer(async (request, response) => {
    const raw = await text(request);
    onBody(raw);
    const method = (request.url ?? '').replace(/^\/api\//, '');
    const body = bodyOf(raw);
    if (request.url?.startsWith('/api/')) calls.push({ method, body, at: Date.now() });
    else answered += 1;
    posted += 1;
    const ts = `${1_700_000_000 + posted}.000001`;
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ ok: true, ...answerOf(method, body, ts) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    config: { botToken: BOT_TOKEN, channel: CHANNEL, signingSecret: SIGNING_SECRET, apiUrl: `${front}/api/` },
    responseUrl: `${front}/respond`,
    calls,
    answered: () => answered,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answerOf(method: string, body: Record<string, unknown>, ts: string): object {
  if (method === 'auth.test') return { team_id: TEAM, user_id: 'U0BOT', bot_id: 'B0BOT', app_id: APP };
  if (method === 'users.info') return { user: userOf(String(body.user)) };
  if (method.startsWith('chat.')) return { ts: typeof body.ts === 'string' ? body.ts : ts, channel: CHANNEL };
  if (method.startsWith('conversations.')) return { messages: [], channel: { id: CHANNEL, is_member: true } };
  return {};
}

function userOf(id: string): object {
  const known = Object.entries(APPROVERS).find(([, user]) => user === id)?.[0];
  return {
    id,
    team_id: TEAM,
    name: known ?? 'somebody',
    is_bot: id.startsWith('U0BOT'),
    is_restricted: id === LISTED_GUEST,
    deleted: false,
  };
}

function bodyOf(raw: string): Record<string, unknown> {
  try {
    return JSON.parse(raw) as Record<string, unknown>;
  } catch {
    const parse = (value: string): unknown => {
      try {
        return /^[[{]/.test(value) ? JSON.parse(value) : value;
      } catch {
        return value;
      }
    };
    return Object.fromEntries([...new URLSearchParams(raw)].map(([key, value]) => [key, parse(value)]));
  }
}

/** A request as Slack, or somebody who is not Slack, sends it. */
export interface SignedRequest {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How a request is signed; whatever Slack would never do is a change to this. */
export interface Signing {
  readonly offsetSeconds?: number;
  readonly secret?: string;
  readonly timestamp?: string;
  /** In place of the true one; empty leaves the header out. */
  readonly signature?: string;
  readonly contentType?: string;
}

/** Signs a body. */
export function sign(
  body: string,
  { offsetSeconds = 0, secret = SIGNING_SECRET, ...change }: Signing = {},
): SignedRequest {
  const timestamp = change.timestamp ?? String(Math.floor(Date.now() / 1000) + offsetSeconds);
  const signature =
    change.signature ?? `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
  return {
    body,
    headers: {
      'content-type':
        change.contentType ?? (body.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded'),
      ...(timestamp === '' ? {} : { 'x-slack-request-timestamp': timestamp }),
      ...(signature === '' ? {} : { 'x-slack-signature': signature }),
    },
  };
}

/** Writes an interaction as Slack sends it. */
export function interaction(payload: object): string {
  return `payload=${encodeURIComponent(JSON.stringify(payload))}`;
}

let pressed = 0;

/** Writes what Slack sends when a button is pressed; `change` replaces fields of it. */
export function click(
  responseUrl: string,
  { user, action, value }: { user: string; action: string; value: unknown },
  change: object = {},
): Record<string, unknown> {
  pressed += 1;
  return {
    type: 'block_actions',
    api_app_id: APP,
    team: { id: TEAM, domain: 'attacks' },
    enterprise: null,
    user: { id: user, username: 'whoever', name: 'whoever', team_id: TEAM },
    token: 'unused',
    trigger_id: `1.2.${pressed}`,
    response_url: responseUrl,
    container: { type: 'message', message_ts: '1700000000.000001', channel_id: CHANNEL },
    channel: { id: CHANNEL, name: 'ops' },
    message: { type: 'message', ts: '1700000000.000001' },
    actions: [
      {
        type: 'button',
        action_id: action,
        block_id: 'b',
        value: JSON.stringify(value),
        action_ts: `${Date.now()}.${pressed}`,
      },
    ],
    ...change,
  };
}
