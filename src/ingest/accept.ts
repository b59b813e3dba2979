import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Alert, titleOf } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import type { Problem } from '../errors.ts';
import {
  addEvents,
  addSignal,
  correlationKey,
  describeKey,
  isClosed,
  keySha256,
  openIncident,
  type State,
} from '../incident/index.ts';

/** A firing sent again within this time of closing was under way already. */
const STALE_FIRING_MS = 60_000;
const SEEN_AGAIN = { received: sql<number>`received + 1`, last_seen_at: sql<Date>`clock_timestamp()` };
const KEPT_BODY_MAX = 64 * 1024;

export interface Delivery {
  readonly source: string;
  /** Whose credential it came with. */
  readonly sender: string;
  readonly body: string;
  readonly alerts: readonly Alert[];
  readonly problems: readonly Problem[];
}

/** Wakes an incident inside the current transaction: enqueues its job, or pulls it forward. */
export type Wake = (incidentId: number) => Promise<void>;

export interface Accepted {
  readonly opened: number[];
  /** Incidents to which something new was said, `opened` included. */
  readonly touched: number[];
  readonly repeated: number;
}

/**
 * Commits one delivery: its alerts, the incidents that they open or touch, the timeline and the wake-ups, in one transaction.
 * A repeat of a known alert is counted and changes nothing else, however often it is sent.
 */
export async function acceptDelivery(
  db: Database,
  delivery: Delivery,
  config: Pick<Config, 'correlation'>,
  wake: Wake,
): Promise<Accepted> {
  return db.transaction(async () => {
    await recordDelivery(db, delivery);
    const opened: number[] = [];
    const touched = new Set<number>();
    let repeated = 0;
    const byKey = Map.groupBy(delivery.alerts, (alert) => correlationKey(alert.labels, config.correlation.by));
    // Always in the same order, so that two deliveries cannot wait for each other's locks.
    for (const [key, alerts] of [...byKey].sort(([a], [b]) => (a < b ? -1 : 1))) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(db.q);
      for (const alert of alerts) {
        const result = await acceptAlert(db, alert, {
          key,
          sender: delivery.sender,
          reopenWithinSeconds: config.correlation.reopenWithinSeconds,
        });
        if (result === 'repeat') repeated += 1;
        else {
          if (result.opened) opened.push(result.incidentId);
          if (result.wake) touched.add(result.incidentId);
        }
        // The embedded database answers within the same turn of the event loop, so hundreds of alerts would hold up everything else.
        await setImmediate();
      }
    }
    for (const id of touched) await wake(id);
    return { opened, touched: [...touched], repeated };
  });
}

/** Writes down that a delivery came, and its body where part of it could not be used, so that nothing is lost unseen. */
export async function recordDelivery(db: Database, delivery: Delivery): Promise<void> {
  const refused = delivery.problems.length > 0;
  await db.q
    .insertInto('delivery')
    .values({
      source: delivery.source,
      sender: delivery.sender,
      body_sha256: createHash('sha256').update(delivery.body).digest('hex'),
      alerts: delivery.alerts.length,
      problems: json(delivery.problems),
      // Postgres text cannot hold NUL.
      body: refused ? delivery.body.slice(0, KEPT_BODY_MAX).replaceAll('\0', '\uFFFD') : null,
    })
    .execute();
  if (!refused) return;
  const data = {
    source: delivery.source,
    sender: delivery.sender,
    accepted: delivery.alerts.length,
    problems: delivery.problems,
  };
  await addEvents(db, null, [{ type: 'delivery.refused', actor: delivery.source, data }]);
}

interface Placement {
  readonly key: string;
  readonly sender: string;
  readonly reopenWithinSeconds: number;
}

type Placed = 'repeat' | { readonly incidentId: number; readonly opened: boolean; readonly wake: boolean };

async function acceptAlert(db: Database, alert: Alert, placement: Placement): Promise<Placed> {
  const known = await db.q
    .selectFrom('alert')
    .select(['id', 'status', 'incident_id', 'cycle'])
    .where('source', '=', alert.source)
    .where('fingerprint', '=', alert.fingerprint)
    .where('starts_at', '=', alert.startsAt)
    .forUpdate()
    .executeTakeFirst();
  if (known && known.status === alert.status && !(await isNews(db, alert, known))) {
    await db.q.updateTable('alert').set(SEEN_AGAIN).where('id', '=', known.id).execute();
    return 'repeat';
  }
  if (alert.status === 'resolved') return acceptResolved(db, alert, known, placement);
  const { incidentId, cycle, opened, reopens } = await findOrOpen(db, alert, placement);
  await storeAlert(db, alert, { incidentId, cycle, knownId: known?.id });
  const data = {
    fingerprint: alert.fingerprint,
    startsAt: alert.startsAt,
    labels: alert.labels,
    annotations: alert.annotations,
    sender: placement.sender,
  };
  await addEvents(db, incidentId, [{ type: 'alert.firing', actor: alert.source, data }]);
  if (reopens) await addSignal(db, incidentId, 'fired', alert.source);
  return { incidentId, opened, wake: true };
}

