import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { type Database, json } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/index.ts';

const LEARN_MS = 5000;
const DAY_SECONDS = 86_400;
/** The token of a replica that has not run for this long is not good any more. */
const GOOD_FOR_SECONDS = 30 * DAY_SECONDS;

/** The tokens that senders of alerts may come with: that of this replica's webhook.token, and those of the other replicas. */
export interface WebhookTokens {
  /** Tells whether it is the token of any replica; looking up its hash leaks nothing about it through time. */
  accepts(secret: string): boolean;
  /** Learns within 5 s what other replicas on a served Postgres add or replace. */
  start(): void;
  stop(): void;
}

/**
 * Makes this replica's webhook token known to all others, by its SHA-256 only: an alert comes in wherever the load balancer sends it, also
 * when the replica of whose file the sender has a copy is gone. A new secret of the same replica takes the place of its last one.
 */
export async function shareWebhookToken(
  db: Database,
  { secret, replica, log }: { readonly secret: string; readonly replica: string; readonly log: Logger },
): Promise<WebhookTokens> {
  const own = sha256(secret);
  let known: ReadonlySet<string> = new Set([own]);
  let timer: NodeJS.Timeout | undefined;

  const learn = async (): Promise<void> => {
    const seen = Math.floor((await db.now()).getTime() / 1000);
    // Nobody else can run on an embedded database, so what was there was this one's.
    const others =
      db.kind === 'embedded'
        ? sql`'{}'::jsonb`
        : sql`(select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(webhook_tokens)
            where (value ->> 'seen')::bigint > ${seen - GOOD_FOR_SECONDS})`;
    const { rows } = await sql<{ tokens: Record<string, { sha256: string; seen: number }> }>`
      select webhook_tokens as tokens from installation`.execute(db.q);
    const { [sha256(replica)]: before, ...rest } = rows[0]?.tokens ?? {};
    if (before?.sha256 !== own || before.seen < seen - DAY_SECONDS)
      await sql`update installation set webhook_tokens = ${others} || ${json({ [sha256(replica)]: { sha256: own, seen } })}`.execute(
        db.q,
      );
    const good = Object.values(rest).filter((one) => one.seen > seen - GOOD_FOR_SECONDS);
    known = new Set([own, ...(db.kind === 'embedded' ? [] : good.map((one) => one.sha256))]);
  };
  await learn();

  return {
    accepts: (given) => known.has(sha256(given)),
    start() {
      if (db.kind === 'embedded') return;
      timer = setInterval(() => {
        learn().catch((error: unknown) => log.warn({ error: messageOf(error) }, 'cannot learn the webhook tokens'));
      }, LEARN_MS);
    },
    stop: () => clearInterval(timer),
  };
}

function sha256(text: string): string {
  return hash('sha256', text);
}
