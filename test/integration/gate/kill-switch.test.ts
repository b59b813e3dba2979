import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PersonConfig } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createKillSwitch, type KillSwitch } from '../../../src/gate/index.ts';
import { createIdentity, newSecret } from '../../../src/identity/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { allEvents } from '../support/events.ts';

const ADA = { name: 'ada', role: 'approver' } as const;
const BEN = { name: 'ben', role: 'admin' } as const;
const VIC = { name: 'vic', role: 'viewer' } as const;

describe.each(databases)('the kill switch ($name)', ({ name, open }) => {
  let db: Database;
  const { path: directory, remove } = scratchDirectory();
  const file = join(directory, 'kill-switch');

  const make = (people: readonly PersonConfig[] = [ADA, BEN, VIC], at = file) => {
    const identity = createIdentity({ db, people, record: (event) => addEvents(db, null, [event]) });
    return { identity, killSwitch: createKillSwitch({ db, file: at, identity }) };
  };
  const stopped = async (killSwitch: KillSwitch) => (await killSwitch.state()).engaged;
  const say = (by: string) => ({ by, via: 'cli' });
  const events = async (after = 0) =>
    (await allEvents(db, after)).map(({ type, actor, incidentId }) => ({ type, actor, incidentId }));

  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
    remove();
  });
  beforeEach(async () => {
    rmSync(file, { recursive: true, force: true });
    await db.q.deleteFrom('token').execute();
    await db.q.deleteFrom('kill_switch').execute();
    await db.q
      .insertInto('kill_switch')
      .values({ engaged: false, reason: '', by: 'x', via: 'x', release_votes: [] })
      .execute();
  });

  it('is off at first, and tells who stopped everything, when and why', async () => {
    const { killSwitch } = make();
    expect(await killSwitch.state()).toMatchObject({ engaged: false, why: '', releaseVotes: [] });
    await killSwitch.engage({ ...say('ada'), reason: 'it purges the \u001b[31mwrong\u202e spool' });
    expect(await killSwitch.state()).toEqual({
      engaged: true,
      why: 'ada stopped everything via cli: it purges the [31mwrong spool',
      by: 'ada',
      at: expect.any(Date),
      releaseVotes: [],
    });
    expect((await events()).at(-1)).toEqual({ type: 'kill_switch.engaged', actor: 'ada', incidentId: null });
  });

  it('is read anew every time, whoever changed it', async () => {
    const { killSwitch } = make();
    expect(await stopped(killSwitch)).toBe(false);
    await sql`update kill_switch set engaged = true`.execute(db.q);
    expect(await stopped(killSwitch)).toBe(true);
    await sql`update kill_switch set engaged = false`.execute(db.q);
    expect(await stopped(killSwitch)).toBe(false);
  });

  if (name === 'postgres')
    it('is seen from within a transaction that began before', async () => {
      const { killSwitch } = make();
      const reading = Promise.withResolvers<void>();
      const engaged = Promise.withResolvers<void>();
      const seen = db.transaction(async () => {
        const before = await stopped(killSwitch);
        reading.resolve();
        await engaged.promise;
        return [before, await stopped(killSwitch)];
      });
      await reading.promise;
      await killSwitch.engage({ ...say('ada'), reason: '' });
      engaged.resolve();
      expect(await seen).toEqual([false, true]);
    });

  describe('is released', () => {
    it('by two different people, where two may decide; the same one twice is one', async () => {
      const { killSwitch } = make();
      await killSwitch.engage({ ...say('ada'), reason: '' });
      const after = (await allEvents(db)).at(-1)?.id ?? 0;
      expect(await killSwitch.release(say('ada'))).toEqual({ released: false, needs: 'one more person, of ben' });
      expect(await killSwitch.release({ by: 'ada', via: 'slack' })).toMatchObject({ released: false });
      expect(await killSwitch.state()).toMatchObject({ engaged: true, releaseVotes: ['ada'] });
      expect(await killSwitch.release(say('ben'))).toEqual({ released: true, needs: '' });
      expect(await killSwitch.state()).toMatchObject({ engaged: false, why: '', releaseVotes: [] });
      expect(await killSwitch.release(say('ben'))).toEqual({ released: true, needs: '' });
      expect((await events(after)).map(({ type, actor }) => `${type} ${actor}`)).toEqual([
        'kill_switch.release_asked ada',
        'kill_switch.released ben',
      ]);
    });

    it('never by one person at once from many places, and by two at once', async () => {
      const { killSwitch } = make();
      for (let round = 0; round < 10; round += 1) {
        await killSwitch.engage({ ...say('ada'), reason: '' });
        const alone = await Promise.all(Array.from({ length: 5 }, () => killSwitch.release(say('ada'))));
        expect(alone.some(({ released }) => released)).toBe(false);
        expect(await killSwitch.state()).toMatchObject({ engaged: true, releaseVotes: ['ada'] });
        await killSwitch.engage({ ...say('ada'), reason: '' });
        const both = await Promise.all([killSwitch.release(say('ada')), killSwitch.release(say('ben'))]);
        expect(both.filter(({ released }) => released)).toHaveLength(1);
        expect(await stopped(killSwitch)).toBe(false);
      }
    });

    it('only by people who are listed, where two of the list may decide', async () => {
      const { killSwitch, identity } = make();
      await identity.addToken({ name: 'admin', person: 'admin', role: 'admin', secret: newSecret() }, 'x');
      await killSwitch.engage({ ...say('admin'), reason: '' });
      await killSwitch.release(say('ada'));
      for (const stranger of ['admin', 'vic', 'Ben'])
        await expect(killSwitch.release(say(stranger)), stranger).rejects.toMatchObject({
          code: 'forbidden',
          message: expect.stringContaining('let two of ada, ben do it'),
        });
      expect(await killSwitch.state()).toMatchObject({ engaged: true, releaseVotes: ['ada'] });
    });

    it('by one person, where only one of the list may decide', async () => {
      const { killSwitch } = make([ADA, VIC]);
      await killSwitch.engage({ ...say('ada'), reason: '' });
      expect(await killSwitch.release(say('ada'))).toEqual({ released: true, needs: '' });
    });

    it('where nobody is listed, by two of those who hold tokens that may decide, as long as there are two', async () => {
      const { killSwitch, identity } = make([]);
      const add = (token: string, person: string, role: 'viewer' | 'approver' | 'admin') =>
        identity.addToken({ name: token, person, role, secret: newSecret() }, 'x');
      await add('admin', 'admin', 'admin');
      await add('vic', 'vic', 'viewer');
      await killSwitch.engage({ ...say('admin'), reason: '' });
      expect(await killSwitch.release(say('admin'))).toMatchObject({ released: true });

      await add('ada-laptop', 'ada', 'approver');
      await add('ada-phone', 'ada', 'approver');
      await add('cleo', 'cleo', 'approver');
      await killSwitch.engage({ ...say('admin'), reason: '' });
      expect(await killSwitch.release(say('cleo'))).toMatchObject({ needs: 'one more person, of admin, ada' });
      // Who cannot decide any more does not count any more.
      await identity.revokeToken('cleo', 'admin');
      expect(await killSwitch.release(say('ada'))).toEqual({ released: false, needs: 'one more person, of admin' });
      expect(await killSwitch.release(say('admin'))).toMatchObject({ released: true });
    });

    it('only by what was said since it was engaged last', async () => {
      const { killSwitch } = make();
      await killSwitch.engage({ ...say('ada'), reason: 'once' });
      await killSwitch.release(say('ada'));
      await killSwitch.engage({ ...say('ben'), reason: 'again' });
      expect(await killSwitch.state()).toMatchObject({ by: 'ben', releaseVotes: [] });
      expect(await killSwitch.release(say('ben'))).toMatchObject({ released: false });
    });

    it('not while the file is there', async () => {
      const { killSwitch } = make([ADA]);
      await killSwitch.engage({ ...say('ada'), reason: 'by hand' });
      writeFileSync(file, 'and by file\n');
      await expect(killSwitch.release(say('ada'))).rejects.toMatchObject({
        code: 'conflict',
        message: `the file ${file} exists: and by file. Fix: remove that file, then release it again`,
      });
      const { why, by } = await killSwitch.state();
      expect(why).toBe(`ada stopped everything via cli: by hand; the file ${file} exists: and by file`);
      expect(by).toBe('ada');
      rmSync(file);
      expect(await stopped(killSwitch)).toBe(true);
      expect(await killSwitch.release(say('ada'))).toMatchObject({ released: true });
    });
  });

  describe('is engaged by its file', () => {
    it('from the moment that it exists until it is gone, with its content as the reason', async () => {
      const { killSwitch } = make();
      writeFileSync(file, '');
      expect(await killSwitch.state()).toMatchObject({ engaged: true, why: `the file ${file} exists` });
      writeFileSync(file, `${'deploy\u202e running\n'.repeat(100_000)}`);
      const { why } = await killSwitch.state();
      expect(why).toContain('exists: deploy running deploy');
      expect(why.length).toBeLessThan(500);
      rmSync(file);
      expect(await killSwitch.state()).toMatchObject({ engaged: false, why: '' });
    });

    it('whatever kind of file it is', async () => {
      const { killSwitch } = make();
      mkdirSync(file);
      expect(await stopped(killSwitch)).toBe(true);
      rmSync(file, { recursive: true });
      symlinkSync(join(directory, 'nowhere'), file);
      expect(await stopped(killSwitch)).toBe(true);
    });
  });

  describe('is engaged by whatever keeps it from being read:', () => {
    it('a file about which nothing can be known', async () => {
      const plainFile = join(directory, 'plain-file');
      writeFileSync(plainFile, '');
      symlinkSync('loop', join(directory, 'loop'));
      const unreadable = { ENOTDIR: plainFile, ELOOP: join(directory, 'loop'), ENAMETOOLONG: 'x'.repeat(5000) };
      for (const [code, folder] of Object.entries(unreadable)) {
        const { killSwitch } = make([ADA], join(folder, 'kill-switch'));
        expect(await killSwitch.state()).toMatchObject({
          engaged: true,
          why: expect.stringContaining(code),
          by: expect.any(String),
        });
        await expect(killSwitch.release(say('ada'))).rejects.toMatchObject({ code: 'conflict' });
      }
    });

    it('a folder that is not there, where the file could not be found', async () => {
      const { killSwitch } = make([ADA], join(directory, 'misspelt', 'kill-switch'));
      expect(await killSwitch.state()).toMatchObject({ engaged: true, why: expect.stringContaining('the folder of') });
    });

    it('a row that is gone, until it is engaged and released', async () => {
      const { killSwitch } = make([ADA]);
      await db.q.deleteFrom('kill_switch').execute();
      expect(await killSwitch.state()).toMatchObject({
        engaged: true,
        why: expect.stringContaining('is gone'),
        by: null,
      });
      await expect(killSwitch.release(say('ada'))).rejects.toMatchObject({ code: 'conflict' });
      await killSwitch.engage({ ...say('ada'), reason: '' });
      expect(await killSwitch.release(say('ada'))).toMatchObject({ released: true });
    });

    it('a database that is closed', async () => {
      const closed = await open();
      const killSwitch = createKillSwitch({ db: closed, file, identity: { deciders: async () => [] } });
      expect(await stopped(killSwitch)).toBe(false);
      await closed.close();
      expect(await killSwitch.state()).toMatchObject({
        engaged: true,
        why: expect.stringContaining('cannot be read from the database'),
        by: null,
        at: null,
      });
    });
  });
});
