import express, { type NextFunction, type Request, type RequestHandler, type Response, Router } from 'express';

/** Where Slack sends everything: events, interactions and commands. */
export const EVENTS_PATH = '/slack/events';

const AGE_SECONDS_MAX = 300;
const BODY_BYTES_MAX = 1024 * 1024;
const TIMESTAMP = /^[0-9]{1,12}$/;
const SIGNATURE = /^v0=[0-9a-f]{64}$/;

/**
 * Tells why a request cannot be Slack's, by its headers alone, or gives null: Bolt refuses old timestamps but takes future ones, reads
 * `1e9` as a timestamp, and ignores what follows a second `=` in a signature, which would let one signature pass for many.
 * @see https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export function whyRefused(
  { timestamp, signature }: { timestamp: string | undefined; signature: string | undefined },
  now: Date,
): string | null {
  if (signature === undefined || !SIGNATURE.test(signature)) return 'no signature of version v0';
  if (timestamp === undefined || !TIMESTAMP.test(timestamp)) return 'no timestamp in whole seconds';
  const apart = Math.abs(now.getTime() / 1000 - Number(timestamp));
  return apart > AGE_SECONDS_MAX ? `a timestamp that is more than ${AGE_SECONDS_MAX} s away from now` : null;
}

/**
 * Makes what stands before Bolt's own check of the signature. It reads the raw body, and decides by it whether it is JSON or a form:
 * the content type is not signed, and a signed event read as a form could pass for an interaction.
 */
export function createGuard(now: () => Date, onRefused: () => void): Router {
  const router = Router();
  const check: RequestHandler = (request, response, next) => {
    const { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': signature } = request.headers;
    response.once('finish', () => {
      if (response.statusCode === 401) onRefused();
    });
    if (whyRefused({ timestamp: single(timestamp), signature: single(signature) }, now()) === null) next();
    else response.status(401).end();
  };
  const body = express.raw({ type: () => true, limit: BODY_BYTES_MAX, inflate: false });
  router.post(EVENTS_PATH, check, body, settleType);
  return router;
}

function single(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}

function settleType(request: Request & { rawBody?: Buffer }, response: Response, next: NextFunction): void {
  if (!Buffer.isBuffer(request.body)) {
    response.status(401).end();
    return;
  }
  // Bolt takes the body from here and verifies the signature over it.
  request.rawBody = request.body;
  const isJson = request.body[0] === '{'.charCodeAt(0);
  request.headers['content-type'] = isJson ? 'application/json' : 'application/x-www-form-urlencoded';
  next();
}
