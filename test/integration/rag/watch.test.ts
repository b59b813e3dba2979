/** Runbooks that change while the server runs: files of this machine, commits of a work tree, and repositories elsewhere. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig, type RunbookRemote } from '../../../src/config/index.ts';
import type { Database } from '../../../src/database/index.ts';
import {
  createPinOf,
  createRunbookKeeper,
  hashEmbedder,
  originsOf,
  type RunbookKeeper,
  runbookByPath,
} from '../../../src/rag/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const NOTHING = { added: [], changed: [], removed: [], problems: [], failed: [] };

describe.each(anyDatabase)('runbooks that change, on $name', ({ open }) => {
  let db: Database;
  let root: string;
  let folder: string;
  let removeRoot: () => void;
  let keeper: RunbookKeeper | null;
  let warnings: { fields: object; message: string }[];
  let embedded: number;
  beforeAll(async () => {
    db = await open();
  }, 60_000);
  afterAll(() => db.close());
  beforeEach(() => {
    ({ path: root, remove: removeRoot } = scratchDirectory());
    folder = join(root, 'books');
    mkdirSync(folder);
    warnings = [];
    embedded = 0;
  });
  afterEach(async () => {
    await keeper?.stop();
    keeper = null;
    await db.q.deleteFrom('runbook').execute();
    removeRoot();
  });

  const make = (folders: readonly string[] = [folder], remotes: readonly RunbookRemote[] = []) => {
    const log = {
      info: () => {},
      warn: (fields: object, message: string) => void warnings.push({ fields, message }),
    };
    const embedder = {
      ...hashEmbedder,
      embed: (texts: readonly string[]) => {
        embedded += texts.length;
        return hashEmbedder.embed(texts);
      },
    };
    keeper = createRunbookKeeper({ db, folders, remotes, embedder, log });
    return keeper;
  };
  const put = (path: string, text: string) => writeFileSync(join(folder, path), text);
  const paths = async () => [...(await originsOf(db)).keys()].sort();
  const within = async (seconds: number, is: () => Promise<boolean>) => {
    const deadline = Date.now() + seconds * 1000;
    for (;;) {
      if (await is()) return;
      if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${JSON.stringify(await paths())}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const git = (where: string, ...args: string[]) =>
    execFileSync('git', ['-C', where, '-c', 'user.name=Ana', '-c', 'user.email=ana@example.org', ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  const commit = (where: string) => {
    git(where, 'init', '--quiet', '--initial-branch=main');
    git(where, 'add', '--all');
    git(where, 'commit', '--quiet', '--allow-empty', '-m', 'Runbooks');
    return git(where, 'rev-parse', 'HEAD');
  };

  it('what is added, changed, renamed over, and deleted is indexed within two seconds', async () => {
    put('a.md', '# A\n\nfirst');
    await make().sync();
    keeper?.start();
    put('b.md', '# B');
    await within(2, async () => (await paths()).join() === 'a.md,b.md');
    put('a.md', '# A\n\nsecond');
    await within(2, async () => (await runbookByPath(db, 'a.md'))?.body.includes('second') === true);
    // As editors save: written beside and renamed over, with the same size.
    put('.a.md.swp', '# A\n\nthird.');
    renameSync(join(folder, '.a.md.swp'), join(folder, 'a.md'));
    await within(2, async () => (await runbookByPath(db, 'a.md'))?.body.includes('third') === true);
    const before = embedded;
    rmSync(join(folder, 'b.md'));
    await within(2, async () => (await paths()).join() === 'a.md');
    put('a.md', '# A\n\nthird.');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    expect(embedded).toBe(before);
    expect(warnings).toEqual([]);
  });

  it('five hundred files at once are all there soon, and a second keeper does no harm', async () => {
    await make().sync();
    keeper?.start();
    const first = keeper;
    const second = make();
    second.start();
    for (let n = 0; n < 500; n += 1) put(`${n}.md`, `# Runbook ${n}\n\ntext`);
    await within(30, async () => (await paths()).length === 500);
    for (let n = 0; n < 500; n += 2) rmSync(join(folder, `${n}.md`));
    await within(5, async () => (await paths()).length === 250);
    await first?.stop();
    await second.stop();
    expect(await second.sync()).toEqual({ ...NOTHING, unchanged: 250 });
    const { chunks } = await db.q
      .selectFrom('chunk')
      .select(({ fn }) => fn.countAll<number>().as('chunks'))
      .executeTakeFirstOrThrow();
    expect(Number(chunks)).toBe(250);
  }, 60_000);

  it('keeps what is indexed while a folder is away, and says so once', async () => {
    put('a.md', '# A');
    await make().sync();
    keeper?.start();
    renameSync(folder, `${folder}-away`);
    await new Promise((resolve) => setTimeout(resolve, 4000));
    expect(await paths()).toEqual(['a.md']);
    expect(warnings.map(({ message }) => message)).toEqual(['runbooks cannot be indexed; those indexed before go on']);
    renameSync(`${folder}-away`, folder);
    put('b.md', '# B');
    await within(6, async () => (await paths()).join() === 'a.md,b.md');
  }, 20_000);

  it('begins while one of several folders is away, keeps what is indexed of it, and sees it come', async () => {
    put('a.md', '# A');
    const late = join(root, 'late');
    const away = [{ field: 'runbooks', value: late, message: 'there is no such folder', fix: expect.any(String) }];
    expect(await make([folder, late]).sync()).toEqual({
      ...NOTHING,
      added: ['books/a.md'],
      unchanged: 0,
      failed: away,
    });
    keeper?.start();
    mkdirSync(late);
    writeFileSync(join(late, 'b.md'), '# B');
    await within(3, async () => (await paths()).join() === 'books/a.md,late/b.md');
    rmSync(late, { recursive: true });
    put('c.md', '# C');
    await within(3, async () => (await paths()).join() === 'books/a.md,books/c.md,late/b.md');
    expect(await keeper?.sync()).toEqual({ ...NOTHING, unchanged: 2, failed: away });
    const said = 'a folder of runbooks is away; what is indexed of it goes on';
    expect(warnings).toEqual([
      { fields: { problems: away }, message: said },
      { fields: { problems: away }, message: said },
    ]);
    rmSync(folder, { recursive: true });
    await expect(keeper?.sync()).rejects.toThrow(/no such folder[\s\S]*no such folder/);
    expect(await paths()).toHaveLength(3);
  }, 20_000);

  it('says once of each file that is left out', async () => {
    await make().sync();
    put('huge.md', 'x'.repeat(1_048_577));
    symlinkSync('/etc/hosts', join(folder, 'link.md'));
    for (const name of ['a', 'b']) {
      put(`${name}.md`, '# Good');
      await keeper?.sync();
    }
    expect(warnings).toEqual(
      ['huge.md', 'link.md'].map((runbook) => ({
        fields: { runbook, problems: [expect.objectContaining({ field: 'file' })] },
        message: 'runbook does not act, or is left out, until it is mended',
      })),
    );
  });

  it('each runbook knows the commit that holds it, and follows when that changes', async () => {
    put('a.md', '# A');
    put('b.md', '# B');
    git(root, 'init', '--quiet', '--initial-branch=main');
    git(root, 'remote', 'add', 'origin', 'https://ana:secret@git.example.com/acme/ops.git');
    const first = commit(root);
    put('b.md', '# B changed');
    await make().sync();
    const repository = 'https://git.example.com/acme/ops.git';
    expect(await originsOf(db)).toEqual(
      new Map([
        ['a.md', { repository, commit: first, repositoryPath: 'books/a.md' }],
        ['b.md', { repository, commit: null, repositoryPath: 'books/b.md' }],
      ]),
    );
    keeper?.start();
    const before = embedded;
    const second = commit(root);
    await within(2, async () => (await originsOf(db)).get('b.md')?.commit === second);
    expect((await originsOf(db)).get('a.md')?.commit).toBe(second);
    expect(embedded).toBe(before);
  });

  describe('a repository as a source', () => {
    const configured = (source: object, others: unknown[] = []) =>
      parseConfig({
        env: {},
        directory: root,
        toolsetSettings: {},
        file: { path: 'nightshift.yaml', text: JSON.stringify({ runbooks: [...others, source] }) },
      });
    let upstream: string;
    beforeEach(() => {
      upstream = join(root, 'upstream.git');
      mkdirSync(join(upstream, 'docs/books'), { recursive: true });
      writeFileSync(join(upstream, 'docs/books/down.md'), '# Down\n');
      writeFileSync(join(upstream, 'README.md'), '# No runbook\n');
    });

    it('is fetched, indexed under its name, pinned by its commit, and followed', async () => {
      const first = commit(upstream);
      git(upstream, 'config', 'uploadpack.allowFilter', 'true');
      const { runbooks, runbookRemotes } = configured({ git: `file://${upstream}`, path: 'docs/books' }, ['books']);
      put('own.md', '# Own');
      expect(await make(runbooks, runbookRemotes).sync()).toMatchObject({
        added: ['books/own.md', 'upstream/down.md'],
      });
      const [remote] = runbookRemotes;
      expect((await originsOf(db)).get('upstream/down.md')).toEqual({
        repository: `file://${upstream}`,
        commit: first,
        repositoryPath: 'docs/books/down.md',
      });
      const pin = async () => {
        const runbook = await runbookByPath(db, 'upstream/down.md');
        return runbook ? createPinOf(runbooks)(runbook) : null;
      };
      expect(await pin()).toMatchObject({ pinned: true, editorEmails: ['ana@example.org'] });

      // Somebody else changes another file: whoever wrote the runbook is still known.
      writeFileSync(join(upstream, 'README.md'), '# Other\n');
      git(upstream, 'add', '--all');
      git(
        upstream,
        '-c',
        'user.email=ben@example.org',
        'commit',
        '--quiet',
        '-m',
        'x',
        '--author=Ben <ben@example.org>',
      );
      writeFileSync(join(upstream, 'docs/books/more.md'), '# More\n');
      expect(await keeper?.sync({ fetch: true })).toMatchObject({ added: [], unchanged: 2 });
      expect(await pin()).toMatchObject({ pinned: true, editorEmails: ['ana@example.org'] });
      const third = commit(upstream);
      expect(await keeper?.sync({ fetch: true })).toMatchObject({ added: ['upstream/more.md'], unchanged: 2 });
      expect((await originsOf(db)).get('upstream/down.md')?.commit).toBe(third);

      // What somebody changes in our clone is not what was committed.
      writeFileSync(join(remote?.folder ?? '', 'down.md'), '# Changed here\n');
      await keeper?.sync();
      expect(await pin()).toMatchObject({ pinned: false });
    });

    it('that cannot be reached keeps what was fetched before, and what was indexed before it was ever fetched', async () => {
      commit(upstream);
      const { runbooks, runbookRemotes } = configured({ git: `file://${upstream}`, path: 'docs/books' });
      await make(runbooks, runbookRemotes).sync();
      renameSync(upstream, `${upstream}-away`);
      const failed = [
        {
          field: 'runbooks',
          value: `file://${upstream} at main`,
          message: expect.stringMatching(/^cannot be fetched: .*not/),
          fix: expect.any(String),
        },
      ];
      expect(await keeper?.sync({ fetch: true })).toEqual({ ...NOTHING, unchanged: 1, failed });
      expect((await keeper?.sync())?.failed).toEqual([]);
      expect(warnings).toEqual([
        {
          fields: { source: `file://${upstream}`, error: expect.stringContaining('not') },
          message: 'runbooks cannot be fetched; those fetched before go on being used',
        },
      ]);
      // A new machine beside the same database.
      rmSync(join(root, '.nightshift'), { recursive: true });
      expect(await make(runbooks, runbookRemotes).sync()).toEqual({ ...NOTHING, unchanged: 0, failed });
      expect(await paths()).toEqual(['down.md']);
      renameSync(`${upstream}-away`, upstream);
      expect(await keeper?.sync()).toEqual({ ...NOTHING, unchanged: 1 });
    });

    it('that was never fetched keeps nothing of a source that is configured no more', async () => {
      commit(upstream);
      put('own.md', '# Own');
      const before = configured({ git: `file://${upstream}`, path: 'docs/books' }, ['books']);
      await make(before.runbooks, before.runbookRemotes).sync();
      await keeper?.stop();
      expect(await paths()).toEqual(['books/own.md', 'upstream/down.md']);
      // On its own it has no name in front of its paths, so that every path might be its.
      const other = configured({ git: `file://${root}/never.git` });
      expect(await make(other.runbooks, other.runbookRemotes).sync()).toMatchObject({
        removed: ['books/own.md', 'upstream/down.md'],
        failed: [expect.anything()],
      });
    });

    it('runs nothing, follows no link and changes no byte', async () => {
      const marker = join(root, 'ran');
      writeFileSync(join(root, 'secret.md'), '# Secret\n');
      symlinkSync(join(root, 'secret.md'), join(upstream, 'docs/books/link.md'));
      writeFileSync(join(upstream, 'docs/books/windows.md'), '# Windows\r\n');
      writeFileSync(join(upstream, '.gitattributes'), '*.md text eol=lf filter=evil ident\n');
      writeFileSync(join(upstream, '.gitmodules'), `[submodule "x"]\n\tpath = x\n\turl = file://${upstream}\n`);
      mkdirSync(join(upstream, 'hooks'));
      writeFileSync(join(upstream, 'hooks/post-checkout'), `#!/bin/sh\ntouch ${marker}\n`, { mode: 0o755 });
      git(upstream, 'init', '--quiet', '--initial-branch=main');
      git(upstream, 'config', 'core.autocrlf', 'false');
      execFileSync('git', ['-C', upstream, '-c', 'core.attributesFile=/dev/null', 'add', '--all'], { stdio: 'ignore' });
      commit(upstream);
      const home = join(root, 'home');
      mkdirSync(home);
      writeFileSync(
        join(home, '.gitconfig'),
        `[filter "evil"]\n\tsmudge = touch ${marker}; cat\n[core]\n\thooksPath = ${join(upstream, 'hooks')}\n\tautocrlf = true\n`,
      );
      const { HOME } = process.env;
      process.env.HOME = home;
      try {
        const { runbooks, runbookRemotes } = configured({ git: `file://${upstream}` });
        const { added } = await make(runbooks, runbookRemotes).sync();
        expect(added.sort()).toEqual([
          'README.md',
          'docs/books/down.md',
          'docs/books/link.md',
          'docs/books/windows.md',
        ]);
        expect(existsSync(marker)).toBe(false);
        expect((await runbookByPath(db, 'docs/books/link.md'))?.body).not.toContain('Secret');
        expect([...(await originsOf(db)).values()].every((origin) => origin.commit !== null)).toBe(true);
      } finally {
        process.env.HOME = HOME;
      }
    });

    it('whose clone was left half made or locked is mended, and no repository above it is touched', async () => {
      commit(upstream);
      const above = commit(root);
      git(root, 'remote', 'add', 'origin', 'https://git.example.com/own.git');
      writeFileSync(join(root, 'kept.txt'), 'not committed');
      const { runbooks, runbookRemotes } = configured({ git: `file://${upstream}`, path: 'docs/books' });
      const [remote] = runbookRemotes;
      if (!remote) throw new Error('no remote');
      mkdirSync(join(remote.clone, '.git'), { recursive: true });
      expect(await make(runbooks, runbookRemotes).sync()).toMatchObject({ added: ['down.md'] });
      expect(git(root, 'rev-parse', 'HEAD')).toBe(above);
      expect(git(root, 'config', 'remote.origin.url')).toBe('https://git.example.com/own.git');
      expect(existsSync(join(root, 'kept.txt'))).toBe(true);

      writeFileSync(join(upstream, 'docs/books/more.md'), '# More\n');
      commit(upstream);
      const lock = join(remote.clone, '.git/index.lock');
      writeFileSync(lock, '');
      // Somebody may be at it.
      expect(await keeper?.sync({ fetch: true })).toMatchObject({ added: [] });
      utimesSync(lock, new Date(0), new Date(0));
      expect(await keeper?.sync({ fetch: true })).toMatchObject({ added: ['more.md'] });
    });

    it('that never answers does not keep the server from stopping', async () => {
      const silent = createServer().listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as AddressInfo;
      const { runbooks, runbookRemotes } = configured({ git: `https://127.0.0.1:${port}/x.git` });
      const syncing = make(runbooks, runbookRemotes).sync();
      await once(silent, 'connection');
      const began = performance.now();
      await keeper?.stop();
      await syncing;
      expect(performance.now() - began).toBeLessThan(5000);
      silent.close();
    });

    it('shows no part of a password that holds an @', async () => {
      commit(upstream);
      const { runbooks, runbookRemotes } = configured({ git: 'https://x:one@two@127.0.0.1:1/x.git' });
      await make(runbooks, runbookRemotes).sync();
      expect(warnings).toHaveLength(1);
      expect(JSON.stringify(warnings)).not.toMatch(/one|two/);
    });

    it('whose folder is not there, or that answers with a transport that may run programs, is told and left alone', async () => {
      commit(upstream);
      const { runbooks, runbookRemotes } = configured({ git: `file://${upstream}`, path: 'docs/none' });
      expect(await make(runbooks, runbookRemotes).sync()).toMatchObject({
        ...NOTHING,
        failed: [{ message: 'cannot be fetched: there is no folder docs/none at main' }],
      });
      expect(warnings[0]?.fields).toMatchObject({ error: 'there is no folder docs/none at main' });
      const [remote] = runbookRemotes;
      if (!remote) throw new Error('no remote');
      const marker = join(root, 'ran');
      const evil = { ...remote, clone: join(root, 'evil'), url: `ext::sh -c touch% ${marker}` };
      await make([remote.folder], [evil]).sync();
      expect(warnings.at(-1)?.fields).toMatchObject({ error: expect.stringContaining("transport 'ext' not allowed") });
      expect(existsSync(marker)).toBe(false);
    });

    it.each([
      { git: 'ext::sh -c id' },
      { git: '--upload-pack=id' },
      { git: 'ssh://-oProxyCommand=id/x' },
      { git: 'http://git.example.com/x' },
      { git: 'https://git.example.com/x', ref: '--upload-pack=id' },
      { git: 'https://git.example.com/x', ref: 'a/../../b' },
      { git: 'https://git.example.com/x', path: '../up' },
      { git: 'https://git.example.com/x', path: '/etc' },
      { git: 'https://git.example.com/x', everySeconds: 1 },
    ])('%j is a mistake', (source) => expect(() => configured(source)).toThrow(/runbooks/));
  });
});
