/** Incidents as an earlier version left them: what they were about, and how its rows come into a database of today. */
import { hash } from 'node:crypto';
import { sql } from 'kysely';
import { z } from 'zod';
import { digestOf, subjectSchema } from '../../../src/approval/subject.ts';
import { type Database, migrateUpTo } from '../../../src/database/index.ts';

/** Which moment of its way an incident was stopped at, by the name of the process that it is about. */
export const MOMENTS = [
  { name: 'received', killedAt: 'land.before.triaged' },
  { name: 'triaged', killedAt: 'land.before.investigated' },
  { name: 'investigated', killedAt: 'land.before.diagnosed' },
  { name: 'diagnosed', killedAt: 'land.before.planned' },
  { name: 'planned', killedAt: 'land.before.acting' },
  { name: 'cleared', killedAt: 'execute.before-intent' },
  { name: 'not-sent', killedAt: 'execute.before-send' },
  { name: 'sent', killedAt: 'execute.after-send' },
  { name: 'verifying', killedAt: 'land.after.verifying' },
  { name: 'approved', killedAt: 'land.before.acting', answer: 'approve' },
  { name: 'approved-acting', killedAt: 'execute.before-intent', answer: 'approve' },
  { name: 'asked' },
  { name: 'denied', answer: 'deny' },
  { name: 'stopped' },
  { name: 'resolved' },
  { name: 'nobody-knows' },
] as const satisfies readonly { name: string; killedAt?: string; answer?: 'approve' | 'deny' }[];
export type Moment = (typeof MOMENTS)[number]['name'];

/** Of these a person is asked first. */
const ASKED: ReadonlySet<Moment> = new Set(['approved', 'approved-acting', 'asked', 'denied', 'stopped']);

/** What Alertmanager says about a process. */
export function alertOf(name: Moment, startsAt: string, status: 'firing' | 'resolved' = 'firing') {
  const alertname = name === 'nobody-knows' ? 'NobodyKnows' : 'ProcessDown';
  return {
    status,
    labels: { alertname, service: name, process: name, severity: 'critical', ask: ASKED.has(name) ? 'yes' : 'no' },
    annotations: { summary: 'it does not run' },
    startsAt,
    endsAt: '0001-01-01T00:00:00Z',
    generatorURL: '',
    fingerprint: hash('sha256', name).slice(0, 16),
  };
}

/** In words that every version understands. */
export const RUNBOOK = `---
match: ['alertname="ProcessDown"']
steps:
  - { tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It does not run., undo: None. }
verify:
  - { tool: supervisor.status, with: { process: "{{ labels.process }}" }, expect: 'processes[0].state == "RUNNING"', within: 2s }
---

# Process is down

Start it again.
`;

export const POLICY = `rules:
  - {name: safe-remedies, risks: [safe], decision: allow, reason: safe}
  - {name: ask-first, match: ['ask="yes"'], decision: ask, reason: somebody wants to be asked}
`;

/** Of what answers for the processes: always the same one, because where a tool acts is part of what was planned and approved. */
export const PORT = 14_817;

/** The rows of every table that has some, with each value as Postgres writes it, but for jobs, tokens and keys. */
export const frozenSchema = z.strictObject({
  commit: z.string(),
  at: z.iso.datetime(),
  migrations: z.array(z.string()),
  tables: z.record(
    z.string(),
    z.object({ columns: z.array(z.string()), rows: z.array(z.array(z.string().nullable())) }),
  ),
});
export type Frozen = z.infer<typeof frozenSchema>;

/**
 * Puts such rows into an empty database whose schema is of their time, as if they had been written just now. Later migrations are left to
 * whoever opens it.
 */
export async function thaw(db: Database, { at, migrations, tables }: Frozen): Promise<void> {
  const later = Date.now() - new Date(at).getTime();
  await migrateUpTo(db.q, migrations.at(-1) ?? '');
  await db.transaction(async () => {
    // Rows in any order, and what triggers write is among them.
    await sql`select set_config('session_replication_role', 'replica', true), set_config('TimeZone', 'UTC', true)`.execute(
      db.q,
    );
    for (const [table, { columns, rows }] of Object.entries(tables)) {
      const { rows: found } = await sql<{ name: string; type: string; numbered: boolean }>`
        select attname as name, format_type(atttypid, atttypmod) as type,
          pg_get_serial_sequence(quote_ident(${table}), attname) is not null as numbered
        from pg_attribute where attrelid = to_regclass(quote_ident(${table})) and attnum > 0 and not attisdropped`.execute(
        db.q,
      );
      const of = new Map(found.map((column) => [column.name, column]));
      const values = columns.map((name, n) => sql.raw(`(r ->> ${n})::${of.get(name)?.type}`));
      const moved = rows.map((row) => row.map((value) => value && shift(value, later)));
      if (table === 'approval') for (const row of moved) bindAgain(columns, row, rows[moved.indexOf(row)] ?? []);
      await sql`delete from ${sql.id(table)}`.execute(db.q);
      await sql`insert into ${sql.id(table)} (${sql.join(columns.map((name) => sql.id(name)))}) overriding system value
        select ${sql.join(values)} from jsonb_array_elements(${JSON.stringify(moved)}::jsonb) as r`.execute(db.q);
      for (const { name } of found.filter(({ numbered }) => numbered))
        await sql`select setval(pg_get_serial_sequence(quote_ident(${table}), ${name}), max(${sql.id(name)})) from ${sql.id(table)}`.execute(
          db.q,
        );
    }
  });
}

/** As Postgres writes a moment in UTC, and as JSON does. */
const MOMENT = /\b(202\d-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,6})?(?:Z|\+00(?::00)?)(?![\d:])/g;

function shift(value: string, milliseconds: number): string {
  return value.replace(MOMENT, (_all, day: string, time: string, fraction = '') =>
    new Date(new Date(`${day}T${time}${fraction}Z`).getTime() + milliseconds).toISOString(),
  );
}

/** Its end is part of what a question is about. A digest that is not of its subject stays as it is. */
function bindAgain(columns: readonly string[], row: (string | null)[], before: readonly (string | null)[]): void {
  const [subject, digest] = [columns.indexOf('subject'), columns.indexOf('digest')];
  const read = (text: string | null | undefined) => subjectSchema.safeParse(JSON.parse(text ?? 'null'));
  const [was, is] = [read(before[subject]), read(row[subject])];
  if (was.success && is.success && digestOf(was.data) === before[digest]) row[digest] = digestOf(is.data);
}
