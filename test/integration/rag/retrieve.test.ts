import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Labels } from '../../../src/alert/index.ts';
import type { Database } from '../../../src/database/index.ts';
import {
  type Embedder,
  hashEmbedder,
  matchingRunbooks,
  rankRunbooks,
  retrieveRunbooks,
  runbookByPath,
  syncRunbooks,
} from '../../../src/rag/index.ts';
import { databases } from '../../real-parts/databases.ts';

const STEPS = 'steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}", n: 1 }, why: It hangs. }]';
const acting = (match: string[], title: string) =>
  `---\nmatch: ${JSON.stringify(match)}\n${STEPS}\n---\n# ${title}\n\nRestart it.\n`;

const FILES: Record<string, string> = {
  'checkout.md': acting(['alertname="CheckoutDown"'], 'Checkout is down'),
  'where-it-hurts.md': acting(['alertname="CheckoutDown"', 'env=~"prod|staging"'], 'Checkout is down where it hurts'),
  'not-dev.md': acting(['alertname="WorkerDown", env!="dev"'], 'Worker'),
  'no-team.md': acting(['alertname="Orphan"', 'team=""'], 'Nobody owns this'),
  'guidance.md': `---\nmatch: ['alertname="QueueGrows"']\n---\n# Consumers lag\n\nAdd a consumer.\n`,
  'unmatched.md': `---\n${STEPS}\n---\n# Payment gateway\n\nNothing declares this.\n`,
  'disk/full.md':
    '# Disk is full\n\n## Meaning\n\nThe file system of a host has hardly any space left.\n\n## Mitigation\n\nRotate logs, then delete old journal archives.\n',
  'KubePodCrashLooping.md':
    '# KubePodCrashLooping\n\nA container starts, exits, and is started again with growing pauses. Read the log of its previous run.\n',
  'certificates.md':
    '# Certificates\n\nRenew the TLS certificate of the ingress before it expires. Then reload the proxy.\n',
  'replication.md':
    '# Postgres replication\n\nA standby falls behind the primary. Look at the replay lag and at long queries on the standby.\n',
};

/** The same database, with its statements counted. */
function counting(db: Database): { db: Database; statements: () => number } {
  let count = 0;
  const counted = new Proxy(db, {
    get: (target, key) =>
      key === 'q'
        ? target.q.withPlugin({
            transformQuery: ({ node }) => {
              count += 1;
              return node;
            },
            transformResult: async ({ result }) => result,
          })
        : Reflect.get(target, key, target),
  });
  return { db: counted, statements: () => count };
}

