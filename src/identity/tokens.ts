import { createHash, randomBytes } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Role } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Scope } from './scopes.ts';

const MINUTE_MS = 60_000;

/** Appends one event of no incident to the audit. */
export type RecordEvent = (event: {
  readonly type: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
}) => Promise<void>;

export interface TokenDependencies {
  readonly db: Database;
  readonly record: RecordEvent;
  /** How the configuration spells this person, or null. */
  readonly spelled: (person: string) => string | null;
  /** Whether a token is, in effect, an administrator's, for good and without restriction. */
  readonly isAdmin: (token: TokenRow) => boolean;
}

/** What a token is worth. */
export interface TokenRow {
  readonly person: string;
  readonly role: Role;
  /** Null where it may all that its role may. */
  readonly scopes: readonly Scope[] | null;
  /** Null where it is good until it is revoked. */
  readonly expiresAt: Date | null;
}

export interface NewToken extends Pick<TokenRow, 'person' | 'role'>, Partial<Pick<TokenRow, 'scopes' | 'expiresAt'>> {
  readonly name: string;
  readonly secret: string;
}

/** A token as it can be shown; of the secret not even the hash. */
export interface ListedToken extends TokenRow {
  readonly name: string;
  readonly createdAt: Date;
  /** To the minute; null where it was never used. */
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

/** Makes a secret of 32 random bytes; `nst_` tells secret scanners what it is. */
export function newSecret(): string {
  return `nst_${randomBytes(32).toString('base64url')}`;
}

/** Stores a personal token, of whose secret only the hash is kept. @throws NightshiftError `conflict`, see `Identity.addToken`. */
export async function addToken(
  { db, record, spelled }: TokenDependencies,
  { name, person, role, secret, scopes = null, expiresAt = null }: NewToken,
  by: string,
): Promise<void> {
  await db.transaction(async () => {
    // Two spellings of one person would count as two people.
    const known = [spelled(person) ?? [], (await listTokens(db)).map((token) => token.person)].flat();
    const same = known.find((one) => one.toLowerCase() === person.toLowerCase());
    if (same !== undefined && same !== person)
      throw new NightshiftError('conflict', `${person} is known here as ${same}. Fix: use --person ${same}`);
    const { numInsertedOrUpdatedRows } = await db.q
      .insertInto('token')
      .values({
        name,
        person,
        role,
        sha256: scopes || expiresAt ? restrictedHash(secret) : hash(secret),
        scopes: scopes && [...scopes],
        expires_at: expiresAt,
      })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows !== 1n)
      throw new NightshiftError(
        'conflict',
        `there is, or was, a token named ${name}. Fix: choose another name, and --person ${person}`,
      );
    const restricted = { ...(scopes && { scopes }), ...(expiresAt && { expiresAt }) };
    await record({ type: 'token.created', actor: by, data: { name, person, role, ...restricted } });
  });
}

/**
 * Makes sure that a token file's secret is good. On an embedded database it replaces whatever was stored under its name; on one
 * that replicas share, a replica's own file is added under a name of its own, so that none locks the others out. False when this
 * very secret was revoked: it stays so.
 */
export async function setToken(
  { db, record }: Pick<TokenDependencies, 'db' | 'record'>,
  { name, person, role, secret }: NewToken,
): Promise<boolean> {
  const sha256 = hash(secret);
  return db.transaction(async () => {
    // Replicas that start at once all want the same name.
    await sql`select pg_advisory_xact_lock(hashtextextended('nightshift token files', 0))`.execute(db.q);
    const same = await db.q.selectFrom('token').select('revoked_at').where('sha256', '=', sha256).executeTakeFirst();
    if (same) return same.revoked_at === null;
    const taken = await db.q
      .selectFrom('token')
      .select(['id', 'revoked_at'])
      .where('name', '=', name)
      .executeTakeFirst();
    const own = taken ? `${name}-${sha256.slice(0, 6)}` : name;
    const replaces = taken !== undefined && taken.revoked_at === null && db.kind === 'embedded';
    if (replaces) await db.q.updateTable('token').set({ sha256, role, person }).where('id', '=', taken.id).execute();
    else await db.q.insertInto('token').values({ name: own, person, role, sha256 }).execute();
    const data = { name: replaces ? name : own, person, role, replaces };
    await record({ type: 'token.created', actor: 'nightshift', data });
    return true;
  });
}

