import pg from 'pg';
import { requestsOf } from '../manifest/requests.ts';
import type { PrivilegesFor } from '../tool.ts';
import type { PostgresSettings } from './settings.ts';

/** What shows other sessions, sizes and statements. @see https://www.postgresql.org/docs/17/predefined-roles.html */
const SHOWS = /pg_stat_|pg_database_size|pg_replication_slots|pg_current_wal|pg_blocking_pids/;
const SIGNALS = /pg_(?:cancel|terminate)_backend/;

/** Writes the SQL that makes a role which can do what these tools do, and nothing else. */
export function postgresPrivileges({ name, settings, tools, own }: PrivilegesFor<PostgresSettings>): string {
  const role = pg.escapeIdentifier(settings.username);
  const statements = tools.flatMap((tool) => requestsOf(tool).flatMap(({ sql }) => (sql ? [sql.text] : [])));
  const has = (verb: string) => tools.some((tool) => tool.name === `postgres.${verb}`);
  const shows = statements.some((text) => SHOWS.test(text));
  const signals = statements.some((text) => SIGNALS.test(text));
  return [
    `-- The role of the instance ${name}. Run this as a superuser in the database ${settings.database}, then give it a password: \\password ${settings.username}`,
    `create role ${role} login nosuperuser nocreatedb nocreaterole connection limit 10;`,
    `grant connect on database ${pg.escapeIdentifier(settings.database)} to ${role};`,
    ...(shows
      ? [
          "-- What other sessions run, the sizes of all databases, replication and pg_stat_statements. It shows other people's statements.",
          `grant pg_read_all_stats to ${role};`,
        ]
      : []),
    ...(has('slow_queries')
      ? [
          '-- postgres.slow_queries needs the extension, which only a superuser can add: create extension pg_stat_statements;',
        ]
      : []),
    ...(signals
      ? [
          '-- To cancel queries and end sessions, of anybody but superusers; theirs only a superuser can.',
          `grant pg_signal_backend to ${role};`,
        ]
      : []),
    ...(has('reindex')
      ? [
          '-- To rebuild indexes, of all tables; Postgres 17 and later. For some tables only, instead: grant maintain on TABLE to the role.',
          '-- Before Postgres 17 only the owner of a table can: grant the role that owns it. In both cases it needs usage on the schema.',
          `grant pg_maintain to ${role};`,
        ]
      : []),
    ...(has('drop_replication_slot')
      ? [
          '-- To drop a replication slot; there is no smaller privilege. Whoever has it can also stream the whole server away:',
          '-- leave the tool postgres.drop_replication_slot out, or let pg_hba.conf refuse the role under `replication`.',
          `alter role ${role} replication;`,
        ]
      : []),
    ...own.flatMap((tool) => [
      `-- ${tool.name} is your own; what its statements need, only you know. They name:`,
      ...namedBy(requestsOf(tool).flatMap(({ sql }) => (sql ? [sql.text] : []))).map(
        ({ verb, table }) => `-- grant ${verb} on ${table} to ${role};`,
      ),
    ]),
  ].join('\n');
}

const VERBS: Readonly<Record<string, string>> = {
  from: 'select',
  join: 'select',
  update: 'select, update',
  'insert into': 'insert',
  'delete from': 'select, delete',
};

/** What a statement seems to need, as a person would read it; never granted by itself. */
function namedBy(statements: readonly string[]): { verb: string; table: string }[] {
  const found = statements.flatMap((text) =>
    [...text.toLowerCase().matchAll(/\b(delete\s+from|insert\s+into|from|join|update)\s+([a-z_][\w.]*)/g)].map(
      ([, words = '', table = '']) => ({ verb: VERBS[words.replace(/\s+/g, ' ')] ?? 'select', table }),
    ),
  );
  const others = found.filter(({ table }) => !/^(?:pg_|select$|unnest$|lateral$)/.test(table));
  return [...new Map(others.map((one) => [`${one.verb} ${one.table}`, one])).values()];
}