describe.each(databases)('retrieval on $name', ({ open }) => {
  let db: Database;
  let folder: string;
  beforeAll(async () => {
    db = await open();
    folder = await mkdtemp(join(tmpdir(), 'nightshift-runbooks-'));
    for (const [path, text] of Object.entries(FILES)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    await syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
  }, 60_000);
  afterAll(async () => {
    await db.close();
    await rm(folder, { recursive: true, force: true });
  });

  const retrieve = (
    labels: Labels | Labels[],
    annotations: Labels = {},
    limit = 3,
    embedder: Embedder = hashEmbedder,
  ) => retrieveRunbooks(db, { labels, annotations, limit, embedder });
  const paths = async (labels: Labels | Labels[], annotations: Labels = {}, limit = 3) =>
    (await retrieve(labels, annotations, limit)).map(({ path }) => path);
  const matching = async (...sets: Labels[]) => (await matchingRunbooks(db, sets)).map(({ path }) => path);

  describe('matchingRunbooks', () => {
    it('gives those whose matchers hold, the most specific first, just as they were written', async () => {
      expect(await matching({ alertname: 'CheckoutDown', env: 'prod' })).toEqual(['where-it-hurts.md', 'checkout.md']);
      expect(await matching({ alertname: 'CheckoutDown', env: 'production' })).toEqual(['checkout.md']);
      const [first] = await matchingRunbooks(db, [{ alertname: 'CheckoutDown', env: 'prod' }]);
      expect(first).toEqual(await runbookByPath(db, 'where-it-hurts.md'));
      expect(first).toMatchObject({
        title: 'Checkout is down where it hurts',
        remedies: [
          {
            name: 'steps',
            steps: [{ tool: 'supervisor.restart', with: { process: '{{ labels.process }}', n: 1 }, why: 'It hangs.' }],
          },
        ],
        actionable: true,
        problems: [],
      });
    });

    it('takes one label set of several for enough, but no label from one and another from the next', async () => {
      expect(await matching({ alertname: 'Other' }, { alertname: 'CheckoutDown' })).toEqual(['checkout.md']);
      expect(await matching({ alertname: 'CheckoutDown', env: 'dev' }, { alertname: 'Other', env: 'prod' })).toEqual([
        'checkout.md',
      ]);
    });

    it('holds != and = "" for missing labels as well, as Prometheus does', async () => {
      expect(await matching({ alertname: 'WorkerDown' })).toEqual(['not-dev.md']);
      expect(await matching({ alertname: 'WorkerDown', env: 'dev' })).toEqual([]);
      expect(await matching({ alertname: 'Orphan' })).toEqual(['no-team.md']);
      expect(await matching({ alertname: 'Orphan', team: '' })).toEqual(['no-team.md']);
      expect(await matching({ alertname: 'Orphan', team: 'shop' })).toEqual([]);
    });

    it('gives none that has no step, no matcher, or nothing to do with it', async () => {
      expect(await matching({ alertname: 'QueueGrows' })).toEqual([]);
      expect(await matching({ alertname: 'checkoutdown' })).toEqual([]);
      expect(await matching({})).toEqual([]);
      expect(await matching()).toEqual([]);
    });
  });

  describe('retrieveRunbooks', () => {
    it('puts the very file that runbook_url shows before others, and lets it act no more than before', async () => {
      await db.q
        .updateTable('runbook')
        .set({ repository: 'git@github.com:acme/ops.git', repository_path: 'runbooks/lag.md' })
        .where('path', '=', 'replication.md')
        .execute();
      const labels = { alertname: 'Nameless' };
      const asked = (url: string) =>
        retrieve(labels, { summary: 'Renew the TLS certificate of the ingress', runbook_url: url });
      const linked = await asked('https://github.com/acme/ops/blob/main/runbooks/lag.md#what-to-do');
      expect(linked[0]).toMatchObject({ path: 'replication.md', fits: true, why: { linked: true, matched: false } });
      expect(linked[1]).toMatchObject({ path: 'certificates.md', why: { linked: false } });
      const elsewhere = await asked('https://github.com/somebody/ops/blob/main/runbooks/lag.md');
      expect(elsewhere.filter(({ why }) => why.linked)).toEqual([]);
      expect(elsewhere[0]?.path).toBe('certificates.md');
      expect(await matching(labels)).toEqual([]);
    });

    it('puts a runbook that declares itself first, whatever the words say', async () => {
      const found = await retrieve(
        { alertname: 'QueueGrows' },
        { summary: 'Disk is full: the file system of a host has no space left' },
      );
      expect(found[0]).toMatchObject({ path: 'guidance.md', why: { matched: true } });
      expect(found[1]).toMatchObject({
        path: 'disk/full.md',
        why: { matched: false, words: 1, vector: 1 },
        fits: true,
      });
      expect(found[1]?.score).toBeGreaterThan(found[0]?.score ?? 1);
    });

    it('puts it first even before one that is more specific, but not for this alert', async () => {
      const found = await retrieve(
        { alertname: 'QueueGrows' },
        { summary: 'Checkout is down where it hurts. Restart it.' },
      );
      expect(found.map(({ path, why }) => [path, why.matched]).slice(0, 2)).toEqual([
        ['guidance.md', true],
        ['where-it-hurts.md', false],
      ]);
      expect(found[1]?.score).toBeGreaterThan(found[0]?.score ?? 1);
    });

    it('orders several that declare themselves by how specific they are', async () => {
      const hurting = { alertname: 'CheckoutDown', env: 'prod' };
      expect(await paths(hurting, { summary: 'Checkout is down. Restart it.' })).toEqual([
        'where-it-hurts.md',
        'checkout.md',
      ]);
      expect(await paths([{ alertname: 'X' }, hurting], {}, 1)).toEqual(['where-it-hurts.md']);
    });

    it('finds by words that are written otherwise', async () => {
      expect((await paths({ alertname: 'pod-crash-looping' }))[0]).toBe('KubePodCrashLooping.md');
      expect(
        (await paths({ alertname: 'A17' }, { description: 'The standby of postgres is behind, replay lag 40 s' }))[0],
      ).toBe('replication.md');
      expect(
        (await paths({ alertname: 'A17' }, { runbook_url: 'https://wiki.example/ops/kubepodcrashlooping?x=1#y' }))[0],
      ).toBe('KubePodCrashLooping.md');
    });

    it('gives the passage that fits best, and lines that say just that', async () => {
      const [found] = await retrieve(
        { alertname: 'HostSpace' },
        { summary: 'Rotate logs and delete journal archives on this disk' },
      );
      expect(found).toMatchObject({
        path: 'disk/full.md',
        title: 'Disk is full',
        breadcrumb: 'Disk is full › Mitigation',
      });
      const lines = (await readFile(join(folder, 'disk/full.md'), 'utf8')).split('\n');
      expect(lines.slice((found?.startLine ?? 0) - 1, found?.endLine).join('\n')).toBe(found?.content);
    });

    it('gives each runbook once, and no more than asked for', async () => {
      const ranked = await rankRunbooks(db, {
        labels: { alertname: 'CheckoutDown' },
        annotations: { summary: 'disk full, certificate expires, postgres standby lag, container exits' },
        limit: 10,
        embedder: hashEmbedder,
      });
      const all = ranked.map(({ path }) => path);
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBeGreaterThan(2);
      expect(await paths({ alertname: 'CheckoutDown' }, { summary: 'disk full, certificate expires' }, 1)).toHaveLength(
        1,
      );
    });

    it('gives nothing where nothing fits, and for nothing asked', async () => {
      expect(
        await retrieve(
          { alertname: 'CoffeeMachineEmpty', floor: '3' },
          { summary: 'No beans are left in the kitchen' },
        ),
      ).toEqual([]);
      expect(await retrieve({}, {})).toEqual([]);
      expect(await retrieve({ alertname: '…' }, { summary: '🔥' })).toEqual([]);
      // Still, what declares itself is found without a word.
      const mute: Embedder = {
        ...hashEmbedder,
        embed: async (texts) => texts.map(() => new Array<number>(512).fill(0)),
      };
      expect((await retrieve({}, { summary: 'Disk is full' }, 3, mute))[0]).toMatchObject({ path: 'disk/full.md' });
      expect((await retrieve({ alertname: 'QueueGrows' }, {}, 3, mute)).map(({ path }) => path)).toEqual([
        'guidance.md',
      ]);
    });

    it('does not compare vectors of different embedders', async () => {
      const [before] = await retrieve({ alertname: 'X' }, { summary: 'Disk is full' });
      expect(before?.why.similarity).toBeGreaterThan(hashEmbedder.relatedFrom);
      // What serves was made by one that this process does not have: words still find.
      await db.q.updateTable('embedder').set({ name: 'other' }).execute();
      const [found] = await retrieve({ alertname: 'X' }, { summary: 'Disk is full' });
      await db.q.updateTable('embedder').set({ name: hashEmbedder.id }).execute();
      expect(found).toMatchObject({ path: 'disk/full.md', why: { words: 1, vector: null, similarity: null } });
      expect(found?.score).toBeLessThan(before?.score ?? 0);
    });

    it('takes any text for words and nothing else', async () => {
      const summary = `'); drop table runbook; -- ' | & ! :* <-> \\ $1 \${x} \uD800 \0 disk full`;
      expect((await paths({ alertname: `x'"\\`, 'la-bel"': "'" }, { summary }))[0]).toBe('disk/full.md');
      expect(
        (await paths({ alertname: 'x' }, { summary: `disk is full ${'word of a long text '.repeat(20_000)}` }))[0],
      ).toBe('disk/full.md');
    });

    it('takes what no database holds for no mistake of its own', async () => {
      const labels = { alertname: 'x\0\uD800', service: '\0' };
      const annotations = { summary: 'disk full', runbook_url: 'https://h.example/a%00b\0.md' };
      expect((await paths(labels, annotations))[0]).toBe('disk/full.md');
    });

    it('asks the database once', async () => {
      const counted = counting(db);
      const found = await retrieveRunbooks(counted.db, {
        labels: { alertname: 'CheckoutDown', env: 'prod' },
        annotations: { summary: 'disk full' },
        limit: 3,
        embedder: hashEmbedder,
      });
      expect(found.length).toBeGreaterThan(1);
      expect(counted.statements()).toBe(1);
    });
  });
});
