/** Databases for tests: the embedded one, and throwaway ones on the Postgres server that NIGHTSHIFT_TEST_DATABASE_URL names. */
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type Database, openEmbedded, openPostgres } from '../../src/database/index.ts';
import { startQueue } from '../../src/remediation/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';

const SERVER = process.env.NIGHTSHIFT_TEST_DATABASE_URL;

/** Every kind of database that the tests can have here; each `open` gives a new, migrated one that `close` takes away. */
export const databases: readonly { readonly name: 'embedded' | 'postgres'; open(): Promise<Database> }[] = [
  { name: 'embedded', open: openCopy },
  ...(SERVER ? [{ name: 'postgres' as const, open: openThrowaway }] : []),
];

/**
 * For tests of what no kind of database does differently: the last of them, which is Postgres where there is one, or each of
 * them where NIGHTSHIFT_TEST_EVERY_DATABASE is set.
 */
export const anyDatabase = process.env.NIGHTSHIFT_TEST_EVERY_DATABASE ? databases : databases.slice(-1);

/**
 * Creates an empty database of its own on the test server; `drop` removes it, whoever is still connected.
 * @throws Error where NIGHTSHIFT_TEST_DATABASE_URL is not set.
 */
export async function throwawayDatabaseUrl(): Promise<{ url: string; drop: () => Promise<void> }> {
  if (!SERVER)
    throw new Error('set NIGHTSHIFT_TEST_DATABASE_URL to the URL of a superuser on a Postgres with pgvector');
  const name = `nightshift_test_${process.pid}_${randomBytes(4).toString('hex')}`;
  const url = new URL(SERVER);
  url.pathname = `/${name}`;
  // template1 cannot be copied while anyone is connected to it.
  await onServer(`create database ${name} template template0 encoding 'UTF8'`);
  return { url: url.href, drop: () => onServer(`drop database if exists ${name} with (force)`) };
}

async function openCopy(): Promise<Database> {
  const directory = mkdtempSync(join(tmpdir(), 'nightshift-test-'));
  await copyEmbedded(directory);
  const db = await openEmbedded(directory);
  const close = db.close.bind(db);
  db.close = async () => {
    await close();
    rmSync(directory, { recursive: true, force: true });
  };
  return db;
}

async function openThrowaway(): Promise<Database> {
  const { url, drop } = await throwawayDatabaseUrl();
  try {
    const db = await openPostgres(url);
    const close = db.close.bind(db);
    db.close = async () => {
      await close();
      await drop();
    };
    return db;
  } catch (error) {
    await drop();
    throw error;
  }
}

async function onServer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: SERVER });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * Puts a new embedded database into a data directory by copying one that was made before: making one takes seconds, and every
 * story wants its own.
 */
export async function copyEmbedded(dataDir: string): Promise<void> {
  const template = templatePath();
  if (!existsSync(template)) {
    const fresh = mkdtempSync(join(tmpdir(), 'nightshift-template-'));
    const db = await openEmbedded(fresh);
    await (await startQueue(db, createLogger('silent'))).stop();
    await db.close();
    try {
      renameSync(join(fresh, 'postgres'), template);
    } catch (error) {
      // Another test process was faster.
      if (!existsSync(template)) throw error;
    }
    rmSync(fresh, { recursive: true, force: true });
  }
  cpSync(template, join(dataDir, 'postgres'), { recursive: true });
}

/** Another schema or another version of any package is another template. */
function templatePath(): string {
  const root = join(import.meta.dirname, '../..');
  const migrations = readdirSync(join(root, 'migrations')).sort();
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  for (const name of migrations) hash.update(name).update(readFileSync(join(root, 'migrations', name)));
  return join(tmpdir(), `nightshift-embedded-${hash.digest('hex').slice(0, 16)}`);
}
