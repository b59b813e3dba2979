import type { Request, Response, Router } from 'express';
import type { Principal } from '../identity/index.ts';
import type { Once } from './idempotency.ts';
import type { Operation } from './operation.ts';
import { admit, read, refuseUnlessJson } from './request.ts';

/** What a handler is asked, read by the schemas of its operation. */
export interface Asked<P, Q, B> {
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  /** Who asks; nobody where the operation takes nobody. */
  readonly by: Principal;
  readonly request: Request;
  readonly response: Response;
}

/**
 * Adds the route of an operation: who asks is let in by its role and scope, what they ask is read by its schemas, and what the handler gives is
 * the answer. A handler that has answered by itself gives nothing. `response.locals.once` keeps answers for repeats.
 */
export function serve<P, Q, B>(
  router: Router,
  operation: Operation<P, Q, B>,
  handle: (asked: Asked<P, Q, B>) => Promise<unknown>,
): void {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, ':$1');
  router[operation.method](path, async (request, response) => {
    const by = admit(response, operation);
    const params = read(operation.params, request.params);
    const query = read(operation.query, request.query, operation.fixes);
    if (operation.body) refuseUnlessJson(request);
    const body = operation.body ? read(operation.body, request.body, operation.fixes) : (undefined as B);
    const run = () => handle({ params, query, body, by, request, response });
    const once = response.locals.once as Once | undefined;
    const answer = operation.repeat === 'keyed' && once ? await once(request, response, run) : await run();
    if (!response.headersSent) send(request, response, operation, answer);
  });
}

function send(request: Request, response: Response, operation: Operation, answer: unknown): void {
  const { status, type } = operation.answer;
  response.status(status);
  if (status === 204) return void response.end();
  if (type !== 'application/json') return void response.type(type).send(answer);
  const next = (answer as { next?: string | number | null } | null)?.next ?? null;
  if (operation.cursor !== null && next !== null)
    response.links({ next: urlOfNext(request.originalUrl, operation.cursor, String(next)) });
  response.json(answer);
}

/** Gives where the page after this one is, on this server. */
function urlOfNext(url: string, cursor: string, next: string): string {
  const [path = '', query = ''] = url.split('?');
  const given = new URLSearchParams(query);
  given.set(cursor, next);
  return `${path}?${given}`;
}
