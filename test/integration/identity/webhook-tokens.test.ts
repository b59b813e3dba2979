import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { shareWebhookToken } from '../../../src/identity/index.ts';
import { createLogger } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';

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
    await share('one', 'new');
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
