import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RetentionConfig } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createRetention, RULES } from '../../../src/retention/index.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { asOwner } from './old-audit.ts';

const DAYS: RetentionConfig = {
  incidents: 400,
  learned: 1100,
  audit: 400,
  details: 90,
  modelCalls: 90,
  messages: 90,
  deliveries: 30,
};
const DOC = readFileSync(join(import.meta.dirname, '../../../docs/retention.md'), 'utf8');
const ago = (days: number) => `now() - interval '${days} days'`;

describe.each(databases)('retention on $name', ({ open }) => {
  let db: Database;
  const log: Record<string, unknown>[] = [];
  const metrics = createMetrics();
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());
  beforeEach(async () => {
    log.length = 0;
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
        and relname not like 'kysely%' and relname not in ('kill_switch', 'installation', 'embedder')`.execute(db.q);
    await asOwner(db, `truncate ${rows.map(({ name }) => name).join(', ')} restart identity cascade`);
  });

  const retention = (days: Partial<RetentionConfig> = {}) =>
    createRetention({
      db,
      config: { ...DAYS, ...days },
      sealNow: async () => 0,
      metrics,
      log: createLogger('info', { write: (line) => void log.push(JSON.parse(line) as Record<string, unknown>) }),
    });
  const run = async (...statements: string[]) => {
    for (const statement of statements) await db.executeSql(statement);
  };
  const ids = async (table: string, column = 'id') =>
    (
      await sql<{ id: number }>`select ${sql.ref(column)} as id from ${sql.table(table)} order by 1`.execute(db.q)
    ).rows.map(({ id }) => id);

  /** An incident with a row in every table that belongs to incidents; nothing was sent, and nothing is open. */
  const addIncident = async (id: number, closedDaysAgo: number) => {
    await run(
      `insert into incident (id, state, correlation_key, title, severity, labels, trace_id, context, opened_at, closed_at)
        overriding system value values (${id}, 'resolved', 'k${id}', 't', 's', '{}', '', '{}', ${ago(closedDaysAgo + 1)}, ${ago(closedDaysAgo)})`,
      `insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, starts_at, last_seen_at)
        values (${id}, 1, 'a', 'f${id}', 'resolved', '{}', '{}', ${ago(closedDaysAgo)}, ${ago(closedDaysAgo)})`,
      `insert into evidence values (${id}, 'E1', 1, 'tool', '', '', '{}')`,
      `insert into evidence_full values (${id}, 'E1', '')`,
      `insert into journal values (${id}, 'k', '{}', 1)`,
      `insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin, reason,
          expected_effect, undo, labels, definition_sha256, status)
        select 'a${id}-' || n, ${id}, 1, 1, n, '', '', '{}', '', 'safe', '', '', '', '', '', '{}', '', 'denied' from generate_series(1, 3) n`,
      `update action set undo_of = 'a${id}-1' where id = 'a${id}-2'`,
      `insert into approval values ('p${id}', ${id}, 'a${id}-1', '', '{}', 1, 'expired', ${ago(closedDaysAgo)})`,
      `insert into approval_vote values ('p${id}', 'ada', 'deny', '', 'api')`,
      `insert into outbox (id, incident_id, kind, message, sent_at, created_at) overriding system value
        values (${id}, ${id}, 'resolved', '{}', ${ago(closedDaysAgo)}, ${ago(closedDaysAgo)})`,
      `insert into outbox_delivery (outbox_id, channel) values (${id}, 'webhook')`,
      `insert into slack_channel (channel) values ('C1') on conflict do nothing`,
      `insert into slack_thread (incident_id, channel) values (${id}, 'C1')`,
      `insert into slack_message (incident_id, purpose, channel, wanted, wanted_sha256, urgent) values (${id}, 'root', 'C1', '{}', '', false)`,
      `insert into pagerduty_source (source) values ('pd') on conflict do nothing`,
      `insert into pagerduty_projection values (${id}, '1')`,
      `insert into pagerduty_call (incident_id, source, subject, purpose, kind, words) values (${id}, 'pd', '${id}', 'p', 'note', '')`,
      `insert into model_score (incident_id, cycle, status, due_at, judged) values (${id}, 1, 'given_up', now(), '[]')`,
      `insert into model_spending values ('incident:${id}', '2020-01-01', 1, 1, 1)`,
      `insert into past_incident (incident_id, cycle, title, summary, labels, remedies, search, closed_at)
        values (${id}, 1, '', '', '{}', '[]', '', ${ago(closedDaysAgo)})`,
      `insert into remedy_outcome values (${id}, 1, 1, '', '', null, null, '', '', 'healed', ${ago(closedDaysAgo)})`,
    );
  };
  const BELONGS = Object.entries({
    alert: 'incident_id',
    evidence: 'incident_id',
    evidence_full: 'incident_id',
    journal: 'incident_id',
    action: 'incident_id',
    approval: 'incident_id',
    outbox: 'incident_id',
    slack_thread: 'incident_id',
    slack_message: 'incident_id',
    pagerduty_projection: 'incident_id',
    pagerduty_call: 'incident_id',
    model_score: 'incident_id',
  });

  it('has a rule for every table, in the code and in the document, and no other', async () => {
    const { rows } = await sql<{ name: string }>`
      select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')`.execute(
      db.q,
    );
    const tables = rows.map(({ name }) => name).sort();
    expect(Object.keys(RULES).sort()).toEqual(tables);
    const told = [...DOC.matchAll(/^\| `([a-z_]+)` \| (?:`(\w+)`|–) \| (.+) \|$/gm)].map(([, table, by, says]) => [
      table,
      { by: by ?? null, says },
    ]);
    expect(Object.fromEntries(told)).toEqual(RULES);
    const { rows: pointing } = await sql<{ name: string }>`
      select distinct conrelid::regclass::text as name from pg_constraint where contype = 'f' and confrelid = 'incident'::regclass`.execute(
      db.q,
    );
    // Whoever refers to an incident must be among what goes with it.
    const known = [...BELONGS.map(([table]) => table), 'event', 'signal', 'incident'];
    expect(known).toEqual(expect.arrayContaining(pointing.map(({ name }) => name)));
  });

  it('deletes incidents with all that belongs to them, and keeps what was learned for longer', async () => {
    for (const id of [1, 2, 3]) await addIncident(id, 401);
    await addIncident(4, 399);
    await addIncident(5, 80);
    await addIncident(6, 1101);
    expect(await retention().runNow()).toMatchObject({ 'past incidents': 1, 'outcomes of remedies': 1 });
    expect(await ids('incident')).toEqual([4, 5]);
    for (const [table, column] of BELONGS) {
      const left = { evidence_full: [5], journal: [5], outbox: [5], action: [4, 4, 4, 5, 5, 5] }[table];
      expect(await ids(table, column), table).toEqual(left ?? [4, 5]);
    }
    expect(await ids('outbox_delivery', 'outbox_id')).toEqual([5]);
    expect(await ids('approval_vote', 'approval_id')).toEqual(['p4', 'p5']);
    expect(await ids('model_spending', 'scope')).toEqual(['incident:4', 'incident:5']);
    for (const table of ['past_incident', 'remedy_outcome'])
      expect(await ids(table, 'incident_id'), table).toEqual([1, 2, 3, 4, 5]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  const intent = (outcome: string) => `insert into intent (action_id, target, outcome) values ('a1-1', '', ${outcome})`;
  it.each<[string, string[], string[]]>([
    [
      'is open',
      [`update incident set state = 'escalated', closed_at = null`],
      [`update incident set state = 'resolved', closed_at = ${ago(500)}`],
    ],
    [
      'has somebody to hear',
      [`insert into signal (incident_id, kind, by) values (1, 'fired', 'a')`],
      ['delete from signal'],
    ],
    [
      'has alerts that still come',
      [`update alert set last_seen_at = ${ago(3)}`],
      [`update alert set last_seen_at = ${ago(402)}`],
    ],
    ['waits for a person', [`update approval set status = 'pending'`], [`update approval set status = 'denied'`]],
    [
      'has a message that was not delivered',
      [`update outbox set sent_at = null`],
      ['update outbox set sent_at = now()'],
    ],
    [
      'has an action under way',
      [`update action set status = 'running' where ordinal = 1`],
      [`update action set status = 'failed'`],
    ],
    [
      'has an action of which nobody knows',
      [`update action set status = 'unknown' where ordinal = 1`],
      [`update action set status = 'failed'`],
    ],
    [
      'has an intent without an outcome, however old',
      [intent('null'), `update incident set closed_at = ${ago(2000)}`],
      [`update intent set outcome = 'failed'`],
    ],
    [
      'has an intent of which nobody knows',
      [intent(`'unknown'`), `update incident set closed_at = ${ago(2000)}`],
      [`update intent set outcome = 'failed'`],
    ],
    [
      'counts in records, because something was sent',
      [intent(`'succeeded'`)],
      [`update incident set closed_at = ${ago(1101)}`],
    ],
    ['has a timeline left', [`insert into event (incident_id, type, actor, data) values (1, 'x', 'y', '{}')`], []],
  ])('keeps an incident that %s', async (_, stays, goes) => {
    await addIncident(1, 500);
    await run(...stays);
    await retention().runNow();
    expect(await ids('incident')).toEqual([1]);
    expect(await ids('action', 'incident_id')).toEqual([1, 1, 1]);
    expect(await ids('alert', 'incident_id')).toEqual([1]);
    if (goes.length > 0) await run(...goes);
    else await asOwner(db, 'delete from event');
    await retention().runNow();
    expect(await ids('incident')).toEqual([]);
    expect(await ids('alert', 'incident_id')).toEqual([]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('keeps an incident while others are folded under it, which go first', async () => {
    for (const id of [1, 2]) await addIncident(id, 500);
    await addIncident(3, 10);
    await run('update incident set parent_id = 1 where id in (2, 3)');
    await retention().runNow();
    expect(await ids('incident')).toEqual([1, 3]);
    await run(
      `update incident set closed_at = ${ago(401)} where id = 3`,
      `update alert set last_seen_at = ${ago(401)}`,
    );
    const again = retention();
    await again.runNow();
    expect(await ids('incident')).toEqual([1]);
    // What was in the way of its deletion is gone: it is looked at again within a day.
    for (let hour = 0; hour < 24; hour += 1) await again.runNow();
    expect(await ids('incident')).toEqual([]);
  });

  it('deletes by age what hangs on nothing, from the oldest on', async () => {
    await addIncident(9000, 10);
    await run(
      `insert into delivery (source, sender, body_sha256, alerts, problems, event_id, received_at)
        select 'pd', '', '', 1, '[]', n, now() - n * interval '1 day' from generate_series(1200, 1) n`.replace(
        '1200, 1',
        '1200, 1, -1',
      ),
      `insert into alert (cycle, source, fingerprint, status, labels, annotations, starts_at, last_seen_at)
        select 1, 'b', n, 'resolved', '{}', '{}', now(), now() - n * interval '1 day' from generate_series(60, 1, -1) n`,
      `insert into model_call (at, role, model, prompts, prompt_sha256, question_sha256, outcome, latency_ms, request)
        select now() - n * interval '1 day', '', '', '[]', '', '', '', 1, '{}' from generate_series(120, 1, -1) n`,
      `insert into outbox (kind, message, sent_at, created_at)
        select 'x', '{}', case when n % 10 = 0 then null else now() end, now() - n * interval '1 day' from generate_series(110, 21, -1) n`,
      `insert into maintenance select n, 'person', '[]', '', '', now(), now() - n * interval '1 day' from generate_series(80, 100) n`,
      `insert into model_spending select scope, current_date - n, 1, 1, 1 from generate_series(390, 410) n, unnest(array['day', 'role:plan', 'incident:9000']) scope`,
      `insert into term values ('gone', 0), ('there', 1), ('', 0)`,
      `insert into past_incident (incident_id, cycle, title, summary, labels, remedies, search, closed_at)
        select n, 1, '', '', '{}', '[]', '', now() - n * interval '1 day' from generate_series(1095, 1105) n`,
      `insert into past_incident_vector select 0, 512, n, 1, array_fill(1, array[512])::vector from generate_series(1095, 1105) n`,
    );
    await retention().runNow();
    const oldest = async (table: string, time: string, such = 'true') =>
      (
        await sql<{ days: number; n: number }>`
          select floor(max(extract(epoch from now() - ${sql.ref(time)})) / 86400)::int as days, count(*)::int as n
          from ${sql.table(table)} where ${sql.raw(such)}`.execute(db.q)
      ).rows[0];
    expect(await oldest('delivery', 'received_at')).toEqual({ days: 29, n: 29 });
    expect(await oldest('alert', 'last_seen_at', 'incident_id is null')).toEqual({ days: 29, n: 29 });
    expect(await ids('alert', 'incident_id')).toContain(9000);
    expect(await oldest('model_call', 'at')).toEqual({ days: 89, n: 89 });
    expect(await oldest('outbox', 'created_at', `sent_at is not null and kind = 'x'`)).toMatchObject({ days: 89 });
    expect(await oldest('outbox', 'created_at', 'sent_at is null')).toEqual({ days: 110, n: 9 });
    expect(await oldest('maintenance', 'ends_at')).toEqual({ days: 89, n: 10 });
    expect(await ids('term', 'term')).toEqual(['', 'there']);
    expect(await ids('past_incident_vector', 'incident_id')).toHaveLength(5);
    const { rows } = await sql`
      select scope, max(current_date - day)::int as days from model_spending where day > '2021-01-01' group by scope order by scope`.execute(
      db.q,
    );
    expect(rows).toEqual([
      { scope: 'day', days: 400 },
      { scope: 'incident:9000', days: 410 },
      { scope: 'role:plan', days: 400 },
    ]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('shows what it deleted, how long it took and when nothing failed', async () => {
    const shown = createMetrics();
    const watched = createRetention({
      db,
      config: DAYS,
      sealNow: async () => 0,
      metrics: shown,
      log: createLogger('silent'),
    });
    const value = async (name: string) =>
      Number((await shown.registry.metrics()).match(new RegExp(`^nightshift_retention_${name} (\\S+)$`, 'm'))?.[1]);
    await addIncident(1, 500);
    await asOwner(db, 'alter table maintenance rename to away');
    try {
      await watched.runNow();
      expect(await value('timestamp_seconds')).toBe(0);
      expect(await value('failures_total\\{kind="maintenances"\\}')).toBe(1);
      expect(await value('duration_seconds')).toBeGreaterThan(0);
      expect(await value('deleted_rows_total\\{kind="incidents"\\}')).toBeGreaterThan(0);
    } finally {
      await asOwner(db, 'alter table away rename to maintenance');
    }
    await watched.runNow();
    expect(Math.abs((await value('timestamp_seconds')) - Date.now() / 1000)).toBeLessThan(60);
    await watched.stop();
  });

  it('deletes nothing that is kept for ever, and leaves it to another replica that is at it', async () => {
    for (const id of [1, 2]) await addIncident(id, 5000);
    const forever = Object.fromEntries(Object.keys(DAYS).map((kind) => [kind, 'forever'])) as RetentionConfig;
    expect(await retention(forever).runNow()).toEqual({});
    expect(await ids('incident')).toEqual([1, 2]);
    if (db.kind === 'embedded') return;
    let held: Promise<unknown> = Promise.resolve();
    await new Promise<void>((locked, failed) => {
      held = db.transaction(async () => {
        await sql`select pg_advisory_xact_lock(hashtextextended('nightshift retention', 0))`.execute(db.q);
        locked();
        await new Promise((resolve) => setTimeout(resolve, 1000));
      });
      held.catch(failed);
    });
    expect(await retention().runNow()).toEqual({});
    await held;
    expect(await retention().runNow()).toMatchObject({ incidents: expect.any(Number) });
  });
});