/**
 * Tells whether a firing alert that is known as firing says something new all the same: its incident closed on the word of
 * Prometheus or of a person and it fires on, or its incident was opened again without it.
 */
async function isNews(
  db: Database,
  alert: Alert,
  known: { incident_id: number | null; cycle: number },
): Promise<boolean> {
  if (alert.status !== 'firing' || known.incident_id === null) return false;
  const incident = await db.q
    .selectFrom('incident')
    .select(['state', 'cycle', 'closed_at'])
    .where('id', '=', known.incident_id)
    .executeTakeFirstOrThrow();
  if (!isClosed(incident.state as State)) return known.cycle !== incident.cycle;
  return incident.closed_at !== null && Date.now() - incident.closed_at.getTime() > STALE_FIRING_MS;
}

/** A resolved alert only ever concerns the firing one with the same fingerprint and start; it starts nothing by itself. */
async function acceptResolved(
  db: Database,
  alert: Alert,
  known: { id: number; incident_id: number | null } | undefined,
  placement: Placement,
): Promise<Placed> {
  if (!known) {
    await storeAlert(db, alert, { incidentId: null, cycle: 1 });
    return 'repeat';
  }
  // Labels and annotations stay those that it fired with.
  const ended = { status: alert.status, ends_at: alert.endsAt };
  await db.q
    .updateTable('alert')
    .set({ ...ended, ...SEEN_AGAIN })
    .where('id', '=', known.id)
    .execute();
  if (known.incident_id === null) return 'repeat';
  const data = { fingerprint: alert.fingerprint, startsAt: alert.startsAt, sender: placement.sender };
  await addEvents(db, known.incident_id, [{ type: 'alert.resolved', actor: alert.source, data }]);
  await addSignal(db, known.incident_id, 'resolved', alert.source);
  return { incidentId: known.incident_id, opened: false, wake: true };
}

async function storeAlert(
  db: Database,
  alert: Alert,
  place: { incidentId: number | null; cycle: number; knownId?: number | undefined },
): Promise<void> {
  const said = {
    status: alert.status,
    ends_at: alert.endsAt,
    incident_id: place.incidentId,
    cycle: place.cycle,
    labels: json(alert.labels),
    annotations: json(alert.annotations),
  };
  if (place.knownId !== undefined) {
    await db.q
      .updateTable('alert')
      .set({ ...said, ...SEEN_AGAIN })
      .where('id', '=', place.knownId)
      .execute();
    return;
  }
  const { source, fingerprint, generatorUrl, startsAt } = alert;
  await db.q
    .insertInto('alert')
    .values({ ...said, source, fingerprint, generator_url: generatorUrl, starts_at: startsAt })
    .execute();
}

async function findOrOpen(
  db: Database,
  alert: Alert,
  { key, reopenWithinSeconds }: Placement,
): Promise<{ incidentId: number; cycle: number; opened: boolean; reopens: boolean }> {
  const latest = await db.q
    .selectFrom('incident')
    .select(['id', 'state', 'cycle', 'closed_at'])
    .where('correlation_key', '=', keySha256(key))
    .orderBy('id', 'desc')
    .limit(1)
    // Held until the commit: an incident that closes at this moment must not close over an alert that it has not seen.
    .forUpdate()
    .executeTakeFirst();
  if (latest && !isClosed(latest.state as State)) {
    return { incidentId: latest.id, cycle: latest.cycle, opened: false, reopens: false };
  }
  if (latest?.state === 'resolved') {
    // Already told to open again counts as open, however long ago it closed.
    const told = await db.q
      .selectFrom('signal')
      .select('id')
      .where('incident_id', '=', latest.id)
      .where('kind', '=', 'fired')
      .executeTakeFirst();
    const recent = latest.closed_at !== null && Date.now() - latest.closed_at.getTime() <= reopenWithinSeconds * 1000;
    if (told || recent) return { incidentId: latest.id, cycle: latest.cycle + 1, opened: false, reopens: true };
  }
  const id = await openIncident(db, {
    state: 'received',
    correlationKey: keySha256(key),
    title: titleOf(alert),
    severity: alert.labels.severity ?? 'unknown',
    labels: alert.labels,
    context: { v: 1 },
    because: describeKey(key),
    actor: 'nightshift',
  });
  return { incidentId: id, cycle: 1, opened: true, reopens: false };
}
