/**
 * A Slack workspace for tests: the emulator behind one origin that also does what the emulator does not (response URLs, Socket Mode,
 * guests, granted scopes), and requests signed as Slack signs them.
 */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { createEmulator } from 'emulate';
import { Agent, fetch as fetchWith } from 'undici';
import { BOT_SCOPES } from '../../../src/slack/manifest.ts';
import { listen } from '../support/doubles.ts';

export const TEAM = 'T000000001';
export const APP = 'A0NIGHTSHIFT';
export const SECRET = '8f742231b10e8888' + 'abcd99yyyzzz85a5';
const BOT_TOKEN = 'xoxb-' + 'test-nightshift';
const APP_TOKEN = ['xapp', 1, APP, 'test'].join('-');

interface Call {
  readonly method: string;
  readonly body: Record<string, unknown>;
}

export interface Workspace {
  readonly apiUrl: string;
  readonly botToken: string;
  readonly appToken: string;
  readonly channel: string;
  /** Ids by name: ana, ben and cleo are members, gus is a guest, eve is nobody here. */
  readonly users: Readonly<Record<string, string>>;
  readonly calls: Call[];
  /** What was answered through response URLs, as plain text. */
  readonly answers: string[];
  /** What users.info says beyond what the emulator knows, by user id. */
  readonly flags: Map<string, object>;
  scopes: string[];
  /** Answers every call with this status instead of passing it on; null passes. */
  broken: number | null;
  readonly responseUrl: string;
  trigger(user: string): Promise<string>;
  /** What the emulator says, with the bot's token. */
  api<T>(method: string, body: object): Promise<T>;
  readonly socket: FakeSocket;
  stop(): Promise<void>;
}

/** The Socket Mode side: one client at a time, sent to and heard from as JSON. */
export interface FakeSocket {
  readonly heard: Record<string, unknown>[];
  /** How often a client has connected. */
  connections(): number;
  /** What apps.connections.open answers instead of an address. */
  refusal: string | null;
  send(message: object): void;
  drop(): void;
}

