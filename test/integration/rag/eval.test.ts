import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import {
  claimsAt,
  evaluate,
  hashEmbedder,
  rankRunbooks,
  readLabelledAlerts,
  retrieveRunbooks,
  summarize,
  syncRunbooks,
} from '../../../src/rag/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';

const FILES: Record<string, string> = {
  'one/QueueStuck.md':
    '# QueueStuck\n\nConsumers of the message queue have stopped taking messages. Look at their leases.\n',
  'one/mirror.md': '# Mirror lag\n\nThe mirror of the warehouse is behind; its replay waits for a long scan.\n',
  'two/mirror.md': '# Telescope mirror\n\nThe telescope mirror is out of focus. Calibrate the actuators by hand.\n',
  'two/beans.md': `---\nservice: espresso\n---\n# Beans\n\nRefill beans of the grinder. The hopper holds two kilograms.\n`,
  'three/beans.md': '# Beans\n\nRefill beans of the espresso grinder. The espresso hopper holds two kilograms.\n',
};
const line = (alert: object) => JSON.stringify(alert);
const QUERIES = [
  line({ id: 'a', alertname: 'queue_stuck', summary: 'Something is wrong', gold: ['QueueStuck.md'] }),
  line({ id: 'b', alertname: 'X1', summary: 'Replay of the warehouse mirror is behind', gold: ['one/mirror.md'] }),
  line({ id: 'c', alertname: 'X2', summary: 'Replay of the warehouse mirror is behind', gold: ['two/mirror.md'] }),
  line({ id: 'd', alertname: 'X3', summary: 'Tornado approaches the harbour', gold: [] }),
].join('\n');

