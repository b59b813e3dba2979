import { createHash, randomBytes } from 'node:crypto';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';

export const ROLES = ['viewer', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Whose token a request came with. */
export interface Principal {
  readonly name: string;
  readonly role: Role;
}

/** Makes a secret of 32 random bytes; `nst_` tells secret scanners what it is. */
export function newSecret(): string {
  return `nst_${randomBytes(32).toString('base64url')}`;
}

/** Stores a personal token; only its hash is kept. @throws NightshiftError `conflict` when the name is taken. */
export async function addToken(
  db: Database,
  { name, role, secret }: { name: string; role: Role; secret: string },
): Promise<void> {
  const row = { name, role, sha256: hash(secret) };
  const { numInsertedOrUpdatedRows } = await db.q
    .insertInto('token')
    .values(row)
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows !== 1n)
    throw new NightshiftError('conflict', `there is a token named ${name} already. Fix: choose another name`);
}

/**
 * Makes sure that a token file's secret is good. On an embedded database it replaces whatever was stored under its name; on one
 * that replicas share, a replica's own file is added under a name of its own, so that none locks the others out.
 */
export async function setToken(
  db: Database,
  { name, role, secret }: { name: string; role: Role; secret: string },
): Promise<void> {
  const sha256 = hash(secret);
  if (await principalOf(db, secret)) return;
  const taken = await db.q.selectFrom('token').select('id').where('name', '=', name).executeTakeFirst();
  if (taken && db.kind === 'embedded') {
    await db.q.updateTable('token').set({ sha256, role, revoked_at: null }).where('id', '=', taken.id).execute();
    return;
  }
  const own = taken ? `${name}-${sha256.slice(0, 6)}` : name;
  await db.q.insertInto('token').values({ name: own, role, sha256 }).execute();
}

/** Gives whose token a secret is, or null. Looking up its hash leaks nothing about the secret through time. */
export async function principalOf(db: Database, secret: string): Promise<Principal | null> {
  const row = await db.q
    .selectFrom('token')
    .select(['name', 'role'])
    .where('sha256', '=', hash(secret))
    .where('revoked_at', 'is', null)
    .executeTakeFirst();
  return row ? { name: row.name, role: row.role as Role } : null;
}

function hash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
