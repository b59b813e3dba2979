import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Sources } from '../config/index.ts';
import { databaseTrouble } from '../database/index.ts';
import { NightshiftError, problemDocument } from '../errors.ts';
import { type Logger, type Metrics, redactValue } from '../telemetry/index.ts';
import type { Proof, Refusal, WebhookToken } from './authenticate.ts';
import { createDoors, type Door } from './doors.ts';
import type { Intake } from './intake.ts';
import type { Mappings } from './mapping.ts';
import type { ParsedDelivery } from './read-alerts.ts';
import { createRoom, type Room, readBody } from './read-body.ts';
import { decodeBody } from './read-json.ts';

const ROOT = '/webhooks';
/** Of a delivery, for the metrics. */
const OUTCOMES = ['accepted', 'refused', 'unauthorized', 'failed'] as const;
const MIB = 1024 * 1024;
/** Room for bodies whose sender is known, and at each door for those whose sender only the body proves: strangers fill only the latter. */
const PROVEN_BYTES_MAX = 64 * MIB;
const UNPROVEN_BYTES_MAX = 16 * MIB;
/** Whoever has proven nothing yet holds room for this long at most. */
const UNPROVEN_MS_MAX = 4000;
/** How long the rest of a refused body is read, so that its sender gets the answer and no broken connection. */
const LINGER_MS = 2000;
/** Of deliveries that found no room, one line in the log for so long. */
const SAY_BUSY_MS = 60_000;

export interface WebhookDependencies {
  readonly sources: Sources;
  readonly mappings: Mappings;
  /** Content of the webhook.token file, or what knows those of all replicas. */
  readonly token: WebhookToken;
  readonly intake: Intake;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock?: () => Date;
}

/** Answers a request to a path under /webhooks and gives true, or gives false and leaves the request alone. */
export type WebhookHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/**
 * Makes the doors under /webhooks. A 2xx means that the alerts are committed; what is not the sender's fault is a 5xx, because senders
 * retry those and drop a notification on any 4xx. It is a handler of node:http, because express takes more than half of the throughput.
 */
export function createWebhooks(dependencies: WebhookDependencies): WebhookHandler {
  const { sources, mappings, token, metrics, log } = dependencies;
  const doors = createDoors(sources, mappings, token);
  const take = createTake(dependencies);
  for (const source of doors.keys()) for (const outcome of OUTCOMES) metrics.webhooks.inc({ source, outcome }, 0);
  const busy = { saidAt: Number.NEGATIVE_INFINITY, unsaid: 0 };

  /** A log that grows with what is too much would be too much itself. */
  const sayBusy = ({ code, message }: NightshiftError, path: string) => {
    busy.unsaid += 1;
    if (performance.now() - busy.saidAt < SAY_BUSY_MS) return;
    log.error({ code, path, error: message, deliveries: busy.unsaid }, 'deliveries refused');
    busy.saidAt = performance.now();
    busy.unsaid = 0;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse, path: string) => {
    let name = '';
    const givenUp = new AbortController();
    response.once('close', () => givenUp.abort());
    try {
      const door = doorAt(doors, path);
      name = door.name;
      if (request.method !== 'POST') throw notAllowed(request.method);
      send(response, 202, 'application/json', await inTime(door, take(door, request, givenUp.signal)));
    } catch (error) {
      givenUp.abort();
      const known = knownError(error);
      if (known.code === 'busy') sayBusy(known, path);
      else if (known.status >= 500) log.error({ error, code: known.code, path }, 'request failed');
      if (name !== '') metrics.webhooks.inc({ source: name, outcome: outcomeOf(known) });
      refuse(request, response, known);
    }
  };

  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path !== ROOT && !path.startsWith(`${ROOT}/`)) return false;
    void answer(request, response, path);
    return true;
  };
}