/** That a token is good, in the words of SQL: neither revoked nor expired by the database's clock. */
export const TOKEN_STANDS = sql<boolean>`token.revoked_at is null
  and (token.expires_at is null or token.expires_at > clock_timestamp())`;

/** That a token's secret has this hash, in the words of SQL. */
export function hasHash(hash: RawBuilder<unknown>): RawBuilder<boolean> {
  return sql`token.sha256 in (${hash}, ${restrictedSql(hash)})`;
}

/** Gives the standing token that a secret is, or null. Looking up its hash leaks nothing about the secret through time. */
export async function standingToken(db: Database, secret: string): Promise<(TokenRow & { name: string }) | null> {
  const row = await db.q
    .selectFrom('token')
    .select(['id', 'name', 'person', 'role', 'scopes', 'expires_at'])
    .where('sha256', 'in', [hash(secret), restrictedHash(secret)])
    .where(TOKEN_STANDS)
    .executeTakeFirst();
  if (!row) return null;
  const minute = new Date(Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS);
  await db.q
    .updateTable('token')
    .set({ last_used_at: minute })
    .where('id', '=', row.id)
    .where((where) => where.or([where('last_used_at', 'is', null), where('last_used_at', '<', minute)]))
    .execute();
  return { name: row.name, person: row.person, ...worthOf(row) };
}

function worthOf({ role, scopes, expires_at }: { role: string; scopes: string[] | null; expires_at: Date | null }) {
  return { role: role as Role, scopes: scopes as Scope[] | null, expiresAt: expires_at };
}

/** Gives every token that there ever was, oldest first. */
export async function listTokens(db: Database): Promise<ListedToken[]> {
  const rows = await db.q
    .selectFrom('token')
    .select(['name', 'person', 'role', 'scopes', 'expires_at', 'created_at', 'last_used_at', 'revoked_at'])
    .orderBy('id')
    .execute();
  return rows.map(({ name, person, created_at, last_used_at, revoked_at, ...worth }) => ({
    name,
    person,
    ...worthOf(worth),
    createdAt: created_at,
    lastUsedAt: last_used_at,
    revokedAt: revoked_at,
  }));
}

/** Gives the different people who hold a standing token that is worth so much. */
export async function holdersOf(db: Database, such: (token: Omit<TokenRow, 'person'>) => boolean): Promise<string[]> {
  const rows = await db.q
    .selectFrom('token')
    .select(['person', 'role', 'scopes', 'expires_at'])
    .where(TOKEN_STANDS)
    .execute();
  return [...new Set(rows.filter((row) => such(worthOf(row))).map(({ person }) => person))];
}

/** Ends a token for good: its secret is refused from now on, and its name stays taken. @throws see `Identity.revokeToken`. */
export async function revokeToken({ db, record, isAdmin }: TokenDependencies, name: string, by: string): Promise<void> {
  await db.transaction(async () => {
    // All of them are locked, so that two administrators cannot revoke each other's last ones at once.
    const rows = await db.q
      .selectFrom('token')
      .select(['name', 'person', 'role', 'scopes', 'expires_at', 'revoked_at'])
      .orderBy('id')
      .forUpdate()
      .execute();
    const standing = rows
      .filter(({ revoked_at }) => revoked_at === null)
      .map(({ name: known, person, ...worth }) => ({ name: known, person, ...worthOf(worth) }));
    const token = standing.find((one) => one.name === name);
    if (!token) {
      if (rows.some((row) => row.name === name))
        throw new NightshiftError('conflict', `the token ${name} is revoked already`);
      throw new NightshiftError('not_found', `there is no token ${name}. Fix: list them with: nightshift tokens list`);
    }
    if (isAdmin(token) && !standing.some((one) => one !== token && isAdmin(one)))
      throw new NightshiftError(
        'conflict',
        `${name} is the last token of an administrator, and without one nobody could make another. Fix: make another first, with: nightshift tokens create NAME --role admin`,
      );
    await db.q.updateTable('token').set({ revoked_at: new Date() }).where('name', '=', name).execute();
    await record({ type: 'token.revoked', actor: by, data: { name, person: token.person, role: token.role } });
  });
}

/**
 * A token that may less than its role is kept under another hash than others: a replica of a version that knows no restriction would let it do
 * everything, and so it finds none.
 */
function restrictedHash(secret: string): string {
  return hash(`restricted:${hash(secret)}`);
}

/** The same in the words of SQL, of a secret's plain hash. */
function restrictedSql(plain: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`encode(sha256(convert_to('restricted:' || ${plain}, 'UTF8')), 'hex')`;
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
