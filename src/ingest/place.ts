import { sql } from 'kysely';
import { type Alert, titleOf } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import { type Database, json } from '../database/index.ts';
import {
  addEventsOf,
  addSignals,
  correlationKey,
  describeKey,
  isClosed,
  keySha256,
  openIncidents,
  type State,
} from '../incident/index.ts';
import type { Placed, Said } from './delivery.ts';

/** The row that an alert has already, whatever its status. */
export interface Known {
  readonly id: number;
  readonly n: number;
  readonly incident_id: number | null;
}

interface Latest {
  readonly id: number;
  readonly correlation_key: string;
  readonly state: State;
  readonly cycle: number;
  readonly closed_at: Date | null;
  readonly told: boolean;
}

/**
 * Writes alerts that say something new and finds or opens the incident of each, in the current transaction and under the lock of the
 * openings. A resolved alert only ever concerns the firing one with the same fingerprint and start; it starts nothing by itself.
 */
export async function placeNews(
  db: Database,
  news: readonly Said[],
  known: ReadonlyMap<Said, Known>,
  config: Pick<Config, 'correlation' | 'services'>,
): Promise<Placed[]> {
  if (news.length === 0) return [];
  const resolved = news.filter(({ alert }) => alert.status === 'resolved');
  const firing = news.filter(({ alert }) => alert.status === 'firing');
  return [...(await placeResolved(db, resolved, known)), ...(await placeFiring(db, firing, known, config))];
}

/** Gives the rows that alerts have already, locked until the commit. Call it under the lock of the openings. */
export async function findKnown(db: Database, news: readonly Said[]): Promise<ReadonlyMap<Said, Known>> {
  const rows = news.map(({ alert }, n) => ({
    n,
    source: alert.source,
    fingerprint: alert.fingerprint,
    starts_at: alert.startsAt,
  }));
  const found = await sql<Known>`
    select a.id, a.incident_id, s.n
    from jsonb_to_recordset(${json(rows)}) as s(n int, source text, fingerprint text, starts_at timestamptz)
    join alert a using (source, fingerprint, starts_at)
    order by a.id for update of a`.execute(db.q);
  return new Map(found.rows.map((row) => [news[row.n] as Said, row]));
}

async function placeResolved(
  db: Database,
  resolved: readonly Said[],
  known: ReadonlyMap<Said, Known>,
): Promise<Placed[]> {
  await storeAlerts(
    db,
    resolved.map((said) => ({ said, place: null, knownId: known.get(said)?.id ?? null })),
  );
  const placed = resolved.map((said) => ({ said, incidentId: known.get(said)?.incident_id ?? null, opened: false }));
  const heard = placed.flatMap(({ said, incidentId }) => (incidentId === null ? [] : [{ said, incidentId }]));
  await addEventsOf(
    db,
    heard.map(({ said: { alert, sender }, incidentId }) => ({
      incidentId,
      type: 'alert.resolved',
      actor: alert.source,
      data: { fingerprint: alert.fingerprint, startsAt: alert.startsAt, sender },
    })),
  );
  await addSignals(
    db,
    heard.map(({ said, incidentId }) => ({ incidentId, kind: 'resolved', by: said.alert.source })),
  );
  return placed;
}

async function placeFiring(
  db: Database,
  firing: readonly Said[],
  known: ReadonlyMap<Said, Known>,
  { correlation, services }: Pick<Config, 'correlation' | 'services'>,
): Promise<Placed[]> {
  const byKey = Map.groupBy(firing, ({ alert }) => correlationKey(alert.labels, correlation.by));
  const latest = await latestByKey(db, [...byKey.keys()].map(keySha256));
  const places = new Map<string, Place>();
  const missing: string[] = [];
  for (const key of byKey.keys()) {
    const place = placeIn(latest.get(keySha256(key)), correlation.reopenWithinSeconds);
    if (place) places.set(key, place);
    else missing.push(key);
  }
  const ids = await openIncidents(
    db,
    missing.map((key) => {
      const alerts = (byKey.get(key) ?? []).map(({ alert }) => alert);
      const [first] = alerts as [Alert, ...Alert[]];
      return {
        state: 'received' as const,
        correlationKey: keySha256(key),
        title: titleOf(first),
        severity: first.labels.severity ?? 'unknown',
        labels: first.labels,
        service: services.serviceOf(first.labels)?.name ?? null,
        startedAt: new Date(Math.min(...alerts.map(({ startsAt }) => startsAt.getTime()))),
        context: { v: 1 as const },
        because: describeKey(key),
        actor: 'nightshift',
      };
    }),
  );
  for (const [index, key] of missing.entries())
    places.set(key, { incidentId: ids[index] as number, cycle: 1, opened: true, reopens: false });

  const placed = [...byKey].flatMap(([key, all]) => all.map((said) => ({ said, place: places.get(key) as Place })));
  await storeAlerts(
    db,
    placed.map(({ said, place }) => ({ said, place, knownId: known.get(said)?.id ?? null })),
  );
  await addEventsOf(
    db,
    placed.map(({ said: { alert, sender, groupKey }, place }) => {
      const { fingerprint, startsAt, labels, annotations } = alert;
      const data = { fingerprint, startsAt, labels, annotations, sender, ...(groupKey ? { groupKey } : {}) };
      return { incidentId: place.incidentId, type: 'alert.firing', actor: alert.source, data };
    }),
  );
  await addSignals(
    db,
    placed
      .filter(({ place }) => place.reopens)
      .map(({ said, place }) => ({ incidentId: place.incidentId, kind: 'fired', by: said.alert.source })),
  );
  return placed.map(({ said, place }) => ({ said, incidentId: place.incidentId, opened: place.opened }));
}

