import { sql } from 'kysely';
import type { JudgeConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { SendFailed, sendRequest } from '../notify/index.ts';
import { type Logger, redact } from '../telemetry/index.ts';

const ATTEMPTS_MAX = 8;
const RETRY_SECONDS = 30;
const WAIT_SECONDS_MAX = 3600;

/** What sends scores to a Langfuse server, one incident at a time. */
export interface Langfuse {
  /** Sends the scores of one incident that are due; tells whether there were any. Its failures are kept in the row and thrown at nobody. */
  sendNext(): Promise<boolean>;
}

/**
 * Makes the sender of scores to Langfuse (POST /api/public/scores with Basic authentication), each under an id of its own, so that one
 * sent twice is one. A server that does not answer is asked up to eight times, with growing rests; one that refuses is not asked again.
 */
export function createLangfuse({
  db,
  config: { baseUrl, publicKey, secretKey },
  log,
}: {
  db: Database;
  config: NonNullable<JudgeConfig['langfuse']>;
  log: Logger;
}): Langfuse {
  const url = `${baseUrl.replace(/\/+$/, '')}/api/public/scores`;
  const authorization = `Basic ${Buffer.from(`${publicKey}:${secretKey}`).toString('base64')}`;
  return {
    async sendNext() {
      const row = await claim(db);
      if (row === null) return false;
      try {
        for (const name of ['cause', 'grounded', 'outcome'] as const) {
          const comment = `${row.model}: ${row.reason.split('\n').find((line) => line.startsWith(`${name}: `)) ?? ''}`;
          const id = `nightshift-${row.trace_id}-${row.cycle}-${name}`;
          const score = {
            id,
            traceId: row.trace_id,
            name: `nightshift.${name}`,
            value: row[name],
            dataType: 'NUMERIC',
            comment,
          };
          await sendRequest(url, { method: 'POST', headers: { authorization }, body: score });
        }
        await settle(db, row, { sent_at: new Date(), send_due_at: null, send_problem: null });
      } catch (error) {
        const problem = redact(messageOf(error), 500);
        const isOver = row.send_attempts >= ATTEMPTS_MAX || (error instanceof SendFailed && error.refused);
        const asked = error instanceof SendFailed ? (error.waitSeconds ?? 0) : 0;
        const seconds = Math.min(WAIT_SECONDS_MAX, Math.max(asked, RETRY_SECONDS * 2 ** (row.send_attempts - 1)));
        await settle(db, row, {
          send_due_at: isOver ? null : new Date(Date.now() + seconds * 1000),
          send_problem: problem,
        });
        log.warn({ error: problem, again: !isOver }, 'Langfuse did not take the scores of an incident');
      }
      return true;
    },
  };
}

interface ToSend {
  readonly incident_id: number;
  readonly cycle: number;
  readonly model: string;
  readonly cause: number;
  readonly grounded: number;
  readonly outcome: number;
  readonly reason: string;
  readonly trace_id: string;
  readonly send_attempts: number;
}

/** Pushed forward before it is sent, so that nobody else sends it meanwhile, and somebody does if this process ends. */
async function claim(db: Database): Promise<ToSend | null> {
  const { rows } = await sql<ToSend>`
    update model_score as s
    set send_attempts = s.send_attempts + 1, send_due_at = clock_timestamp() + interval '120 seconds'
    from incident i
    where i.id = s.incident_id and (s.incident_id, s.cycle) in (
      select incident_id, cycle from model_score where send_due_at <= clock_timestamp()
      order by send_due_at limit 1 for update skip locked)
    returning s.incident_id::integer as incident_id, s.cycle, s.model, s.cause, s.grounded, s.outcome, s.reason, i.trace_id, s.send_attempts`.execute(
    db.q,
  );
  return rows[0] ?? null;
}

async function settle(
  db: Database,
  { incident_id, cycle }: ToSend,
  change: { sent_at?: Date; send_due_at: Date | null; send_problem: string | null },
): Promise<void> {
  await db.q
    .updateTable('model_score')
    .set(change)
    .where('incident_id', '=', incident_id)
    .where('cycle', '=', cycle)
    .execute();
}
