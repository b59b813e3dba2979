/** A database in which every table has a row, with values that are easily changed on the way: what the backup must bring back as it was. */
import { sql } from 'kysely';
import { createSealer } from '../../../src/audit/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';

const ODD = `'{"null": null, "one": 1.0, "big": 123456789012345678901234567890, "tiny": 1e-7, "line": "a\\u2028b\\nc\\t\\"", "deep": [[], {}]}'`;

const ROWS = [
  // Folded under a newer one, so no order of rows is right for the foreign keys.
  `insert into incident (id, state, correlation_key, title, severity, labels, trace_id, context, job_id, closed_at, service, reopened_at)
    overriding system value values
    (1, 'resolved', 'a', 'Spool ✓ stuck', 'critical', ${ODD}, 't1', 'null', gen_random_uuid(), '2026-11-01 10:00:00.123456+00', 'shop', '0044-03-15 12:00:00+00 BC'),
    (2, 'resolved', 'b', 'other', 'warning', '{}', 't2', '{}', null, 'infinity', null, null)`,
  'update incident set parent_id = 2 where id = 1',
  `select setval(pg_get_serial_sequence('incident', 'id'), 41)`,
  `insert into maintenance (id, origin, matchers, reason, made_by, starts_at, ends_at) values ('m', 'am', '[]', '', 'ada', now(), now() + interval '1 hour')`,
  `insert into delivery (source, sender, body_sha256, alerts, problems, body, event_id) values ('alertmanager', 'am', 'ff', 1, 'null', E'a\\r\\nb\\\\', 'e-1')`,
  `insert into alert (incident_id, cycle, source, fingerprint, status, labels, annotations, starts_at) values (1, 1, 'alertmanager', 'f', 'firing', '{}', '{}', now())`,
  `insert into event (incident_id, type, actor, data) values (1, 'a.b', 'ada', ${ODD}), (null, 'c.d', 'nightshift', 'null')`,
  `insert into signal (incident_id, kind, by) values (1, 'fired', 'alertmanager')`,
  `insert into evidence (incident_id, ref, cycle, kind, title, content, origin) values (1, 'e1', 1, 'tool', 't', '', 'null')`,
  `insert into evidence_full (incident_id, ref, content) values (1, 'e1', repeat('0123456789', 300000))`,
  `insert into journal (incident_id, key, result, duration_ms) values (1, 'k', 'null', 3)`,
  `insert into model_call (incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, cost_usd, price_date, latency_ms, request)
    values (99, 'triage', 'm', '[]', 'a', 'b', 'ok', 0.00000010, '2026-10-01', 5, ${ODD})`,
  `insert into model_spending (scope, day, usd, tokens, calls) values ('day', '2026-11-01', 1.50000000, 9007199254740993, 2)`,
  `insert into model_score (incident_id, cycle, status, due_at, judged, model, cause, grounded, outcome) values (1, 1, 'scored', now(), '[]', 'm', 0.1, 0.30000000000000004, 1)`,
  `insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin, reason, expected_effect, undo, labels, definition_sha256, status, undo_of)
    values ('z', 1, 1, 1, 1, 'i', 't', '{}', 'x', 'safe', 'f', 'runbook', '', '', '', '{}', 'd', 'succeeded', null),
      ('a', 1, 1, 1, 2, 'i', 't', '{}', 'x', 'safe', 'f', 'runbook', '', '', '', '{}', 'd', 'succeeded', 'z')`,
  `insert into intent (action_id, target, outcome) values ('z', 'x', 'unknown')`,
  `insert into approval (id, incident_id, action_id, digest, subject, required, status, expires_at) values ('p', 1, 'z', 'd', '{}', 1, 'pending', now())`,
  `insert into approval_vote (approval_id, principal, decision, reason, via) values ('p', 'ada', 'approve', '', 'cli')`,
  `insert into token (name, person, role, sha256) values ('laptop', 'ada', 'approver', 'h')`,
  `insert into token (name, person, role, sha256, scopes, expires_at) values ('bot', 'ada', 'approver', 'h2', '{incidents:read,"a \\"b"}', now())`,
  `insert into idempotency_key (id, request_sha256, answer) values ('k', 'r', '\\x00ff10')`,
  `insert into session (id, sha256, person, role, via, token, token_sha256, client, expires_at)
    values ('s', 'hs', 'ada', 'viewer', 'token', 'laptop', 'h', 'Firefox ✓', now() + interval '1 hour')`,
  `update kill_switch set engaged = true, reason = 'why', release_votes = '{ada,"b,\\"en"}'`,
  `insert into outbox (incident_id, kind, message) values (1, 'k', '{}')`,
  `insert into outbox_delivery (outbox_id, channel) select id, 'mail' from outbox`,
  `insert into heartbeat (name) values ('watchdog')`,
  `insert into slo_sample (at, signal, agent, value, observations, mean, stddev, deviates)
    values ('2026-11-01 10:05:00+00', 'error_ratio', 'plan', 0.30000000000000004, 9, 0.1, 1e-7, true), ('2026-11-01 10:05:00+00', 'queue_depth', 'all', 2, null, null, null, false)`,
  `insert into pagerduty_source (source) values ('pd')`,
  `insert into pagerduty_projection (incident_id, shows) values (1, '1:2')`,
  `insert into pagerduty_call (incident_id, source, subject, purpose, kind, words) values (1, 'pd', 'P1', 'ack', 'acknowledge', '')`,
  `insert into runbook (path, title, sha256, indexer, problems, body, name_words) values ('a.md', 'A', 's', 'i', '[]', '# A', '{a,"b c"}')`,
  `insert into chunk (runbook_id, ordinal, breadcrumb, content, start_line, end_line) select id, 1, '', 'text', 1, 2 from runbook`,
  `insert into posting (term, runbook_id, weight) select term, id, 0.1 from runbook, unnest('{spool,""}'::text[]) as term`,
  `insert into chunk_vector (slot, width, runbook_id, chunk_id, embedding)
    select 0, 512, runbook_id, id, array_fill(0.1::float4, '{512}')::vector from chunk`,
  `insert into past_incident (incident_id, cycle, title, summary, labels, remedies, search) values (1, 1, 't', 's', '{}', '[]', to_tsvector('english', 'spools are stuck'))`,
  `insert into past_incident_vector (slot, width, incident_id, cycle, embedding) values (0, 512, 1, 1, array_fill(0.333333333::float4, '{512}')::vector)`,
  `insert into remedy_outcome (incident_id, cycle, attempt, alertname, service, tool, target, outcome, at) values (1, 1, 1, 'A', 's', 't', 'x', 'healed', now())`,
  `insert into slack_request (sha256, seen_at) values ('q', now())`,
  `insert into slack_channel (channel) values ('C1')`,
  `insert into slack_thread (incident_id, channel) values (1, 'C1')`,
  `insert into slack_message (incident_id, purpose, channel, wanted, wanted_sha256, urgent) values (1, 'root', 'C1', '{}', 'w', false)`,
];