interface Place {
  readonly incidentId: number;
  readonly cycle: number;
  readonly opened: boolean;
  readonly reopens: boolean;
}

/** Held until the commit: an incident that closes at this moment must not close over an alert that it has not seen. */
async function latestByKey(db: Database, keys: readonly string[]): Promise<ReadonlyMap<string, Latest>> {
  if (keys.length === 0) return new Map();
  const { rows } = await sql<Latest>`
    select id, correlation_key, state, cycle, closed_at,
      exists (select from signal s where s.incident_id = i.id and s.kind = 'fired') as told
    from incident i
    where id in (select max(id) from incident where correlation_key = any(${keys}) group by correlation_key)
    order by id for update of i`.execute(db.q);
  return new Map(rows.map((row) => [row.correlation_key, row]));
}

/** Where a firing alert belongs: to the open incident of its key, or to one that was resolved a moment ago. */
function placeIn(latest: Latest | undefined, reopenWithinSeconds: number): Place | null {
  if (!latest) return null;
  const { id: incidentId, cycle, state, closed_at: closedAt, told } = latest;
  if (!isClosed(state)) return { incidentId, cycle, opened: false, reopens: false };
  // Already told to open again counts as open, however long ago it closed.
  const recent = closedAt !== null && Date.now() - closedAt.getTime() <= reopenWithinSeconds * 1000;
  return state === 'resolved' && (told || recent)
    ? { incidentId, cycle: cycle + 1, opened: false, reopens: true }
    : null;
}

/** A known alert keeps the labels and annotations that it fired with; when it resolves, it keeps its incident. */
async function storeAlerts(
  db: Database,
  alerts: readonly { readonly said: Said; readonly place: Place | null; readonly knownId: number | null }[],
): Promise<void> {
  if (alerts.length === 0) return;
  const rows = alerts.map(({ said: { alert, at, deliveries }, place, knownId }) => ({
    id: knownId,
    times: deliveries.length,
    seen_at: at,
    source: alert.source,
    fingerprint: alert.fingerprint,
    status: alert.status,
    labels: alert.labels,
    annotations: alert.annotations,
    generator_url: alert.generatorUrl,
    starts_at: alert.startsAt,
    ends_at: alert.endsAt,
    incident_id: place?.incidentId ?? null,
    cycle: place?.cycle ?? 1,
  }));
  const columns = sql`
    id bigint, times int, seen_at timestamptz, source text, fingerprint text, status text, labels jsonb, annotations jsonb, generator_url text,
    starts_at timestamptz, ends_at timestamptz, incident_id bigint, cycle int`;
  const told = rows.filter(({ id }) => id !== null);
  if (told.length > 0)
    await sql`
      update alert a set
        status = r.status, ends_at = r.ends_at, received = a.received + r.times, last_seen_at = coalesce(r.seen_at, clock_timestamp()),
        incident_id = coalesce(r.incident_id, a.incident_id),
        cycle = case when r.status = 'firing' then r.cycle else a.cycle end,
        labels = case when r.status = 'firing' then r.labels else a.labels end,
        annotations = case when r.status = 'firing' then r.annotations else a.annotations end
      from jsonb_to_recordset(${json(told)}) as r(${columns}) where a.id = r.id`.execute(db.q);
  const unheard = rows.filter(({ id }) => id === null);
  if (unheard.length > 0)
    await sql`
      insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, generator_url, starts_at, ends_at, received, last_seen_at)
      select incident_id, cycle, source, fingerprint, status, labels, annotations, generator_url, starts_at, ends_at, times, coalesce(seen_at, clock_timestamp())
      from jsonb_to_recordset(${json(unheard)}) as r(${columns})`.execute(db.q);
}
