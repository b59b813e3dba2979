import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Labels } from '../../../src/alert/index.ts';
import { type Database, json } from '../../../src/database/index.ts';
import { hashEmbedder, rememberIncident, retrievePastIncidents } from '../../../src/rag/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';

describe.each(anyDatabase)('past incidents on $name', ({ open }) => {
  let db: Database;
  let disk: number;
  let pool: number;
  let certificate: number;
  const openIncident = async (title: string) => {
    const row = {
      state: 'resolved',
      correlation_key: title,
      title,
      severity: 'warning',
      labels: json({}),
      trace_id: 't',
      context: json({}),
      closed_at: new Date(),
    };
    const { id } = await db.q.insertInto('incident').values(row).returning('id').executeTakeFirstOrThrow();
    return id;
  };
  const remember = async (
    incidentId: number,
    title: string,
    summary: string,
    labels: Labels,
    more: { cycle?: number; remedies?: unknown } = {},
  ) => rememberIncident(db, { incidentId, cycle: 1, title, summary, labels, remedies: [], ...more }, hashEmbedder);
  const retrieve = (
    labels: Labels,
    annotations: Labels = {},
    more: { limit?: number; excludeIncidentId?: number } = {},
  ) => retrievePastIncidents(db, { labels, annotations, limit: 5, embedder: hashEmbedder, ...more });

  beforeAll(async () => {
    db = await open();
    disk = await openIncident('disk');
    pool = await openIncident('pool');
    certificate = await openIncident('certificate');
    await remember(
      disk,
      'DiskFull (db-1)',
      'Write-ahead logs filled the disk because a replication slot was left behind.',
      { alertname: 'DiskFull', instance: 'db-1' },
    );
    const remedies = [{ tool: 'supervisor.restart', outcome: 'recovered' }];
    await remember(
      pool,
      'CheckoutDown (checkout)',
      'The connection pool was exhausted by a slow query.',
      { alertname: 'CheckoutDown', service: 'checkout' },
      { remedies },
    );
    await remember(certificate, 'CertificateExpiry (shop)', 'Renewal had failed for a month.', {
      alertname: 'CertificateExpiry',
    });
  }, 60_000);
  afterAll(() => db.close());

  it('gives what was remembered, the best first', async () => {
    const [first] = await retrieve(
      { alertname: 'CheckoutDown', service: 'checkout' },
      { summary: 'checkout does not answer' },
    );
    expect(first).toEqual({
      incidentId: pool,
      title: 'CheckoutDown (checkout)',
      summary: 'The connection pool was exhausted by a slow query.',
      labels: { alertname: 'CheckoutDown', service: 'checkout' },
      remedies: [{ tool: 'supervisor.restart', outcome: 'recovered' }],
      outcomes: [],
      closedAt: expect.any(Date),
      score: 1,
    });
  });

  it('finds one of another name by what happened', async () => {
    const found = await retrieve({ alertname: 'PostgresSlow' }, { summary: 'replication slot holds write-ahead logs' });
    expect(found.map(({ incidentId }) => incidentId)).toEqual([disk]);
  });

  it('counts the same alert name even where hardly a word is shared, and nothing where nothing fits', async () => {
    const noise = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`note${n}`, `unrelated${n}remark alpha${n}beta`]),
    );
    expect((await retrieve({ alertname: 'CertificateExpiry' }, noise)).map(({ incidentId }) => incidentId)).toEqual([
      certificate,
    ]);
    expect(await retrieve({ alertname: 'CoffeeMachineEmpty' }, { summary: 'No beans are left' })).toEqual([]);
    expect(await retrieve({}, {})).toEqual([]);
  });

  it('leaves out the incident at hand, and gives no more than asked for', async () => {
    const labels = { alertname: 'DiskFull', instance: 'db-1' };
    expect((await retrieve(labels, {}, { excludeIncidentId: disk })).map(({ incidentId }) => incidentId)).not.toContain(
      disk,
    );
    const words = { summary: 'disk full, checkout down, certificate expiry' };
    expect((await retrieve(labels, words)).length).toBeGreaterThan(1);
    expect(await retrieve(labels, words, { limit: 1 })).toHaveLength(1);
  });

  it('writes over what it knew of a cycle, and gives an incident of several cycles once', async () => {
    const id = await openIncident('again');
    await remember(id, 'QueueGrows (mail)', 'cause unknown', { alertname: 'QueueGrows' });
    await remember(id, 'QueueGrows (mail)', 'The consumer waited for a lock \0 \uD800.', { alertname: 'QueueGrows' });
    await remember(id, 'QueueGrows (mail)', 'Nobody knows.', { alertname: 'QueueGrows' }, { cycle: 2 });
    const found = await retrieve({ alertname: 'QueueGrows' }, { summary: 'consumer waits for a lock' });
    expect(found.map(({ incidentId, summary }) => [incidentId, summary])).toEqual([
      [id, 'The consumer waited for a lock \uFFFD \uFFFD.'],
    ]);
  });

  it('keeps no more of a summary than every later search can carry', async () => {
    const id = await openIncident('endless');
    await remember(id, 'Endless', 'lesson learned. '.repeat(100_000), { alertname: 'Endless' });
    const [found] = await retrieve({ alertname: 'Endless' });
    expect(found?.summary.length).toBe(16 * 1024);
  });

  it('is forgotten with the transaction it was written in', async () => {
    const id = await openIncident('undone');
    const undone = db.transaction(async () => {
      await remember(id, 'Undone', 'never happened', { alertname: 'Undone' });
      throw new Error('rolled back');
    });
    await expect(undone).rejects.toThrow('rolled back');
    expect(await retrieve({ alertname: 'Undone' }, { summary: 'never happened' })).toEqual([]);
  });
});