/** Gives every table a row. The audit's newest head is left beside the other files. */
export async function fill(db: Database, headFile: string): Promise<void> {
  await asOwner(db, ROWS);
  await createSealer({ db, log: createLogger('silent'), headFile }).sealNow();
}

/** Runs statements as whoever owns the tables. */
export async function asOwner(db: Database, statements: readonly string[]): Promise<void> {
  await db.transaction(async () => {
    for (const statement of ['set local role none', ...statements]) await sql.raw(statement).execute(db.q);
  });
}

/** Every table with all of its rows, as the database itself writes them, but for what a restore makes anew or adds. */
export async function contentOf(db: Database): Promise<Record<string, string[]>> {
  return db.transaction(async () => {
    await sql`select set_config('TimeZone', 'UTC', true)`.execute(db.q);
    const { rows: tables } = await sql<{ name: string; columns: string[] }>`
      select c.relname as name, array_agg(attname::text order by attname) as columns
      from pg_class c join pg_attribute on attrelid = c.oid and attnum > 0 and not attisdropped
      where relkind = 'r' and relnamespace = current_schema()::regnamespace and relname not like 'kysely%'
      group by 1 order by 1`.execute(db.q);
    const content: Record<string, string[]> = {};
    for (const { name, columns } of tables) {
      const kept = columns.filter((column) => !['incident.job_id', 'event.tx'].includes(`${name}.${column}`));
      const { rows } = await sql<{ row: string }>`
        select row(${sql.join(kept.map((column) => sql.id(column)))})::text as row from ${sql.id(name)}
        ${name === 'event' ? sql`where type not in ('backup.restored', 'database.moved')` : sql``} order by 1`.execute(
        db.q,
      );
      content[name] = rows.map(({ row }) => row);
    }
    return content;
  });
}
