import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { lockDataDir } from '../../../src/database/lock.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory, startProgram } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));

it('a start that fails ends with 1, and gives the data directory back', async () => {
  const { path, remove } = scratchDirectory();
  const config = { runbooks: ['nowhere'], policies: [join(root, 'policies')] };
  writeFileSync(join(path, 'nightshift.yaml'), JSON.stringify(config));
  const program = await startProgram(process.execPath, [join(root, 'src/main.ts'), 'start'], {
    directory: path,
    env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NIGHTSHIFT_PORT: '0' },
  });
  await program.waitForLine(/there is no such folder\. Fix: create the folder/, 60);
  const began = performance.now();
  expect(await program.exited).toMatchObject({ code: 1 });
  expect(performance.now() - began).toBeLessThan(5000);
  lockDataDir(join(path, '.nightshift'))();
  remove();
}, 90_000);

it.each([
  { what: 'is a file', dataDir: 'nightshift.yaml' },
  { what: 'lies in a file', dataDir: 'nightshift.yaml/below' },
])(
  'a start whose data directory $what says so, and what to do',
  async ({ dataDir }) => {
    const { path, remove } = scratchDirectory();
    writeFileSync(join(path, 'nightshift.yaml'), JSON.stringify({ dataDir, policies: [join(root, 'policies')] }));
    const program = await startProgram(process.execPath, [join(root, 'src/main.ts'), 'start'], {
      directory: path,
      env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NIGHTSHIFT_PORT: '0' },
    });
    await program.waitForLine(/the data directory .* cannot be used: .*Fix: give the user that runs Nightshift/, 60);
    expect(await program.exited).toMatchObject({ code: 1 });
    remove();
  },
  90_000,
);

const served = 'a second server on one data directory';
describe.skipIf(requireParts(served, 'postgres'))(served, () => {
  it('is refused on a served Postgres too', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    const { path, remove } = scratchDirectory();
    const config = { runbooks: [], policies: [join(root, 'policies')] };
    writeFileSync(join(path, 'nightshift.yaml'), JSON.stringify(config));
    const start = () =>
      startProgram(process.execPath, [join(root, 'src/main.ts'), 'start'], {
        directory: path,
        env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NIGHTSHIFT_PORT: '0', DATABASE_URL: url },
      });
    const first = await start();
    try {
      await first.waitForLine(/webhook/, 60);
      const second = await start();
      await second.waitForLine(/is in use by another Nightshift \(process \d+\)\. Fix: stop the other/, 60);
      expect(await second.exited).toMatchObject({ code: 1 });
    } finally {
      await first.stop();
      remove();
      await drop();
    }
  }, 90_000);
});

const story = 'a start on a Postgres that has no connection left for it';
describe.skipIf(requireParts(story, 'postgres'))(story, () => {
  it.each([
    { left: 0, at: 'the first connection' },
    { left: 1, at: 'a later one' },
  ])(
    'tells how many it needs, at $at',
    async ({ left }) => {
      const { url, drop } = await throwawayDatabaseUrl();
      const { pathname } = new URL(url);
      const role = `limited_of${pathname.replace('/', '_')}`;
      const admin = new pg.Client(url);
      await admin.connect();
      await admin.query(`create extension vector; create extension pg_trgm; create role ${role} login password 'limited' connection limit ${left};
      alter database ${pathname.slice(1)} owner to ${role}; grant create on schema public to ${role}`);
      const { path, remove } = scratchDirectory();
      const limited = Object.assign(new URL(url), { username: role, password: 'limited' }).href;
      writeFileSync(
        join(path, 'nightshift.yaml'),
        JSON.stringify({ policies: [join(root, 'policies')], runbooks: [] }),
      );
      const program = await startProgram(process.execPath, [join(root, 'src/main.ts'), 'start'], {
        directory: path,
        env: { PATH: process.env.PATH ?? '', LANG: 'C.UTF-8', NIGHTSHIFT_PORT: '0', DATABASE_URL: limited },
      });
      try {
        await program.waitForLine(/too many connections for role .* Fix: let it have 12 \(max_connections/, 60);
        expect(await program.exited).toMatchObject({ code: 1 });
      } finally {
        await program.stop();
        remove();
        await admin.end();
        await drop();
        await dropRole(role);
      }
    },
    90_000,
  );

  async function dropRole(role: string): Promise<void> {
    const admin = new pg.Client(process.env.NIGHTSHIFT_TEST_DATABASE_URL);
    await admin.connect();
    await admin.query(`drop role ${role}`);
    await admin.end();
  }
});
