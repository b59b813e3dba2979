import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { type Alert, type Matcher, matchesLabels } from '../alert/index.ts';
import { type Config, WATCHDOG } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import { foldByCause, lockOpenings } from '../incident/index.ts';
import type { Accepted, Delivery, Said } from './delivery.ts';
import { type Settled, settleStarts } from './known-starts.ts';
import { findKnown, placeNews } from './place.ts';
import { reportRefusals } from './refusals.ts';

const KEPT_BODY_MAX = 64 * 1024;
const WATCHDOG_AGE_MS_MAX = 5 * 60_000;
/** A firing sent again within this time of closing was under way already. */
const STALE_FIRING_SECONDS = 60;

/** Wakes incidents inside the current transaction: enqueues their jobs, or pulls them forward. */
export type Wake = (incidentIds: readonly number[]) => Promise<void>;

export interface AcceptDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'correlation' | 'services'>;
  /** The alert that tells that the monitoring itself is alive: it is heard, and opens nothing. */
  readonly watchdog: { readonly matchers: readonly Matcher[]; readonly source: string | null } | null;
  readonly wake: Wake;
  readonly failpoint?: Failpoint;
}

/**
 * Commits deliveries in one transaction: their alerts, the incidents that they open or touch, what belongs under what, the timelines
 * and the wake-ups. A repeat of a known alert is counted and changes nothing else, however often it is sent.
 */
export async function acceptAll(
  deliveries: readonly Delivery[],
  dependencies: AcceptDependencies,
): Promise<Accepted[]> {
  const { db, config, watchdog, wake, failpoint = noFailpoint } = dependencies;
  const accepted = await db.transaction(async () => {
    const isNew = await recordDeliveries(db, deliveries);
    await reportRefusals(db, deliveries);
    const settled = await settleStarts(db, deliveries);
    const counts = deliveries.map(() => ({ opened: new Set<number>(), touched: new Set<number>(), repeated: 0 }));
    const repeats = (all: readonly Said[]) => {
      for (const { deliveries: by } of all)
        for (const index of by) (counts[index] as { repeated: number }).repeated += 1;
    };
    const rounds = roundsOf(settled, isNew, watchdog);
    if (rounds.watched) await hearWatchdog(db);
    for (const round of rounds.said) {
      const { repeated, news } = await countRepeats(db, round);
      repeats(repeated);
      if (news.length === 0) continue;
      await lockOpenings(db);
      const known = await findKnown(db, news);
      // Whoever held the lock before may have brought the same.
      const again = known.size > 0 ? await countRepeats(db, news) : { repeated: [], news };
      repeats(again.repeated);
      for (const { said, incidentId, opened } of await placeNews(db, again.news, known, config)) {
        if (incidentId === null) repeats([said]);
        else
          for (const index of said.deliveries) {
            counts[index]?.touched.add(incidentId);
            if (opened) counts[index]?.opened.add(incidentId);
          }
      }
    }
    const opened = new Set(counts.flatMap((count) => [...count.opened]));
    const folded = opened.size > 0 ? await foldByCause(db, config.services, config.correlation) : new Set<number>();
    // What was folded at birth waits without a job until something is said to it.
    const touched = new Set(counts.flatMap((count) => [...count.touched]));
    await wake([...touched].filter((id) => !(opened.has(id) && folded.has(id))).sort((a, b) => a - b));
    failpoint('intake.before-commit');
    return counts.map((count) => ({
      opened: [...count.opened],
      touched: [...count.touched],
      repeated: count.repeated,
    }));
  });
  failpoint('intake.after-commit');
  return accepted;
}

/** Writes down each delivery, and its body where part of it could not be used; false for an event that came before. */
async function recordDeliveries(db: Database, deliveries: readonly Delivery[]): Promise<boolean[]> {
  const rows = deliveries.map(({ source, sender, body, alerts, problems, eventId }) => ({
    source,
    sender,
    body_sha256: hash('sha256', body),
    alerts: alerts.length,
    problems,
    body: problems.length > 0 ? body.slice(0, KEPT_BODY_MAX) : null,
    event_id: eventId ?? null,
  }));
  const written = await sql<{ source: string; event_id: string | null }>`
    insert into delivery (source, sender, body_sha256, alerts, problems, body, event_id)
    select source, sender, body_sha256, alerts, problems, body, event_id from jsonb_to_recordset(${json(rows)}) as d(
      source text, sender text, body_sha256 text, alerts int, problems jsonb, body text, event_id text)
    on conflict (source, event_id) where event_id is not null do nothing
    returning source, event_id`.execute(db.q);
  const fresh = new Set(written.rows.map((row) => JSON.stringify([row.source, row.event_id])));
  return deliveries.map(
    ({ source, eventId }) => eventId === undefined || fresh.delete(JSON.stringify([source, eventId])),
  );
}

