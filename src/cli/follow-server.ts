import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { messageOf, NightshiftError } from '../errors.ts';
import { refused, unreachable } from './client.ts';

const AGAIN_MS = 1000;
/** The server sends a beat every 15 s; without one for so long nobody is there any more. */
const SILENCE_MS_MAX = 40_000;

/** Where the server is, and who asks. */
export interface Followed {
  readonly url: string;
  readonly token: string;
}

/**
 * Listens to the server's stream until `ended`, and connects again whenever it breaks off. Calls `onWord` one call after the other: first with the id of the
 * newest event, then with null whenever there may be more, also right after each reconnection.
 * @throws NightshiftError where the first connection fails, or in the server's own words where it refuses one.
 */
export async function followServer(
  { url, token }: Followed,
  {
    onWord,
    onLost,
    ended,
  }: {
    readonly onWord: (newest: number | null) => Promise<void>;
    /** Told once for each time that the connection is gone. */
    readonly onLost: (why: string) => void;
    readonly ended: AbortSignal;
  },
): Promise<void> {
  let isKnown = false;
  let isLost = false;
  while (!ended.aborted) {
    try {
      for await (const { event, data } of messagesOf({ url, token }, ended)) {
        isLost = false;
        await onWord(event === 'hello' && !isKnown ? (data as { last: number }).last : null);
        isKnown = true;
      }
    } catch (error) {
      if (ended.aborted) return;
      if (!isKnown || isRefusal(error)) throw error;
      if (!isLost) onLost(messageOf(error));
      isLost = true;
    }
    // A stream that ended in order is opened again as well: the server ends each after some time.
    await sleep(AGAIN_MS, undefined, { signal: ended }).catch(() => {});
  }
}

function isRefusal(error: unknown): boolean {
  return (error as NightshiftError).code === 'forbidden';
}

async function* messagesOf(
  { url, token }: Followed,
  ended: AbortSignal,
): AsyncGenerator<{ event: string; data: unknown }> {
  const silent = new AbortController();
  const end = () => silent.abort();
  ended.addEventListener('abort', end, { once: true });
  let timer = setTimeout(end, SILENCE_MS_MAX);
  try {
    const headers = { authorization: `Bearer ${token}`, 'x-nightshift-client': 'cli', accept: 'text/event-stream' };
    const response = await fetch(`${url}/api/v1/stream`, { headers, signal: silent.signal }).catch((cause: unknown) => {
      throw unreachable(url, cause);
    });
    // What is busy or starting may be there in a moment.
    if (!response.ok || !response.body) {
      const refusal = refused(url, response.status, await response.json().catch(() => null));
      throw response.status >= 500 ? refusal : new NightshiftError('forbidden', refusal.message);
    }
    let rest = '';
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS_MAX);
      const messages = (rest + part).split('\n\n');
      rest = messages.pop() ?? '';
      for (const message of messages) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(message)?.[1];
        const [event, data] = [field('event'), field('data')];
        if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
      }
    }
  } finally {
    clearTimeout(timer);
    ended.removeEventListener('abort', end);
  }
}
