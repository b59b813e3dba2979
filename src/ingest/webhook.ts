import { createHash, timingSafeEqual } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { acceptDelivery, recordDelivery, type Wake } from './accept.ts';
import { type ParsedDelivery, parseAlertmanager } from './alertmanager.ts';

const BODY_MAX = 4 * 1024 * 1024;

export interface WebhookDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'correlation'>;
  readonly token: string;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly wake: Wake;
  /** Called after the commit, so that work starts at once. */
  readonly onCommitted: () => void;
}

/**
 * Makes the routes under /webhooks. A 2xx means that the alerts are committed; what is not the sender's fault is a 5xx,
 * because Alertmanager retries those and drops a notification on any 4xx.
 */
export function createWebhooks({ db, config, token, metrics, log, wake, onCommitted }: WebhookDependencies): Router {
  const router = Router();
  const authenticate = (request: Request, _response: Response, next: () => void) => {
    if (bearerMatches(request.headers.authorization, token)) return next();
    metrics.webhooks.inc({ source: 'alertmanager', outcome: 'unauthorized' });
    const given =
      request.headers.authorization === undefined ? 'no Authorization header' : 'a token that is not the webhook token';
    const fix =
      "set http_config.authorization.credentials_file in Alertmanager to the webhook.token file of Nightshift's data directory";
    throw new NightshiftError('unauthorized', `Authorization: ${given}. Fix: ${fix}`, {
      problems: [{ field: 'Authorization', message: given, fix }],
    });
  };
  const read = express.raw({ type: () => true, limit: BODY_MAX });
  router.post('/alertmanager', authenticate, read, async (request, response) => {
    const body = Buffer.isBuffer(request.body) ? request.body.toString('utf8') : '';
    const parsed = await parseOrKeep(body);
    const refused = parsed.problems.length > 0;
    const delivery = { source: 'alertmanager', sender: 'webhook.token', body, ...parsed };
    const accepted = await acceptDelivery(db, delivery, config, wake);
    onCommitted();
    for (const { status, source } of parsed.alerts) metrics.alerts.inc({ source, status });
    metrics.webhooks.inc({ source: 'alertmanager', outcome: refused ? 'refused' : 'accepted' });
    log[refused ? 'warn' : 'info'](
      { alerts: parsed.alerts.length, ...accepted, problems: parsed.problems },
      refused ? 'delivery refused in part' : 'delivery committed',
    );
    if (refused) {
      const kept = `${parsed.alerts.length} of its alerts are committed, and the first 64 KiB of the body are kept`;
      throw new NightshiftError('invalid_payload', `some alerts of this delivery cannot be used; ${kept}`, {
        problems: parsed.problems,
      });
    }
    response
      .status(202)
      .json({ alerts: parsed.alerts.length, incidents: accepted.touched.map(Number), repeated: accepted.repeated });
  });
  return router;

  /** An authenticated body that cannot be read is kept before it is refused: its sender will not send it again. */
  async function parseOrKeep(body: string): Promise<ParsedDelivery> {
    try {
      return parseAlertmanager(body);
    } catch (error) {
      if (error instanceof NightshiftError) {
        await db.transaction(() =>
          recordDelivery(db, {
            source: 'alertmanager',
            sender: 'webhook.token',
            body,
            alerts: [],
            problems: error.problems,
          }),
        );
        metrics.webhooks.inc({ source: 'alertmanager', outcome: 'refused' });
        log.warn({ problems: error.problems }, 'delivery refused');
      }
      throw error;
    }
  }
}

/** Compares a bearer token in constant time, whatever the two lengths. */
export function bearerMatches(header: string | undefined, token: string): boolean {
  const given = /^Bearer ([^\s]+)$/i.exec(header ?? '')?.[1];
  if (given === undefined || token === '') return false;
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}
