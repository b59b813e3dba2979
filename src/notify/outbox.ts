import { sql } from 'kysely';
import { fetch } from 'undici';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { incidentName } from '../incident/index.ts';
import { type Logger, type Metrics, redact, redactValue } from '../telemetry/index.ts';

const LOOK_MS = 1000;
const BATCH = 20;
const TIMEOUT_MS = 5000;
const RETRY_SECONDS_MAX = 300;
/** Longer than a whole batch can take. */
const CLAIM_SECONDS = (BATCH * TIMEOUT_MS) / 1000 + 20;

export interface Outbox {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Makes the sender of messages to people. Each was committed with the step that gave rise to it; it is logged, and posted as JSON
 * to the escalation webhook where one is set, again and again with a growing delay until that answers 2xx: at least once.
 */
export function createOutbox({
  db,
  webhook,
  metrics,
  log,
}: {
  db: Database;
  webhook: string | undefined;
  metrics: Metrics;
  log: Logger;
}): Outbox {
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;

  async function sendDue(): Promise<void> {
    // Claimed before sending, so that a replica does not send the same; a crash leaves it due again after the claim.
    const due = await db.q
      .updateTable('outbox')
      .set({
        attempts: sql<number>`attempts + 1`,
        due_at: sql<Date>`clock_timestamp() + ${CLAIM_SECONDS} * interval '1 second'`,
      })
      .where(
        'id',
        'in',
        sql<number>`(select id from outbox where sent_at is null and due_at <= clock_timestamp() order by id limit ${BATCH} for update skip locked)`,
      )
      .returningAll()
      .execute();
    for (const row of due.sort((a, b) => a.id - b.id)) {
      const incident = incidentName(row.incident_id);
      const { text } = row.message as { text: string };
      if (row.attempts === 1)
        log[row.kind === 'resolved' ? 'info' : 'warn']({ incident, kind: row.kind, text }, 'message to people');
      try {
        if (webhook !== undefined)
          await post(webhook, { id: row.id, incident, kind: row.kind, text, at: row.created_at });
        await db.q.updateTable('outbox').set({ sent_at: new Date() }).where('id', '=', row.id).execute();
        metrics.notifications.inc({ outcome: webhook === undefined ? 'logged' : 'sent' });
      } catch (error) {
        metrics.notifications.inc({ outcome: 'failed' });
        log.error(
          { incident, attempts: row.attempts, error: messageOf(error) },
          'the escalation webhook did not take a message',
        );
        await db.q
          .updateTable('outbox')
          .set({
            last_error: redact(messageOf(error)),
            due_at: new Date(Date.now() + Math.min(2 ** (row.attempts - 1) * 5, RETRY_SECONDS_MAX) * 1000),
          })
          .where('id', '=', row.id)
          .execute();
      }
    }
  }

  return {
    start() {
      timer = setInterval(() => {
        sending ??= sendDue()
          .catch((error: unknown) => log.error({ error: messageOf(error) }, 'cannot read the outbox'))
          .finally(() => {
            sending = undefined;
          });
      }, LOOK_MS);
    },
    async stop() {
      clearInterval(timer);
      await sending;
    },
  };
}

async function post(url: string, body: unknown): Promise<void> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(redactValue(body)),
    redirect: 'error',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
}