/** Starts a workspace on free loopback ports. */
export async function startWorkspace(): Promise<Workspace> {
  const names = ['ana', 'ben', 'cleo', 'gus', 'eve'];
  const seed = {
    slack: {
      users: names.map((name) => ({ name })),
      channels: [{ name: 'ops' }],
      oauth_apps: [
        {
          client_id: '1.2',
          client_secret: 'x',
          app_id: APP,
          name: 'Nightshift',
          bot_id: 'B0NIGHT',
          bot_user_id: 'U0NIGHTBOT',
          redirect_uris: [],
        },
      ],
      tokens: [{ token: BOT_TOKEN, user_id: 'U0NIGHTBOT', app_id: APP, bot_id: 'B0NIGHT', type: 'bot' }],
    },
  };
  const emulator = await createEmulator({ service: 'slack', port: await freePort(), seed: seed as never });
  const socket = new FakeSocketServer();
  const [calls, answers]: [Call[], string[]] = [[], []];
  const flags = new Map<string, object>();

  const forward = async (method: string, request: IncomingMessage, response: ServerResponse) => {
    const raw = await text(request);
    const type = request.headers['content-type'] ?? '';
    const body = type.includes('json') ? (JSON.parse(raw || '{}') as Record<string, unknown>) : formOf(raw);
    calls.push({ method, body });
    if (workspace.broken !== null) return void response.writeHead(workspace.broken).end('broken');
    // The emulator takes an unknown token for its administrator's.
    const known = [BOT_TOKEN, APP_TOKEN].includes((request.headers.authorization ?? '').slice('Bearer '.length));
    if (!known) return void response.end(JSON.stringify({ ok: false, error: 'invalid_auth' }));
    if (method === 'apps.connections.open') {
      const answer = socket.refusal
        ? { ok: false, error: socket.refusal }
        : { ok: true, url: `${front.replace('http', 'ws')}/link` };
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    }
    const headers = { 'content-type': type, authorization: request.headers.authorization ?? '' };
    const answer = await fetch(`${emulator.url}/api/${method}`, { method: 'POST', headers, body: raw });
    const json = (await answer.json()) as { user?: { id: string }; bot?: object; app_id?: string };
    if (method === 'users.info' && json.user) Object.assign(json.user, flags.get(json.user.id));
    // Slack tells which app a bot token belongs to in bots.info and not in auth.test; the emulator does it the other way round.
    if (method === 'auth.test') delete json.app_id;
    if (method === 'bots.info' && json.bot) Object.assign(json.bot, { app_id: APP });
    response
      .writeHead(200, { 'content-type': 'application/json', 'x-oauth-scopes': workspace.scopes.join(',') })
      .end(JSON.stringify(json));
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    // Cut by its sender, or by the end of the test.
    if (path.startsWith('/api/')) return void forward(path.slice(5), request, response).catch(() => response.destroy());
    void text(request).then((body) => {
      answers.push((JSON.parse(body) as { blocks: { text: { text: string } }[] }).blocks[0]?.text.text ?? '');
      response.end();
    });
  });
  server.on('upgrade', (request: IncomingMessage, stream: Socket) => socket.accept(request, stream));
  const front = `http://${await listen(server)}`;

  const api = async <T>(method: string, body: object): Promise<T> => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${BOT_TOKEN}` };
    const answer = await fetch(`${emulator.url}/api/${method}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return (await answer.json()) as T;
  };
  const { members } = await api<{ members: { id: string; name: string }[] }>('users.list', {});
  const { channels } = await api<{ channels: { id: string; name: string }[] }>('conversations.list', {});
  const users = Object.fromEntries(members.map(({ id, name }) => [name, id]));
  const channel = channels.find(({ name }) => name === 'ops')?.id ?? '';
  await api('conversations.join', { channel });
  flags.set(users.gus ?? '', { is_restricted: true });

  const workspace: Workspace = {
    apiUrl: `${front}/api/`,
    botToken: BOT_TOKEN,
    appToken: APP_TOKEN,
    channel,
    users,
    calls,
    answers,
    flags,
    scopes: Object.keys(BOT_SCOPES),
    broken: null,
    responseUrl: `${front}/respond`,
    trigger: async (user) =>
      (await api<{ trigger_id: string }>('views.generateTriggerId', { user_id: user })).trigger_id,
    api,
    socket,
    async stop() {
      socket.drop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await emulator.close();
    },
  };
  return workspace;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = Number((await listen(server)).split(':')[1]);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function formOf(raw: string): Record<string, unknown> {
  const parse = (value: string) => {
    try {
      return /^[[{]/.test(value) ? (JSON.parse(value) as unknown) : value;
    } catch {
      return value;
    }
  };
  return Object.fromEntries([...new URLSearchParams(raw)].map(([key, value]) => [key, parse(value)]));
}

/** As little of RFC 6455 as a JSON conversation needs: text frames below 64 KiB, close, and pongs. */
class FakeSocketServer implements FakeSocket {
  readonly heard: Record<string, unknown>[] = [];
  refusal: string | null = null;
  #stream: Socket | null = null;
  #connections = 0;

  connections(): number {
    return this.#connections;
  }

  accept(request: IncomingMessage, stream: Socket): void {
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    stream.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    this.#stream = stream;
    this.#connections += 1;
    let rest = Buffer.alloc(0);
    stream.on('error', () => {});
    stream.on('data', (data) => {
      rest = Buffer.concat([rest, data]);
      for (let used = this.#read(rest, stream); used > 0; used = this.#read(rest, stream)) rest = rest.subarray(used);
    });
    this.send({ type: 'hello' });
  }

  /** Gives how many bytes the first frame takes, or 0 while it is not whole. */
  #read(data: Buffer, stream: Socket): number {
    if (data.length < 2) return 0;
    const [first = 0, second = 0] = data;
    const short = second & 0x7f;
    const head = short === 126 ? 8 : 6;
    if (data.length < head) return 0;
    const length = short === 126 ? data.readUInt16BE(2) : short;
    if (data.length < head + length) return 0;
    const mask = data.subarray(head - 4, head);
    const payload = Buffer.from(data.subarray(head, head + length).map((byte, at) => byte ^ (mask[at % 4] ?? 0)));
    const opcode = first & 0x0f;
    if (opcode === 1) this.heard.push(JSON.parse(payload.toString()) as Record<string, unknown>);
    if (opcode === 9) stream.write(frame(0x8a, payload));
    if (opcode === 8) stream.end(frame(0x88, payload));
    return head + length;
  }

  send(message: object): void {
    this.#stream?.write(frame(0x81, Buffer.from(JSON.stringify(message))));
  }

  drop(): void {
    this.#stream?.destroy();
    this.#stream = null;
  }
}

function frame(first: number, payload: Buffer): Buffer {
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 4 : 2);
  head[0] = first;
  head[1] = long ? 126 : payload.length;
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

/** How a request is signed; everything that Slack would never do is a change to this. */
export interface Signing {
  readonly at?: Date;
  readonly secret?: string;
  readonly timestamp?: string;
  readonly signature?: string;
  /** Sent in place of what was signed. */
  readonly body?: string;
  readonly contentType?: string;
}

/** A thousand connections at once are more than a listening socket's backlog. */
const agent = new Agent({ connections: 200 });

/** Sends a body to a receiver as Slack would, by https://docs.slack.dev/authentication/verifying-requests-from-slack */
export async function sendSigned(
  url: string,
  body: string,
  signing: Signing = {},
): Promise<{ status: number; text: string; headers: Record<string, string> }> {
  const { at = new Date(), secret = SECRET } = signing;
  const timestamp = signing.timestamp ?? String(Math.floor(at.getTime() / 1000));
  const signature =
    signing.signature ?? `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
  const headers = {
    'content-type':
      signing.contentType ?? (body.startsWith('{') ? 'application/json' : 'application/x-www-form-urlencoded'),
    ...(timestamp === '' ? {} : { 'x-slack-request-timestamp': timestamp }),
    ...(signature === '' ? {} : { 'x-slack-signature': signature }),
  };
  const response = await fetchWith(`${url}/slack/events`, {
    method: 'POST',
    headers,
    body: signing.body ?? body,
    dispatcher: agent,
  });
  return { status: response.status, text: await response.text(), headers };
}

/** Writes an interaction as Slack sends it. */
export function interaction(payload: object): string {
  return `payload=${encodeURIComponent(JSON.stringify(payload))}`;
}