/**
 * Sorts what was said into rounds: within one, an alert has one status and stands once. Firing and then resolved in one batch are two
 * rounds, because the one must be there before the other means anything.
 */
function roundsOf(
  deliveries: readonly Settled[],
  isNew: readonly boolean[],
  watchdog: AcceptDependencies['watchdog'],
): { said: Said[][]; watched: boolean } {
  const rounds: Said[][] = [];
  const latest = new Map<string, { round: number; said: Said }>();
  let watched = false;
  for (const [index, delivery] of deliveries.entries()) {
    if (!isNew[index]) continue;
    for (const alert of delivery.alerts) {
      if (watchdog !== null && isWatchdog(watchdog, alert)) {
        watched ||= alert.status === 'firing' && !isOld(delivery);
        continue;
      }
      const key = `${alert.source} ${alert.fingerprint} ${alert.startsAt.getTime()}`;
      const before = latest.get(key);
      if (before?.said.alert.status === alert.status) {
        before.said.deliveries.push(index);
        continue;
      }
      const round = before ? before.round + 1 : 0;
      const said = {
        alert,
        sender: delivery.sender,
        groupKey: delivery.groupKey ?? null,
        at: delivery.occurredAt ?? null,
        deliveries: [index],
      };
      latest.set(key, { round, said });
      const others = rounds[round] ?? [];
      others.push(said);
      rounds[round] = others;
    }
  }
  return { said: rounds, watched };
}

/**
 * Counts the alerts that say nothing new, and gives those that do: unknown ones, those of another status, and a firing one whose
 * incident was closed on somebody's word a while ago, or opened again without it.
 */
async function countRepeats(db: Database, round: readonly Said[]): Promise<{ repeated: Said[]; news: Said[] }> {
  const rows = round.map(({ alert, at, deliveries }, n) => ({
    n,
    times: deliveries.length,
    seen_at: at,
    source: alert.source,
    fingerprint: alert.fingerprint,
    starts_at: alert.startsAt,
    status: alert.status,
  }));
  const { rows: repeated } = await sql<{ n: number }>`
    with said as (
      select * from jsonb_to_recordset(${json(rows)}) as s(
        n int, times int, seen_at timestamptz, source text, fingerprint text, starts_at timestamptz, status text)
    ), known as (
      select a.id, said.n, said.times, said.seen_at
      from said join alert a using (source, fingerprint, starts_at, status) left join incident i on i.id = a.incident_id
      where a.status = 'resolved' or i.id is null
        or (case when i.state in ('resolved', 'stopped')
          then i.closed_at is null or i.closed_at > clock_timestamp() - ${STALE_FIRING_SECONDS} * interval '1 second'
          else a.cycle = i.cycle end)
      order by a.id for update of a
    )
    update alert a set received = a.received + known.times,
      last_seen_at = greatest(a.last_seen_at, coalesce(known.seen_at, clock_timestamp()))
    from known where a.id = known.id returning known.n`.execute(db.q);
  const known = new Set(repeated.map(({ n }) => n));
  return { repeated: round.filter((_, n) => known.has(n)), news: round.filter((_, n) => !known.has(n)) };
}

/** Tells whether an alert is the one that says that the monitoring itself is alive. */
export function isWatchdog(
  { matchers, source }: NonNullable<AcceptDependencies['watchdog']>,
  alert: Pick<Alert, 'source' | 'labels'>,
): boolean {
  return (source === null || source === alert.source) && matchesLabels(matchers, alert.labels);
}

/** What happened long ago says nothing about now. */
function isOld({ occurredAt }: Delivery): boolean {
  return occurredAt !== undefined && Date.now() - occurredAt.getTime() > WATCHDOG_AGE_MS_MAX;
}

async function hearWatchdog(db: Database): Promise<void> {
  await sql`
    insert into heartbeat (name, last_seen_at) values (${WATCHDOG}, clock_timestamp())
    on conflict (name) do update set last_seen_at = excluded.last_seen_at`.execute(db.q);
}
