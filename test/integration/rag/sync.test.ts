import { chmod, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { type Embedder, hashEmbedder, matchingRunbooks, runbookByPath, syncRunbooks } from '../../../src/rag/index.ts';
import { databases } from '../../real-parts/databases.ts';

const acting = (match: string, title = 'Down') =>
  `---\nmatch: ['${match}']\nsteps: [{ tool: supervisor.restart, with: { process: a }, why: x }]\n---\n# ${title}\n\ntext\n`;

describe.each(databases)('syncRunbooks on $name', ({ open }) => {
  let db: Database;
  let folder: string;
  beforeAll(async () => {
    db = await open();
  }, 60_000);
  afterAll(() => db.close());
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nightshift-runbooks-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
    await db.q.deleteFrom('runbook').execute();
  });

  const put = async (path: string, text: string | Uint8Array) => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  const sync = (folders = [folder], embedder: Embedder = hashEmbedder) => syncRunbooks(db, { folders, embedder });
  const chunksOf = (path: string) =>
    db.q
      .selectFrom('chunk')
      .innerJoin('runbook', 'runbook.id', 'runbook_id')
      .selectAll('chunk')
      .where('path', '=', path)
      .orderBy('ordinal')
      .execute();

  it('adds, changes, removes, and leaves alone what has not changed', async () => {
    await put('a.md', '# A\n\nfirst');
    await put('shop/B.MD', '# B\n\nfirst\n\n## Section\n\nsecond');
    await put('notes.txt', 'not a runbook');
    expect(await sync()).toEqual({
      added: ['a.md', 'shop/B.MD'],
      changed: [],
      removed: [],
      unchanged: 0,
      problems: [],
      failed: [],
    });
    const before = await chunksOf('a.md');

    await put('shop/B.MD', '# B\n\nother');
    await put('c.md', '# C');
    expect(await sync()).toMatchObject({ added: ['c.md'], changed: ['shop/B.MD'], removed: [], unchanged: 1 });
    expect((await chunksOf('shop/B.MD')).map(({ content }) => content)).toEqual(['# B\n\nother']);
    expect((await chunksOf('a.md')).map(({ id }) => id)).toEqual(before.map(({ id }) => id));

    await rm(join(folder, 'a.md'));
    expect(await sync()).toMatchObject({ added: [], changed: [], removed: ['a.md'], unchanged: 2 });
    expect(await chunksOf('a.md')).toEqual([]);
    expect(await runbookByPath(db, 'a.md')).toBeNull();
  });

  it('reads nothing anew for another embedder, and does not wait for it', async () => {
    await put('a.md', '# A\n\nfirst');
    const other: Embedder = {
      ...hashEmbedder,
      id: 'other',
      isLocal: false,
      embed: () => Promise.reject(new Error('it is away')),
    };
    await sync();
    await put('b.md', '# B');
    expect(await sync([folder], other)).toMatchObject({ added: ['b.md'], changed: [], unchanged: 1 });
    await put('c.md', '# C');
    await db.q.updateTable('embedder').set({ name: other.id }).execute();
    try {
      expect(await sync([folder], other)).toMatchObject({ added: ['c.md'], changed: [], unchanged: 2 });
    } finally {
      await db.q.updateTable('embedder').set({ name: hashEmbedder.id }).execute();
    }
  });

  it('cites lines of the file, front matter counted', async () => {
    await put('a.md', acting('alertname="Down"'));
    await put('only.md', '---\nmatch: [\'alertname="Only"\']\n---\n');
    await put('empty.md', '');
    await sync();
    expect(await chunksOf('a.md')).toMatchObject([{ start_line: 5, end_line: 7, content: '# Down\n\ntext' }]);
    expect(await chunksOf('only.md')).toMatchObject([{ start_line: 1, end_line: 3, content: 'only' }]);
    expect(await chunksOf('empty.md')).toEqual([]);
  });

  it('tells problems every time, keeps the text, and lets no step of it act', async () => {
    await put('bad.md', acting('alertname="Down"').replace('steps', 'stepps'));
    const problems = [
      {
        path: 'bad.md',
        problems: [
          { field: 'stepps', message: 'is not a known setting (line 3)', fix: 'remove it or correct its spelling' },
        ],
      },
    ];
    expect(await sync()).toMatchObject({ added: ['bad.md'], problems });
    expect(await sync()).toMatchObject({ unchanged: 1, problems });
    expect(await chunksOf('bad.md')).toHaveLength(1);
    expect(await runbookByPath(db, 'bad.md')).toMatchObject({ actionable: false, problems: problems[0]?.problems });
    expect(await matchingRunbooks(db, [{ alertname: 'Down' }])).toEqual([]);

    await put('bad.md', acting('alertname="Down"'));
    expect(await sync()).toMatchObject({ changed: ['bad.md'], problems: [] });
    expect(await matchingRunbooks(db, [{ alertname: 'Down' }])).toMatchObject([{ path: 'bad.md', actionable: true }]);
  });

  it('stores what is not text as far as it is', async () => {
    await put('latin1.md', Buffer.from('# Caf\xe9 \0 down', 'latin1'));
    expect(await sync()).toMatchObject({
      added: ['latin1.md'],
      problems: [{ path: 'latin1.md', problems: [{ field: 'file' }] }],
    });
    expect(await runbookByPath(db, 'latin1.md')).toMatchObject({ title: 'Caf\uFFFD \uFFFD down', actionable: false });
  });

  it('names every folder that cannot be read, and changes nothing then', async () => {
    await put('a.md', '# A');
    await sync();
    const missing = join(folder, 'missing');
    await expect(sync([folder, missing, join(folder, 'a.md')])).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining(`${missing}: there is no such folder`),
      problems: [
        { field: 'runbooks', value: missing, fix: expect.stringContaining('nightshift.yaml') },
        { field: 'runbooks', value: join(folder, 'a.md'), message: 'is not a folder' },
      ],
    });
    expect(await runbookByPath(db, 'a.md')).not.toBeNull();
  });

  it('puts the name of the folder in front where there are several, and wants these names to differ', async () => {
    await put('shop/a.md', '# A');
    await put('base/a.md', '# A');
    await put('other/shop/a.md', '# A');
    expect(await sync([join(folder, 'shop'), join(folder, 'base')])).toMatchObject({
      added: ['shop/a.md', 'base/a.md'],
    });
    await expect(sync([join(folder, 'shop'), join(folder, 'other/shop')])).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringContaining('shares its name shop'),
    });
    // The same folder by two names is one folder.
    await symlink(join(folder, 'shop'), join(folder, 'link'));
    expect(await sync([join(folder, 'shop'), join(folder, 'link')])).toMatchObject({ added: ['a.md'] });
  });

  it('reads the files of a mounted ConfigMap, each once', async () => {
    await put('..2026_01_01/a.md', '# A');
    await symlink('..2026_01_01', join(folder, '..data'));
    await symlink('..data/a.md', join(folder, 'a.md'));
    expect(await sync()).toMatchObject({ added: ['a.md'], problems: [] });
    await put('..2026_01_02/a.md', '# A changed');
    await symlink('..2026_01_02', join(folder, '..data_tmp'));
    await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    expect(await sync()).toMatchObject({ added: [], changed: ['a.md'], removed: [] });
  });

  it('follows no link out of the folder, and none in a circle', async () => {
    await put('inside/secret.md', '# Secret of another');
    await put('inside/folder/more.md', '# More');
    await put('books/a.md', '# A');
    const books = join(folder, 'books');
    await symlink(join(folder, 'inside/secret.md'), join(books, 'secret.md'));
    await symlink('../inside/folder', join(books, 'folder'));
    await symlink('.', join(books, 'circle'));
    await symlink('nowhere.md', join(books, 'broken.md'));
    // A neighbour whose name begins alike is not inside.
    await put('books-of-others/b.md', '# B');
    await symlink('../books-of-others/b.md', join(books, 'b.md'));
    const { added, problems } = await sync([books]);
    expect(added).toEqual(['a.md']);
    const message = 'is a link that leaves the folder';
    expect(problems).toMatchObject([
      { path: 'b.md', problems: [{ message }] },
      { path: 'broken.md', problems: [{ field: 'file' }] },
      { path: 'folder', problems: [{ message }] },
      { path: 'secret.md', problems: [{ message }] },
    ]);
  });

  it('leaves out hidden files and names those that are too large', async () => {
    await put('.git/a.md', '# hidden');
    await put('.draft.md', '# hidden');
    await put('ok.md', `# Ok\n\n${'long line of words '.repeat(50_000)}`);
    await put('large.md', 'x'.repeat(1_048_577));
    const { added, problems } = await sync();
    expect(added).toEqual(['ok.md']);
    expect(problems).toMatchObject([
      { path: 'large.md', problems: [{ message: expect.stringContaining('1048577 bytes') }] },
    ]);
  }, 30_000);

  it('names a file that it may not read, and takes it out of the index', async () => {
    await put('a.md', '# A');
    await sync();
    await chmod(join(folder, 'a.md'), 0);
    // Root may read everything, so it becomes nobody for a moment.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) await chmod(folder, 0o755);
    if (isRoot) process.seteuid?.(65_534);
    try {
      expect(await sync()).toMatchObject({ removed: ['a.md'], problems: [{ path: 'a.md' }] });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it('comes to the same whoever else synchronises at the same time', async () => {
    for (let n = 0; n < 5; n += 1) await put(`${n}.md`, `# Runbook ${n}\n\n## One\n\ntext\n\n## Two\n\nmore`);
    await Promise.all([sync(), sync(), sync()]);
    expect(await sync()).toMatchObject({ added: [], changed: [], unchanged: 5 });
    const { chunks } = await db.q
      .selectFrom('chunk')
      .select(({ fn }) => fn.countAll<number>().as('chunks'))
      .executeTakeFirstOrThrow();
    expect(Number(chunks)).toBe(10);
  });
});
