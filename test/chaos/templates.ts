/** Databases to begin with, made once: migrated, with the tokens of the people and with rows that are old enough to be deleted. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { type Database, openEmbedded, openPostgres } from '../../src/database/index.ts';
import { createIdentity } from '../../src/identity/index.ts';
import { pinRunbooks } from '../../src/rag/index.ts';
import { startQueue } from '../../src/remediation/index.ts';
import { createLogger } from '../../src/telemetry/index.ts';
import { copyEmbedded } from '../real-parts/databases.ts';
import { createClusterTemplate, type OwnPostgres, whyNoOwnPostgres } from './own-postgres.ts';
import { POLICY, runbooks } from './stories.ts';

const OLD_ROWS = 300;

/** Whose word counts, with their tokens. */
export interface People {
  readonly admin: string;
  readonly webhook: string;
  readonly approver: string;
}

export interface Templates {
  readonly people: People;
  readonly runbooks: string;
  readonly policies: string;
  embedded(dataDir: string): void;
  postgres(): Promise<{ url: string; drop(): Promise<void> }>;
  own(): Promise<OwnPostgres>;
  remove(): Promise<void>;
}

/** Makes what every run starts from; the server is the one that NIGHTSHIFT_TEST_DATABASE_URL names, and only embedded ones run without it. */
export async function makeTemplates(): Promise<Templates> {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-chaos-template-'));
  const secret = () => `nst_${randomBytes(32).toString('base64url')}`;
  const people = { admin: secret(), webhook: randomBytes(32).toString('hex'), approver: secret() };
  const books = join(folder, 'runbooks');
  const policies = join(folder, 'policies');
  mkdirSync(books);
  mkdirSync(policies);
  for (const { file, text } of runbooks()) writeFileSync(join(books, file), text);
  writeFileSync(join(policies, 'policy.yaml'), POLICY);
  await pinRunbooks([books]);

  const data = join(folder, 'data');
  mkdirSync(data);
  await copyEmbedded(data);
  const db = await openEmbedded(data);
  await fill(db, people);
  await db.close();

  const server = process.env.NIGHTSHIFT_TEST_DATABASE_URL;
  const named = (name: string) => {
    const url = new URL(server ?? '');
    url.pathname = `/${name}`;
    return url.href;
  };
  const template = `nightshift_chaos_${process.pid}`;
  if (server) {
    await onServer(server, `create database ${template} template template0 encoding 'UTF8'`);
    await fillServer(named(template), people);
  }
  let serial = 0;
  let cluster: ReturnType<typeof createClusterTemplate> | null = null;
  return {
    people,
    runbooks: books,
    policies,
    embedded(dataDir) {
      cpSync(join(data, 'postgres'), join(dataDir, 'postgres'), { recursive: true });
    },
    async postgres() {
      if (!server)
        throw new Error('set NIGHTSHIFT_TEST_DATABASE_URL to the URL of a superuser on a Postgres with pgvector');
      serial += 1;
      const name = `${template}_${serial}`;
      await onServer(server, `create database ${name} template ${template}`);
      return { url: named(name), drop: () => onServer(server, `drop database if exists ${name} with (force)`) };
    },
    async own() {
      const why = whyNoOwnPostgres();
      if (why) throw new Error(why);
      cluster ??= createClusterTemplate((url) => fillServer(url, people));
      return (await cluster).start();
    },
    async remove() {
      if (server) await onServer(server, `drop database if exists ${template} with (force)`);
      (await cluster)?.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function fillServer(url: string, people: People): Promise<void> {
  const db = await openPostgres(url);
  await fill(db, people);
  await db.close();
}

async function fill(db: Database, { admin, approver }: People): Promise<void> {
  await (await startQueue(db, createLogger('silent'))).stop();
  const identity = createIdentity({ db, people: [{ name: 'sre1', role: 'approver' }], record: async () => {} });
  await identity.setToken({ name: 'admin', person: 'admin', role: 'admin', secret: admin });
  await identity.setToken({ name: 'sre1', person: 'sre1', role: 'approver', secret: approver });
  await sql`
    insert into delivery (source, sender, body_sha256, alerts, problems, received_at)
    select 'alertmanager', 'bearer', md5(n::text), 1, '[]'::jsonb, clock_timestamp() - interval '400 days'
    from generate_series(1, ${OLD_ROWS}) as n`.execute(db.q);
}

async function onServer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
