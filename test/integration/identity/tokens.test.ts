import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PersonConfig, Role } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import { createIdentity, type Identity, newSecret } from '../../../src/identity/index.ts';
import { addEvents } from '../../../src/incident/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { allEvents } from '../support/events.ts';

const PEOPLE: readonly PersonConfig[] = [
  { name: 'ada', role: 'approver', slack: 'T01/U01', email: 'Ada@example.com' },
  { name: 'ben', role: 'admin', slack: 'T01/U02' },
  { name: 'vic', role: 'viewer', slack: 'T02/U01' },
];

describe.each(databases)('identity ($name)', ({ name: kind, open }) => {
  let db: Database;
  const directory = (people: readonly PersonConfig[] = []) =>
    createIdentity({ db, people, record: (event) => addEvents(db, null, [event]) });
  const token = (name: string, role: Role, person = name) => ({ name, person, role, secret: newSecret() });
  const add = async (identity: Identity, name: string, role: Role, person = name) => {
    const made = token(name, role, person);
    await identity.addToken(made, 'root');
    return made.secret;
  };
  const lastEvents = async (count: number) =>
    (await allEvents(db)).slice(-count).map(({ type, actor, data }) => ({ type, actor, data }));

  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db?.close());
  beforeEach(async () => {
    await db.q.deleteFrom('token').execute();
  });

  it('lets replicas that start at once each keep their administrator', async () => {
    const files = Array.from({ length: 6 }, () => token('admin', 'admin'));
    // Each is still at it when the next one looks.
    const slow = createIdentity({
      db,
      people: [],
      record: async (event) => {
        await new Promise((resolve) => setTimeout(resolve, 300));
        await addEvents(db, null, [event]);
      },
    });
    expect(await Promise.all(files.map((file) => slow.setToken(file)))).toEqual(files.map(() => true));
    const good = await Promise.all(files.map(({ secret }) => directory().ofToken(secret)));
    // Only one process can run on an embedded database, so there the last file counts.
    expect(good.filter((one) => one?.role === 'admin')).toHaveLength(kind === 'embedded' ? 1 : files.length);
  });

  describe('somebody', () => {
    it('is the person of their token, whichever token it is', async () => {
      const identity = directory();
      const [laptop, phone] = [
        await add(identity, 'ada-laptop', 'approver', 'ada'),
        await add(identity, 'ada', 'viewer'),
      ];
      expect(await identity.ofToken(laptop)).toEqual({ name: 'ada', role: 'approver', token: 'ada-laptop' });
      expect(await identity.ofToken(phone)).toEqual({ name: 'ada', role: 'viewer', token: 'ada' });
      for (const wrong of ['', 'ada', newSecret(), laptop.slice(0, -1), `${laptop} `])
        expect(await identity.ofToken(wrong), wrong).toBeNull();
    });

    it('may do no more than token and person may', async () => {
      const identity = directory(PEOPLE);
      const role = async (secret: string) => (await identity.ofToken(secret))?.role;
      expect(await role(await add(identity, 'a1', 'admin', 'ada'))).toBe('approver');
      expect(await role(await add(identity, 'a2', 'viewer', 'ada'))).toBe('viewer');
      expect(await role(await add(identity, 'v1', 'admin', 'vic'))).toBe('viewer');
      expect(await role(await add(identity, 'b1', 'approver', 'ben'))).toBe('approver');
      expect(await role(await add(identity, 'x1', 'admin', 'unlisted'))).toBe('admin');
      expect((await identity.listTokens()).map(({ name, effectiveRole }) => `${name} ${effectiveRole}`)).toEqual([
        'a1 approver',
        'a2 viewer',
        'v1 viewer',
        'b1 approver',
        'x1 admin',
      ]);
    });

    it('is one person in whatever spelling', async () => {
      const plain = directory();
      const secret = await add(plain, 'ben-laptop', 'approver', 'BEN');
      expect(await directory(PEOPLE).ofToken(secret)).toMatchObject({ name: 'ben' });
      await expect(add(plain, 'two', 'approver', 'Ben')).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('--person BEN'),
      });
      await expect(add(directory(PEOPLE), 'three', 'approver', 'ADA')).rejects.toMatchObject({
        message: expect.stringContaining('--person ada'),
      });
      await add(plain, 'root', 'admin');
      await plain.revokeToken('ben-laptop', 'root');
      await expect(add(plain, 'four', 'approver', 'Ben')).rejects.toMatchObject({ code: 'conflict' });
    });

    it('is known by Slack team and user together; where nobody is listed, nobody is', async () => {
      const identity = directory(PEOPLE);
      expect(identity.ofSlack('T01', 'U01')).toEqual({ name: 'ada', role: 'approver' });
      expect(identity.ofSlack('T02', 'U01')).toEqual({ name: 'vic', role: 'viewer' });
      for (const [team, user] of [
        ['T02', 'U02'],
        ['T01', ''],
        ['', 'T01/U01'],
        ['T01', 'u01'],
      ] as const)
        expect(identity.ofSlack(team, user), `${team} ${user}`).toBeNull();
      expect(directory([]).ofSlack('T01', 'U01')).toBeNull();
      expect(directory([{ name: 'eve', role: 'admin' }]).ofSlack('', '')).toBeNull();
    });

    it('is known by the address in commits', () => {
      expect(directory(PEOPLE).personByEmail('ada@EXAMPLE.com')).toBe('ada');
      for (const unknown of ['ben@example.com', '', 'undefined'])
        expect(directory(PEOPLE).personByEmail(unknown)).toBeNull();
    });

    it('decides, if the list or a token says so', async () => {
      expect(directory(PEOPLE).approvers()).toEqual(['ada', 'ben']);
      await add(directory(), 'x', 'admin');
      expect(await directory(PEOPLE).deciders()).toEqual(['ada', 'ben']);
      expect(directory().approvers()).toEqual([]);
      await add(directory(), 'x-phone', 'approver', 'x');
      await add(directory(), 'y', 'viewer');
      expect(await directory().deciders()).toEqual(['x']);
    });
  });

  describe('tokens', () => {
    it('are stored by their hash alone, and every one leaves an event', async () => {
      const identity = directory();
      const ada = token('ada-laptop', 'approver', 'ada');
      await identity.addToken(ada, 'root');
      await identity.addToken(token('root', 'admin'), 'root');
      await identity.revokeToken('ada-laptop', 'root');
      const data = { name: 'ada-laptop', person: 'ada', role: 'approver' };
      expect(await lastEvents(3)).toEqual([
        { type: 'token.created', actor: 'root', data },
        expect.anything(),
        { type: 'token.revoked', actor: 'root', data },
      ]);
      const everything = JSON.stringify([
        await db.q.selectFrom('token').selectAll().execute(),
        await db.q.selectFrom('event').selectAll().execute(),
        await identity.listTokens(),
      ]);
      expect(everything).not.toContain(ada.secret);
    });

    it('are refused from the moment that they are revoked, and their names stay taken', async () => {
      const identity = directory();
      const ada = token('ada', 'approver');
      await identity.addToken(token('root', 'admin'), 'root');
      await identity.addToken(ada, 'root');
      expect(await identity.ofToken(ada.secret)).not.toBeNull();
      await identity.revokeToken('ada', 'root');
      expect(await identity.ofToken(ada.secret)).toBeNull();
      await expect(identity.addToken(token('ada', 'approver'), 'root')).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('choose another name'),
      });
      await expect(identity.revokeToken('ada', 'root')).rejects.toMatchObject({ code: 'conflict' });
      await expect(identity.revokeToken('nobody', 'root')).rejects.toMatchObject({ code: 'not_found' });
      expect((await identity.listTokens()).map(({ name, revokedAt }) => [name, revokedAt !== null])).toEqual([
        ['root', false],
        ['ada', true],
      ]);
    });

    it('tell when they were last used, to the minute and with one write a minute', async () => {
      const identity = directory();
      const ada = token('ada', 'approver');
      await identity.addToken(ada, 'root');
      const used = async () => (await identity.listTokens())[0]?.lastUsedAt?.getTime();
      const written = async () =>
        (await sql<{ by: string }>`select xmin::text as by from token`.execute(db.q)).rows[0]?.by;
      expect(await used()).toBeUndefined();
      const began = minuteOf(Date.now());
      await identity.ofToken(ada.secret);
      const first = await written();
      await Promise.all(Array.from({ length: 5 }, () => identity.ofToken(ada.secret)));
      const ended = minuteOf(Date.now());
      expect([began, ended]).toContain(await used());
      // The clock may have gone on to the next minute.
      if (began === ended) expect(await written()).toBe(first);
      await sql`update token set last_used_at = now() - interval '2 minutes'`.execute(db.q);
      await identity.ofToken(ada.secret);
      expect(await used()).toBeGreaterThanOrEqual(began);
    });

    it('always leave one to an administrator', async () => {
      const identity = directory([{ name: 'vic', role: 'viewer' }]);
      await identity.addToken(token('root', 'admin'), 'root');
      await identity.addToken(token('ada', 'approver'), 'root');
      // In effect this one is a viewer's.
      await identity.addToken(token('vic-admin', 'admin', 'vic'), 'root');
      await expect(identity.revokeToken('root', 'root')).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('make another first'),
      });
      await identity.revokeToken('ada', 'root');
      await identity.revokeToken('vic-admin', 'root');
      await identity.addToken(token('root-2', 'admin', 'root'), 'root');
      await identity.revokeToken('root', 'root');
      for (let round = 0; round < 10; round += 1) {
        const [one, two] = [`one-${round}`, `two-${round}`];
        for (const name of [one, two]) await identity.addToken(token(name, 'admin'), 'root');
        const [standing = ''] = (await identity.listTokens())
          .filter(({ revokedAt, name }) => revokedAt === null && ![one, two].includes(name))
          .map(({ name }) => name);
        await identity.revokeToken(standing, one);
        await Promise.allSettled([identity.revokeToken(one, two), identity.revokeToken(two, one)]);
        expect((await identity.listTokens()).filter(({ revokedAt }) => revokedAt === null)).toHaveLength(1);
      }
    });

    it('of a file are good, as long as they were not revoked', async () => {
      const identity = directory();
      const [first, second] = [token('admin', 'admin'), token('admin', 'admin')];
      expect(await identity.setToken(first)).toBe(true);
      expect(await identity.setToken(first)).toBe(true);
      expect(await identity.listTokens()).toHaveLength(1);
      expect(await lastEvents(1)).toEqual([
        {
          type: 'token.created',
          actor: 'nightshift',
          data: { name: 'admin', person: 'admin', role: 'admin', replaces: false },
        },
      ]);

      expect(await identity.setToken(second)).toBe(true);
      expect(await identity.ofToken(second.secret)).toMatchObject({ name: 'admin', role: 'admin' });
      // A replica's own file locks nobody out; the embedded database has no replicas.
      expect((await identity.ofToken(first.secret)) !== null).toBe(kind === 'postgres');

      await identity.addToken(token('root', 'admin'), 'admin');
      for (const { name } of await identity.listTokens()) if (name !== 'root') await identity.revokeToken(name, 'root');
      expect(await identity.setToken(second)).toBe(false);
      expect(await identity.ofToken(second.secret)).toBeNull();
      const third = token('admin', 'admin');
      expect(await identity.setToken(third)).toBe(true);
      expect(await identity.ofToken(third.secret)).toMatchObject({ name: 'admin' });
      expect(await identity.ofToken(second.secret)).toBeNull();
    });
  });
});

function minuteOf(time: number): number {
  return Math.floor(time / 60_000) * 60_000;
}