/** Takes one delivery: proves who sent it, reads it, commits it, and gives the answer. Also records what it refuses once it is proven. */
function createTake({ intake, metrics, log, clock = () => new Date() }: WebhookDependencies) {
  const proven = createRoom(PROVEN_BYTES_MAX);
  const unproven = new Map<string, Room>();
  const unprovenAt = (door: string) => {
    const room = unproven.get(door) ?? createRoom(UNPROVEN_BYTES_MAX);
    unproven.set(door, room);
    return room;
  };

  const commit = async (
    door: Door,
    proof: Proof,
    body: string,
    { parsed, givenUp }: { readonly parsed: ParsedDelivery; readonly givenUp?: AbortSignal },
  ) => {
    const eventId = parsed.eventId ?? proof.signature;
    const { occurredAt, groupKey } = parsed;
    const delivery = {
      source: door.name,
      sender: proof.sender,
      body,
      alerts: parsed.alerts,
      problems: parsed.problems,
      ...(groupKey === undefined ? {} : { groupKey }),
      ...(eventId === undefined ? {} : { eventId }),
      ...(occurredAt === undefined ? {} : { occurredAt }),
    };
    const accepted = await intake.accept(delivery, door.isRepeated ? givenUp : undefined);
    for (const { status, source } of parsed.alerts) metrics.alerts.inc({ source, status });
    return accepted;
  };

  /** An authenticated delivery that cannot be read is kept before it is refused: its sender will not send it again. */
  const keep = async (door: Door, proof: Proof, body: string, error: unknown): Promise<never> => {
    if (error instanceof NightshiftError && error.status < 500 && error.problems.length > 0) {
      await commit(door, proof, body, { parsed: { alerts: [], problems: error.problems } });
      log.warn({ source: door.name, problems: error.problems }, 'delivery refused');
    }
    throw error;
  };

  return async (door: Door, request: IncomingMessage, givenUp: AbortSignal): Promise<object> => {
    const now = clock();
    const { headers } = request;
    const first = door.authenticator.byHeaders({ headers, peer: request.socket.remoteAddress }, now);
    const early = typeof first === 'function' ? null : trusted(first, door);
    const limits = early
      ? { bytesMax: door.bodyBytesMax, room: proven, withinMs: door.answerMsMax }
      : { bytesMax: door.bodyBytesMax, room: unprovenAt(door.name), withinMs: UNPROVEN_MS_MAX };
    const held = await readBody(request, limits).catch((error) => {
      if (!early) throw error;
      return keep(door, early, '', error);
    });
    try {
      const proof = typeof first === 'function' ? trusted(first(held.bytes), door) : trusted(first, door);
      const read = async () => {
        refuseEncoding(headers['content-encoding']);
        const body = decodeBody(held.bytes);
        return { body, parsed: await door.read(body, now) };
      };
      const { body, parsed } = await read().catch((error) => keep(door, proof, held.bytes.toString('utf8'), error));
      const accepted = await commit(door, proof, body, { parsed, givenUp });
      return report(door, parsed, accepted);
    } finally {
      held.done();
    }
  };

  function report(
    door: Door,
    { alerts, problems, notes = [] }: ParsedDelivery,
    accepted: Awaited<ReturnType<Intake['accept']>>,
  ) {
    const story = { source: door.name, alerts: alerts.length, ...accepted, problems, notes };
    if (problems.length > 0) {
      log.warn(story, 'delivery refused in part');
      const kept = `${alerts.length} of its alerts are committed, and the first 64 KiB of the body are kept`;
      throw new NightshiftError('invalid_payload', `some alerts of this delivery cannot be used; ${kept}`, {
        problems,
      });
    }
    // In a storm almost everything is a repeat.
    log[accepted.touched.length > 0 || notes.length > 0 ? 'info' : 'debug'](story, 'delivery committed');
    metrics.webhooks.inc({ source: door.name, outcome: 'accepted' });
    const incidents = accepted.touched.map(Number);
    return { alerts: alerts.length, incidents, repeated: accepted.repeated, ...(notes.length > 0 ? { notes } : {}) };
  }
}

function doorAt(doors: ReadonlyMap<string, Door>, path: string): Door {
  const door = doors.get(path.slice(ROOT.length + 1));
  if (door) return door;
  const known = [...doors.keys()].map((name) => `${ROOT}/${name}`).join(', ');
  const fix = `send to one of ${known}, or add the source to sources: in nightshift.yaml`;
  const message = 'there is no such door';
  throw new NightshiftError('not_found', `${message}. Fix: ${fix}`, { problems: [{ field: 'path', message, fix }] });
}

/** @throws NightshiftError `unauthorized` where it is a refusal. */
function trusted(claim: Proof | Refusal, door: Door): Proof {
  if ('sender' in claim) return claim;
  const { field, why } = claim;
  const { fix } = door.authenticator;
  throw new NightshiftError('unauthorized', `${field}: ${why}. Fix: ${fix}`, {
    problems: [{ field, message: why, fix }],
  });
}

/** A compressed body could unpack to any size, and no sender that is known compresses. */
function refuseEncoding(encoding: string | undefined): void {
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  const [message, fix] = ['is compressed', 'send plain UTF-8'];
  throw new NightshiftError('invalid_payload', `Content-Encoding: ${message}. Fix: ${fix}`, {
    problems: [{ field: 'Content-Encoding', value: encoding.slice(0, 40), message, fix }],
  });
}

function notAllowed(method: string | undefined): NightshiftError {
  const [message, fix] = [`${method} is not possible here`, 'send a POST with the alerts as its body'];
  return new NightshiftError('method_not_allowed', `${message}. Fix: ${fix}`, {
    problems: [{ field: 'method', message, fix }],
  });
}

/** @throws NightshiftError `busy` when it takes longer than the door's sender waits. */
async function inTime<T>(door: Door, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const words = `this took longer than ${door.answerMsMax / 1000} s and may not have been accepted; send it again`;
    late.reject(new NightshiftError('busy', words));
  }, door.answerMsMax);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function knownError(error: unknown): NightshiftError {
  if (error instanceof NightshiftError) return error;
  const words = 'Nightshift failed to answer this; its log has the details';
  return databaseTrouble(error) ?? new NightshiftError('internal', words, { cause: error });
}

function outcomeOf({ code, status }: NightshiftError): (typeof OUTCOMES)[number] {
  if (status >= 500) return 'failed';
  return code === 'unauthorized' ? 'unauthorized' : 'refused';
}

function refuse(request: IncomingMessage, response: ServerResponse, error: NightshiftError): void {
  if (response.destroyed || response.headersSent) return;
  if (error.status === 503) response.setHeader('retry-after', '5');
  if (error.status === 405) response.setHeader('allow', 'POST');
  if (error.status === 401) response.setHeader('www-authenticate', 'Bearer');
  send(response, error.status, 'application/problem+json', redactValue(problemDocument(error)));
  if (request.complete) return;
  const timer = setTimeout(() => request.destroy(), LINGER_MS);
  request.resume().once('close', () => clearTimeout(timer));
}

function send(response: ServerResponse, status: number, type: string, answer: unknown): void {
  const body = Buffer.from(JSON.stringify(answer));
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8`, 'content-length': body.length }).end(body);
}
