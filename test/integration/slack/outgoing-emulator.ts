/**
 * Slack for tests: an emulator that others wrote, behind a proxy that records every call, can lose requests and answers, and, as
 * Slack does, shows metadata only to those who ask for it.
 */
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createEmulator } from 'emulate';

/** The emulator's own channel. */
export const CHANNEL = 'C000000001';
/** In two parts, so that nothing takes it for a real one. */
export const BOT_TOKEN = ['xoxb', 'outgoing-test'].join('-');

export interface SlackCall {
  readonly method: string;
  readonly at: number;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface SlackMessage {
  readonly ts: string;
  readonly thread_ts?: string;
  readonly text: string;
  readonly blocks: readonly { type: string }[];
  readonly metadata: { event_type: string; event_payload: { outbox: number; installation: string; content: string } };
  readonly reply_broadcast?: boolean;
  readonly unfurl_links?: boolean;
  readonly unfurl_media?: boolean;
  readonly mrkdwn?: boolean;
  readonly parse?: string;
}

/**
 * What becomes of a call: `pass` it on; `lose` it; pass it on and `lose the answer`, or answer 500 instead (`fail after`); or the
 * answer given here.
 */
export type Fate =
  | 'pass'
  | 'lose'
  | 'lose the answer'
  | 'fail after'
  | { status: number; headers?: Record<string, string>; body?: object };

export interface SlackStage {
  readonly apiUrl: string;
  readonly calls: SlackCall[];
  /** Asked about each call. */
  fate: (call: SlackCall) => Fate;
  /** How many messages a page of the channel's history holds. */
  pageSize: number;
  /** All messages that are in the channel and its threads now, oldest first. */
  messages(): Promise<SlackMessage[]>;
  /** Posts as somebody else would, past the proxy. */
  post(body: object): Promise<{ ts: string }>;
  remove(ts: string): Promise<void>;
  /** Nobody answers on the port any more, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the emulator and the proxy on free loopback ports. */
export async function startSlack(): Promise<SlackStage> {
  const emulator = await createEmulator({
    service: 'slack',
    port: 0,
    seed: { slack: { tokens: [{ token: BOT_TOKEN, user: 'admin' }] } },
  });
  const forward = async (method: string, headers: IncomingHttpHeaders, body: string) => {
    const response = await fetch(`${emulator.url}/api/${method}`, {
      method: 'POST',
      headers: {
        authorization: headers.authorization ?? '',
        'content-type': headers['content-type'] ?? 'application/x-www-form-urlencoded',
      },
      body,
    });
    return (await response.json()) as Record<string, unknown> & { messages?: Record<string, unknown>[] };
  };
  const own = async (method: string, body: object) => {
    const answer = await forward(
      method,
      { authorization: `Bearer ${BOT_TOKEN}`, 'content-type': 'application/json' },
      JSON.stringify(body),
    );
    if (answer.ok !== true) throw new Error(`${method}: ${JSON.stringify(answer)}`);
    return answer;
  };

  async function answer(call: SlackCall, headers: IncomingHttpHeaders, response: ServerResponse): Promise<void> {
    const fate = stage.fate(call);
    if (fate === 'lose') return void response.destroy();
    if (typeof fate === 'object') {
      response.writeHead(fate.status, { 'content-type': 'application/json', ...fate.headers });
      return void response.end(JSON.stringify(fate.body ?? {}));
    }
    const parameters = new URLSearchParams({ ...call.parameters });
    if (call.method === 'conversations.history') parameters.set('limit', String(stage.pageSize));
    const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' };
    const said = await forward(call.method, form, parameters.toString());
    if (fate === 'lose the answer') return void response.destroy();
    if (fate === 'fail after') return void response.writeHead(500).end('oops');
    if (call.parameters.include_all_metadata !== 'true')
      for (const message of said.messages ?? []) delete message.metadata;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  }

  const listen = (port: number) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer((request, response) => {
        const answered = text(request).then((body) => {
          const method = (request.url ?? '').replace('/api/', '');
          const call = { method, at: Date.now(), parameters: Object.fromEntries(new URLSearchParams(body)) };
          stage.calls.push(call);
          return answer(call, request.headers, response);
        });
        // Cut by its sender, or by the end of the test.
        answered.catch(() => response.destroy());
      });
      server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server));
    });
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;

  const stage: SlackStage = {
    apiUrl: `http://127.0.0.1:${port}/api/`,
    calls: [],
    fate: () => 'pass',
    pageSize: 200,
    async messages() {
      const { messages: roots = [] } = await own('conversations.history', { channel: CHANNEL, limit: 1000 });
      const threads = await Promise.all(
        roots.map(({ ts }) => own('conversations.replies', { channel: CHANNEL, ts, limit: 1000 })),
      );
      const all = threads.flatMap(({ messages = [] }) => messages) as unknown as SlackMessage[];
      return all.sort((a, b) => (a.ts < b.ts ? -1 : 1));
    },
    post: async (body) => (await own('chat.postMessage', { channel: CHANNEL, ...body })) as unknown as { ts: string },
    async remove(ts) {
      await own('chat.delete', { channel: CHANNEL, ts });
    },
    down: close,
    async up() {
      server = await listen(port);
    },
    async stop() {
      await close();
      await emulator.close();
    },
  };
  return stage;
}
