import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { examineDatabase } from '../../../src/doctor/index.ts';
import { startQueue } from '../../../src/remediation/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { asOwner } from '../retention/old-audit.ts';

describe.each(databases)('what doctor sees of a database on $name', ({ name, open }) => {
  let db: Database;
  const directory = scratchDirectory();
  beforeAll(async () => {
    db = await open();
    await (await startQueue(db, createLogger('silent'))).stop();
  });
  afterAll(async () => {
    await db.close();
    directory.remove();
  });
  const examine = () => examineDatabase(db, { killSwitchFile: join(directory.path, 'kill-switch') });
  const bad = async () => (await examine()).filter(({ status }) => status !== 'ok');

  it('is in order where nothing is the matter', async () => {
    const findings = await examine();
    expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual([
      'database',
      'extensions',
      'migrations',
      'indexes',
      ...(name === 'postgres' ? ['connections'] : []),
      'database size',
      'clock of the database',
      'kill switch',
      'incidents',
      'actions',
      'jobs',
      'overload',
      'messages',
    ]);
  });

  const INCIDENT = `insert into incident (id, state, correlation_key, title, severity, labels, trace_id, context, updated_at)
    overriding system value values (7, 'escalated', 'k', 't', 's', '{}', '', '{}', now() - interval '5 minutes')`;
  const ACTION = `insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin,
      reason, expected_effect, undo, labels, definition_sha256, status)
    values ('a', 7, 1, 1, 1, '', '', '{}', '', 'safe', '', '', '', '', '', '{}', '', 'unknown')`;
  const JOB = (columns: string, values: string) =>
    `insert into pgboss.job (name, data, ${columns}) values ('advance-incident', '{"incident": 7}', ${values})`;
  it.each<[string, string[], string[], object]>([
    [
      'an incident that nobody works on',
      [INCIDENT],
      [],
      { check: 'incidents', status: 'warn', what: '1 open without anybody at work: INC-7' },
    ],
    [
      'an action of which nobody knows what became of it',
      [INCIDENT, ACTION, `insert into intent (action_id, target, outcome) values ('a', '', 'unknown')`],
      ['delete from intent', 'delete from action'],
      { check: 'actions', status: 'warn', what: 'nobody knows what became of 1: INC-7' },
    ],
    [
      'an action that was begun and never ended',
      [
        INCIDENT,
        ACTION,
        `insert into intent (action_id, target, busy_until) values ('a', '', now() - interval '10 minutes')`,
      ],
      ['delete from intent', 'delete from action'],
      { check: 'actions', status: 'warn' },
    ],
    [
      'a job that keeps failing',
      [JOB('state, retry_count', `'retry', 6`)],
      [],
      { check: 'jobs', status: 'warn', what: '1 keep(s) failing' },
    ],
    [
      'jobs that wait too long',
      [JOB('start_after', `now() - interval '200 seconds'`)],
      [],
      { check: 'jobs', status: 'warn', what: expect.stringMatching(/^1 wait\(s\), the oldest for 20\d s$/) },
    ],
    [
      'a message that no channel gets through',
      [`insert into outbox (kind, message, failed_at) values ('x', '{}', now())`],
      ['delete from outbox'],
      { check: 'messages', status: 'fail', what: '1 that no channel gets through' },
    ],
    [
      'a stop',
      [`update kill_switch set engaged = true, by = 'ada', via = 'api', reason = 'game day'`],
      ['update kill_switch set engaged = false'],
      {
        check: 'kill switch',
        status: 'warn',
        what: 'everything is stopped: ada stopped everything via api: game day',
        fix: expect.stringContaining('nightshift resume'),
      },
    ],
    [
      'an index that is not valid',
      [`update pg_index set indisvalid = false where indexrelid = 'incident_closed'::regclass`],
      [`update pg_index set indisvalid = true where indexrelid = 'incident_closed'::regclass`],
      {
        check: 'indexes',
        status: 'fail',
        what: 'incident_closed is not valid, and no query uses it',
        fix: 'run: reindex index incident_closed',
      },
    ],
    [
      'a migration that was not done',
      [
        `update kysely_migration set name = 'x-' || name where name = '0018_retention'`,
        `delete from kysely_migration where name = 'x-0018_retention'`,
      ],
      [`insert into kysely_migration select '0018_retention', timestamp from kysely_migration limit 1`],
      { check: 'migrations', status: 'fail', what: 'not done yet: 0018_retention' },
    ],
    [
      'a database of a newer version',
      [`insert into kysely_migration select '9999_future', timestamp from kysely_migration limit 1`],
      [`delete from kysely_migration where name = '9999_future'`],
      { check: 'migrations', status: 'fail', what: 'a newer Nightshift was here: 9999_future' },
    ],
    [
      'an extension that is missing',
      [
        'alter extension pg_trgm set schema pg_catalog',
        `update pg_extension set extname = 'gone' where extname = 'pg_trgm'`,
      ],
      [
        `update pg_extension set extname = 'pg_trgm' where extname = 'gone'`,
        'alter extension pg_trgm set schema public',
      ],
      {
        check: 'extensions',
        status: 'fail',
        what: 'pg_trgm is missing',
        fix: 'let a superuser run: create extension pg_trgm',
      },
    ],
  ])('sees %s', async (_, breaks, mends, expected) => {
    await asOwner(db, ...breaks);
    const found = await bad();
    await asOwner(db, ...mends, 'delete from incident', `delete from pgboss.job`);
    expect(found).toEqual(expect.arrayContaining([expect.objectContaining(expected)]));
    expect(
      found.filter(({ check }) => check !== (expected as { check: string }).check && check !== 'incidents'),
    ).toEqual([]);
    for (const { fix } of found) expect(fix).toBeTruthy();
    expect(await bad()).toEqual([]);
  });

  if (name === 'postgres')
    it('sees that hardly any connection is left', async () => {
      const { rows } =
        await db.executeSql(`select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as free`);
      // Taking them all would be felt by whoever else tests on this server.
      const { free } = rows[0] as { free: number };
      const [told] = (await examine()).filter(({ check }) => check === 'connections');
      expect(Number(/^\d+/.exec(told?.what ?? '')?.[0])).toBeGreaterThan(free - 30);
    });
});
