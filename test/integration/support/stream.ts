/** A client of the stream, as a browser is one: it parses server-sent events and remembers the last id. */
import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Sent {
  readonly event: string;
  readonly id: number | null;
  readonly data: Record<string, unknown>;
}

export interface StreamClient {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** All that was sent so far, without the beats. */
  readonly sent: readonly Sent[];
  /** The changes among it. */
  readonly changes: () => Sent[];
  /** Whether the server has ended it. */
  readonly ended: () => boolean;
  until(found: (sent: readonly Sent[]) => boolean, timeoutMs?: number): Promise<void>;
  /** Breaks the connection off. */
  close(): void;
}

/** Opens a stream and waits for the head of its answer. */
export async function openStream(
  url: string,
  { token, lastEventId }: { token: string; lastEventId?: number | string | undefined },
): Promise<StreamClient> {
  const sent: Sent[] = [];
  let ended = false;
  let rest = '';
  const headers = {
    authorization: `Bearer ${token}`,
    ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}/api/v1/stream`, { headers, agent: false }, resolve).once('error', reject);
  });
  response.setEncoding('utf8');
  response.on('data', (text: string) => {
    const parts = (rest + text).split('\n\n');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const fields = new Map(part.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]));
      const data = fields.get('data');
      if (data === undefined) continue;
      const id = fields.get('id');
      sent.push({ event: fields.get('event') ?? '', id: id === undefined ? null : Number(id), data: JSON.parse(data) });
    }
  });
  response.on('error', () => {});
  response.on('close', () => {
    ended = true;
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    sent,
    changes: () => sent.filter(({ event }) => event === 'change'),
    ended: () => ended,
    async until(found, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      while (!found(sent)) {
        if (Date.now() > deadline) throw new Error(`after ${sent.length} messages: ${JSON.stringify(sent.slice(-3))}`);
        await sleep(20);
      }
    },
    close: () => void response.destroy(),
  };
}
