import { hash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Role } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Scope } from './scopes.ts';
import { hasHash, newSecret, type RecordEvent, TOKEN_STANDS } from './tokens.ts';

export type SessionVia = 'token' | 'oidc';

/** A session as it is stored; `role` is the most that it is worth. Of the secret not even the hash. */
export interface StoredSession {
  readonly id: string;
  readonly person: string;
  readonly role: Role;
  readonly via: SessionVia;
  /** Name of the token that it was opened with. */
  readonly token: string | null;
  /** Those of the token that it was opened with; null where it may all that its role may. */
  readonly scopes: readonly Scope[] | null;
  /** When the token that it was opened with expires, and it with that; null where that does not. */
  readonly tokenExpiresAt: Date | null;
  /** The browser, as it names itself. */
  readonly client: string;
  readonly createdAt: Date;
  /** To the minute. */
  readonly lastSeenAt: Date;
  readonly expiresAt: Date;
}

/** Whose session is to be opened, and for how long. */
export interface NewSession {
  readonly person: string;
  readonly role: Role;
  /** The personal token that it is opened with; null where an issuer vouches for the person. It ends when this token does. */
  readonly token: { readonly name: string; readonly secret: string } | null;
  /** One short plain line. */
  readonly client: string;
  readonly hours: number;
}

interface SessionDependencies {
  readonly db: Database;
  readonly record: RecordEvent;
}

const OPENED_WITH = hasHash(sql`token_sha256`);
const COLUMNS = [
  'id',
  'person',
  'role',
  'via',
  'token',
  'client',
  'created_at',
  'last_seen_at',
  'expires_at',
  sql<string[] | null>`(select scopes from token where ${OPENED_WITH})`.as('scopes'),
  sql<Date | null>`(select token.expires_at from token where ${OPENED_WITH})`.as('token_expires_at'),
] as const;

/** Neither ended nor expired by the database's clock, nor opened with what is no token any more. */
const STANDS = sql<boolean>`revoked_at is null and expires_at > clock_timestamp() and (token_sha256 is null
  or exists (select from token where ${OPENED_WITH} and ${TOKEN_STANDS}))`;

/** Opens a session under a new secret of 32 random bytes, of which only the hash is kept, and forgets what was over a day ago. */
export async function openSession(
  { db, record }: SessionDependencies,
  { person, role, token, client, hours }: NewSession,
): Promise<{ readonly secret: string; readonly session: StoredSession }> {
  const secret = newSecret();
  const via = token ? 'token' : 'oidc';
  return db.transaction(async () => {
    await sql`delete from session where least(expires_at, revoked_at) < clock_timestamp() - interval '1 day'`.execute(
      db.q,
    );
    const row = await db.q
      .insertInto('session')
      .values({
        id: randomBytes(8).toString('hex'),
        sha256: hash('sha256', secret),
        person,
        role,
        via,
        token: token?.name ?? null,
        token_sha256: token && hash('sha256', token.secret),
        client,
        expires_at: sql`clock_timestamp() + make_interval(hours => ${hours}::integer)`,
      })
      .returning(COLUMNS)
      .executeTakeFirstOrThrow();
    const session = toSession(row);
    const data = { session: session.id, person, role, via, client, ...(token ? { tokenName: token.name } : {}) };
    await record({ type: 'session.opened', actor: person, data });
    return { secret, session };
  });
}

/** Gives the session that a secret is of, while it stands, and notes at most once a minute that it was used. */
export async function standingSession(db: Database, secret: string): Promise<StoredSession | null> {
  const row = await db.q
    .selectFrom('session')
    .select(COLUMNS)
    .select(sql<boolean>`last_seen_at < clock_timestamp() - interval '1 minute'`.as('unnoted'))
    .where('sha256', '=', hash('sha256', secret))
    .where(STANDS)
    .executeTakeFirst();
  if (!row) return null;
  if (row.unnoted)
    await db.q.updateTable('session').set({ last_seen_at: sql`clock_timestamp()` }).where('id', '=', row.id).execute();
  return toSession(row);
}

/** Gives every session that stands, the newest first. */
export async function listSessions(db: Database): Promise<StoredSession[]> {
  const rows = await db.q
    .selectFrom('session')
    .select(COLUMNS)
    .where(STANDS)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return rows.map(toSession);
}

/**
 * Ends a session for good; `of` limits it to those of one person.
 * @throws NightshiftError `not_found` where there is none that stands.
 */
export async function endSession(
  { db, record }: SessionDependencies,
  { id, by, of }: { readonly id: string; readonly by: string; readonly of: string | null },
): Promise<void> {
  await db.transaction(async () => {
    const row = await db.q
      .updateTable('session')
      .set({ revoked_at: sql`clock_timestamp()` })
      .where('id', '=', id)
      .where(STANDS)
      .$if(of !== null, (query) => query.where(sql`lower(person)`, '=', of?.toLowerCase()))
      .returning(COLUMNS)
      .executeTakeFirst();
    if (!row)
      throw new NightshiftError(
        'not_found',
        `there is no session ${id} of yours. Fix: list them with: nightshift sessions list`,
      );
    const { person, via, client } = toSession(row);
    await record({ type: 'session.ended', actor: by, data: { session: id, person, via, client } });
  });
}

interface Row
  extends Omit<StoredSession, 'role' | 'via' | 'scopes' | 'tokenExpiresAt' | 'createdAt' | 'lastSeenAt' | 'expiresAt'> {
  readonly role: string;
  readonly via: string;
  readonly scopes: string[] | null;
  readonly token_expires_at: Date | null;
  readonly created_at: Date;
  readonly last_seen_at: Date;
  readonly expires_at: Date;
}

function toSession({ id, person, role, via, token, client, scopes, ...at }: Row): StoredSession {
  const times = { createdAt: at.created_at, lastSeenAt: at.last_seen_at, expiresAt: at.expires_at };
  const worth = { role: role as Role, scopes: scopes as Scope[] | null, tokenExpiresAt: at.token_expires_at };
  return { id, person, ...worth, via: via as SessionVia, token, client, ...times };
}
