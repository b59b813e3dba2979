import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { shareWebhookToken } from '../../../src/identity/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { startNightshift } from '../support/nightshift.ts';

const log = createLogger('silent');

describe.each(databases)('webhook tokens on $name', ({ name, open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(() => db.close());
  const share = (replica: string, secret: string) => shareWebhookToken(db, { secret, replica, log });

  it('are good at every replica of a served Postgres, and a new one takes the place of the last of its replica', async () => {
    await share('one', 'old');
    const both = await share('two', 'other');
    expect(both.accepts('old')).toBe(name === 'postgres');
    expect(both.accepts('other')).toBe(true);
    expect(both.accepts('none')).toBe(false);
    expect((await share('one', 'new')).accepts('old')).toBe(false);
    const after = await share('two', 'other');
    expect(after.accepts('new')).toBe(name === 'postgres');
    expect(after.accepts('old')).toBe(false);
  });

  it('are stored by their hash only', async () => {
    await share('one', 'a-secret-of-ours');
    const { webhook_tokens } = await db.q.selectFrom('installation').select('webhook_tokens').executeTakeFirstOrThrow();
    expect(JSON.stringify(webhook_tokens)).not.toContain('a-secret-of-ours');
  });
});

it.each(databases.filter(({ name }) => name === 'postgres'))(
  'a token that has leaked goes with its file on $name, also where all tokens of a data directory are made anew',
  async ({ name: database }) => {
    const served = await throwawayDatabaseUrl();
    const scratch = scratchDirectory();
    const start = () => startNightshift({ database, databaseUrl: served.url, dataDir: scratch.path });
    const files = ['webhook.token', 'admin.token'].map((name) => join(scratch.path, name)) as [string, string];
    try {
      const first = await start();
      const leaked = readFileSync(files[0], 'utf8').trim();
      expect((await first.deliver([], { token: leaked })).status).toBe(202);
      await first.stop();
      for (const file of files) rmSync(file);
      const second = await start();
      expect((await second.deliver([])).status).toBe(202);
      expect((await second.deliver([], { token: leaked })).status).toBe(401);
      await second.stop();
    } finally {
      await served.drop();
      scratch.remove();
    }
  },
);