describe.each(anyDatabase)('the index and its measure on $name', ({ open }) => {
  let db: Database;
  let folder: string;
  const sync = () => syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
  const ask = (summary: string, labels = {}) => ({
    labels,
    annotations: { summary },
    limit: 5,
    embedder: hashEmbedder,
  });
  const counted = async () => {
    const { rows } = await sql<{ wrong: number; runbooks: number }>`
      select (select count(*)::int from term full join (select term, count(*) as n from posting group by term) as p using (term)
          where coalesce(term.runbooks, 0) <> coalesce(p.n, 0)) as wrong,
        (select runbooks from term where term = '') as runbooks`.execute(db.q);
    return rows[0];
  };
  beforeAll(async () => {
    db = await open();
    folder = await mkdtemp(join(tmpdir(), 'nightshift-eval-'));
    for (const [path, text] of Object.entries(FILES)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await sync();
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('counts places, tells folders apart where the file does, and measures whether nothing fits', async () => {
    const evaluations = await evaluate(db, readLabelledAlerts('q.jsonl', QUERIES), { embedder: hashEmbedder });
    expect(evaluations.map(({ alert, place, fits }) => [alert.id, place, fits])).toEqual([
      ['a', 1, true],
      ['b', 1, true],
      ['c', 2, true],
      ['d', null, false],
    ]);
    expect(summarize(evaluations)).toEqual({
      n: 3,
      'recall@1': 2 / 3,
      'recall@3': 1,
      'recall@5': 1,
      'recall@10': 1,
      'mrr@10': (1 + 1 + 1 / 2) / 3,
      auroc: 1,
    });
    expect(claimsAt(0.95, evaluations)).toBe(0);
    expect(summarize(evaluations.slice(0, 3))).not.toHaveProperty('auroc');
  });

  it('names file and line of what it cannot read', () => {
    expect(() => readLabelledAlerts('q.jsonl', '{"id":"a"}\n\n[]')).toThrow(/q\.jsonl, line 3: /);
    expect(() => readLabelledAlerts('q.jsonl', '{')).toThrow(/q\.jsonl, line 1/);
  });

  it('takes lines of other authors as they are, and asks them all', async () => {
    const lines = [
      '{}',
      line({ id: 7, alertname: null, summary: null, labels: null, expr: null, gold: null, of: { x: 1 } }),
      line({ id: 'x', labels: { port: 80, up: true, gone: null, list: [1] }, gold: 'one/mirror.md' }),
      line({ id: 'y', alertname: 'a\0\uD800', labels: { k: '\0' }, expr: '\uD800', gold: [null, 'beans.md'] }),
      line({ id: 'z', gold: [] }),
    ];
    const alerts = readLabelledAlerts('q.jsonl', `\uFEFF${lines.join('\r\n')}\r\n\r\n`);
    expect(alerts.map(({ id, gold }) => [id, gold])).toEqual([
      ['', []],
      ['7', []],
      ['x', ['one/mirror.md']],
      ['y', ['beans.md']],
      ['z', []],
    ]);
    expect(alerts[2]?.labels).toEqual({ port: '80', up: 'true', gone: '', list: '' });
    const summary = summarize(await evaluate(db, alerts, { embedder: hashEmbedder }));
    expect(Object.keys(summary)).toEqual(['n', 'recall@1', 'recall@3', 'recall@5', 'recall@10', 'mrr@10', 'auroc']);
    expect(summary.n).toBe(2);
  });

  it('knows a file by its name, however that is spelt in Unicode', async () => {
    const path = 'one/U\u0308bung.md';
    await writeFile(join(folder, path), '# Drill\n\nEvacuate the planetarium.\n');
    await sync();
    const asked = [{ id: 'u', summary: 'Evacuate the planetarium', gold: ['\u00DCbung.md'] }];
    const [found] = await evaluate(db, readLabelledAlerts('q', asked.map(line).join('\n')), { embedder: hashEmbedder });
    expect(found?.place).toBe(1);
    await rm(join(folder, path));
    await sync();
  });

  it('gives nothing where nothing fits, though something is nearest', async () => {
    const query = ask('Grinder of the harbour tornado approaches a lighthouse');
    const [nearest] = await rankRunbooks(db, query);
    expect(nearest).toMatchObject({ fits: false });
    expect(await retrieveRunbooks(db, query)).toEqual([]);
  });

  it('puts the runbook of the service before its like', async () => {
    const [first, second] = await rankRunbooks(db, ask('Refill beans', { service: 'espresso' }));
    expect(first).toMatchObject({ path: 'two/beans.md', why: { service: true } });
    expect(second).toMatchObject({ path: 'three/beans.md', why: { service: false } });
  });

  it('finds by a name that differs in a few letters', async () => {
    const [first] = await rankRunbooks(db, { ...ask(''), labels: { alertname: 'QueuesStuk' } });
    expect(first).toMatchObject({ path: 'one/QueueStuck.md', why: { named: false, name: 1 } });
  });

  it('keeps the document frequencies right through changes, removals and two who index at once', async () => {
    expect(await counted()).toEqual({ wrong: 0, runbooks: 5 });
    await writeFile(join(folder, 'one/mirror.md'), '# Mirror lag\n\nRewritten: the warehouse waits.\n');
    await rm(join(folder, 'two/beans.md'));
    await writeFile(join(folder, 'two/new.md'), '# New\n\nA runbook about turbines.\n');
    await Promise.all([sync(), sync()]);
    expect(await counted()).toEqual({ wrong: 0, runbooks: 5 });
  });

  // Counting down was a join that took more than ten minutes.
  it('puts one huge file in place of another without holding everybody up', async () => {
    const huge = (seed: string) =>
      `# Huge\n\n${Array.from({ length: 12_000 }, (_, n) => `${seed}${n.toString(26).replace(/\d/g, 'z')}q${n}`).join('\n')}\n`;
    await writeFile(join(folder, 'two/huge.md'), huge('first'));
    await sync();
    await writeFile(join(folder, 'two/huge.md'), huge('second'));
    const began = performance.now();
    await sync();
    await rm(join(folder, 'two/huge.md'));
    await sync();
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(await counted()).toEqual({ wrong: 0, runbooks: 5 });
  }, 120_000);
});
