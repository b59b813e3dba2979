import { once } from 'node:events';
import { type Request, type Response, Router } from 'express';
import { messageOf, NightshiftError } from '../errors.ts';
import { type Change, type Follower, incidentName } from '../incident/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { mayStill } from './authenticate.ts';
import { openStream } from './operations/installation.ts';
import { serve } from './serve.ts';

const BEAT_MS = 15_000;
/** How long a client may leave what it was sent unread. */
const UNREAD_MS_MAX = 10_000;
const STREAM_MS_MAX = 15 * 60_000;
const STREAMS_MAX = 200;
/** So that nobody can keep all others out. */
const STREAMS_OF_ONE_MAX = 50;

/**
 * Makes the route on which a client is told of every change as it happens, as server-sent events; what it has not heard of when its connection
 * ends it is told after the next one, by Last-Event-ID. A stream ends within 15 s of the end of the session or token that it was opened with, after 15 minutes, when its client leaves what it was sent unread for 10 s, and with the follower.
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function createStreamRoutes({ follower, log }: { follower: Follower; log: Pick<Logger, 'info'> }): Router {
  const router = Router();
  const streams = new Map<Response, string>();

  serve(router, openStream, async ({ by: { name }, request, response }) => {
    const own = [...streams.values()].filter((other) => other === name).length;
    if (streams.size >= STREAMS_MAX || own >= STREAMS_OF_ONE_MAX) {
      const whose =
        own >= STREAMS_OF_ONE_MAX ? `${own} streams are open for ${name}` : `${streams.size} streams are open`;
      throw new NightshiftError('busy', `${whose}, as many as may be. Fix: close pages that nobody looks at`);
    }
    streams.set(response, name);
    const over = new AbortController();
    const end = () => over.abort();
    const tooOld = setTimeout(end, STREAM_MS_MAX);
    follower.ended.addEventListener('abort', end);
    response.once('close', end);
    response.once('close', () => streams.delete(response));
    try {
      const { last, resumed, ...beginning } = await follower.begin(lastHeard(request));
      response.set({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        // A proxy that gathers what it passes on would hold up everything.
        'x-accel-buffering': 'no',
      });
      response.write(`retry: 1000\n${message('hello', { last, resumed })}`);
      await tell(response, beginning.after, { over: over.signal, end });
    } finally {
      clearTimeout(tooOld);
      follower.ended.removeEventListener('abort', end);
    }
  });

  return router;

  /** Tells of what follows an event until the stream is over. */
  async function tell(
    response: Response,
    after: number,
    { over, end }: { over: AbortSignal; end: () => void },
  ): Promise<void> {
    const beat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(': beat\n\n');
      // Where the database does not answer, nothing is told either.
      mayStill(response).then(
        (may) => may || end(),
        () => {},
      );
    }, BEAT_MS);
    let last = after;
    try {
      for (;;) {
        const changes = await follower.next(last, over);
        if (changes === null) break;
        last = changes.at(-1)?.id ?? last;
        if (!response.write(changes.map(show).join('')) && !(await isRead(response, over))) break;
      }
    } catch (error) {
      // Its client connects again, by when the database may be back.
      log.info({ error: messageOf(error) }, 'a stream was cut');
    } finally {
      clearInterval(beat);
      // What is left unread would keep it open.
      if (response.writableNeedDrain) response.destroy();
      else response.end();
    }
  }

  /** Waits until the client has read what it was sent; false where it does not, or where the stream is over. */
  async function isRead(response: Response, over: AbortSignal): Promise<boolean> {
    const late = setTimeout(() => {
      log.info({ person: streams.get(response) }, 'a stream was cut, because its client leaves it unread');
      response.destroy();
    }, UNREAD_MS_MAX);
    const drained = once(response, 'drain', { signal: over });
    const isDrained = await drained.then(
      () => true,
      () => false,
    );
    clearTimeout(late);
    return isDrained;
  }
}

/** Browsers send back what they heard last, other clients may send anything. */
function lastHeard({ headers }: Request): number | null {
  const id = headers['last-event-id'];
  return typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : null;
}

function show({ id, incidentId, type, at }: Change): string {
  const incident = incidentId === null ? null : incidentName(incidentId);
  return `id: ${id}\n${message('change', { id, incident, type, at })}`;
}

function message(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
