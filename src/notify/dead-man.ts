import { sql } from 'kysely';
import { type DeadManConfig, WATCHDOG } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { addEvents } from '../incident/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { startLoop } from './loop.ts';
import { sendRequest } from './request.ts';
import { tellPeople } from './store.ts';

const LOOK_MS = 1000;

export interface DeadMan {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Makes what watches over the alert that must keep coming. While it came within `withinSeconds`, a URL outside is asked every
 * `everySeconds`, so that somebody there pages when monitoring or Nightshift is dead; once it stops, that ends and people are told, once.
 */
export function createDeadMan({
  db,
  config,
  metrics,
  log,
}: {
  db: Database;
  config: DeadManConfig;
  metrics: Metrics;
  log: Logger;
}): DeadMan {
  const { url, method, everySeconds, withinSeconds } = config;
  let pingedAt = Number.NEGATIVE_INFINITY;
  let startedAt: Date | null = null;
  let loop: { stop(): Promise<void> } | undefined;

  async function look(): Promise<boolean> {
    if (startedAt === null) {
      await db.q
        .insertInto('heartbeat')
        .values({ name: WATCHDOG })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
      startedAt = await db.now();
    }
    const { last_seen_at: seenAt, told_at: toldAt } = await heartbeat();
    const now = await db.now();
    const alive = seenAt !== null && now.getTime() - seenAt.getTime() <= withinSeconds * 1000;
    if (alive) {
      if (toldAt !== null) await sayBack();
      if (performance.now() - pingedAt >= everySeconds * 1000) await ping();
      return false;
    }
    // What came while this process was not there to hear it is nobody's silence.
    const since = new Date(Math.max(seenAt?.getTime() ?? 0, startedAt.getTime()));
    if (now.getTime() - since.getTime() > withinSeconds * 1000) await sayGone();
    return false;
  }

  async function heartbeat() {
    return db.q
      .selectFrom('heartbeat')
      .select(['last_seen_at', 'told_at'])
      .where('name', '=', WATCHDOG)
      .executeTakeFirstOrThrow();
  }

  async function ping(): Promise<void> {
    pingedAt = performance.now();
    try {
      await sendRequest(url, { method });
      metrics.deadManPings.inc({ outcome: 'sent' });
    } catch (error) {
      metrics.deadManPings.inc({ outcome: 'failed' });
      log.error({ error: messageOf(error) }, 'the dead-man URL did not take a ping');
    }
  }

  async function sayGone(): Promise<void> {
    await db.transaction(async () => {
      const gone = await db.q
        .updateTable('heartbeat')
        .set({ told_at: sql<Date>`clock_timestamp()` })
        .where('name', '=', WATCHDOG)
        .where('told_at', 'is', null)
        // Heard of at this very moment is not gone.
        .where(
          sql<boolean>`coalesce(last_seen_at, '-infinity') < clock_timestamp() - ${withinSeconds} * interval '1 second'`,
        )
        .returning(['last_seen_at', 'watched_since'])
        .executeTakeFirst();
      if (!gone) return;
      const since = (gone.last_seen_at ?? gone.watched_since).toISOString();
      const never = gone.last_seen_at === null ? ' (none ever came)' : '';
      const text = `no Watchdog alert since ${since}${never}: what watches over everything else may be dead`;
      await tellPeople(db, { incidentId: null, kind: 'watchdog_gone', text });
      await addEvents(db, null, [{ type: 'watchdog.gone', actor: 'nightshift', data: { since, withinSeconds } }]);
    });
  }

  async function sayBack(): Promise<void> {
    await db.transaction(async () => {
      const { numUpdatedRows } = await db.q
        .updateTable('heartbeat')
        .set({ told_at: null })
        .where('name', '=', WATCHDOG)
        .where('told_at', 'is not', null)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await tellPeople(db, { incidentId: null, kind: 'watchdog_back', text: 'the Watchdog alert comes again' });
      await addEvents(db, null, [{ type: 'watchdog.back', actor: 'nightshift', data: {} }]);
    });
  }

  return {
    start() {
      loop ??= startLoop(look, LOOK_MS, (error) =>
        log.error({ error: messageOf(error) }, 'cannot look for the Watchdog'),
      );
    },
    async stop() {
      await loop?.stop();
    },
  };
}
