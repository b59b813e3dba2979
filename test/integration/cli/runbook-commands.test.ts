import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig, runCli } from '../../../src/cli/index.ts';
import { setFailure } from '../../../src/rag/sources.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

const book = (directory: string) =>
  `---\nmatch: ['alertname="SpoolStuck"']\nsteps: [{ tool: host.purge, with: { directory: ${directory} }, why: poison }]\nverify: [{ tool: host.files, with: { directory: ${directory} }, expect: count == 0 }]\n---\n# Spool of ${directory}\n`;

async function run(directory: string, argv: string[], env: Record<string, string> = {}) {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env,
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

describe('runbooks lint', () => {
  it('tells errors from warnings, by exit code and as JSON', async () => {
    const { path, remove } = scratchDirectory();
    mkdirSync(join(path, 'runbooks'));
    const put = (name: string, text: string) => writeFileSync(join(path, 'runbooks', name), text);
    put('a.md', book('a').replace(/verify.*\n/, ''));
    const warned = await run(path, ['runbooks', 'lint']);
    expect(warned).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^a\.md:3: warning: verify: .*Fix: .*\[no-check\]$/m),
    });
    expect(await run(path, ['runbooks', 'lint', '--strict'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('[no-check]'),
    });

    put('b.md', book('b'));
    const { code, out } = await run(path, ['runbooks', 'lint', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      findings: [
        { path: 'a.md', line: 2, severity: 'error', rule: 'overlap', fix: expect.any(String) },
        { path: 'a.md', line: 3, severity: 'warning', rule: 'no-check' },
      ],
      runbooks: [
        { path: 'a.md', actionable: true, pinned: false, why: expect.stringContaining('no runbooks.lock') },
        { path: 'b.md', actionable: true, pinned: false },
      ],
    });
    rmSync(join(path, 'runbooks/a.md'));
    await run(path, ['runbooks', 'pin']);
    expect(JSON.parse((await run(path, ['runbooks', 'lint', '--json'])).out)).toEqual({
      ok: true,
      findings: [],
      runbooks: [
        { path: 'b.md', title: 'Spool of b', actionable: true, pinned: true, why: 'its hash is in runbooks.lock' },
      ],
    });
    expect((await run(path, ['runbooks', 'lint'])).out).toBe('1 runbook(s) in order, 1 of them can act');
    remove();
  });
});

describe('runbooks lint of several sources', () => {
  it('names those that cannot be read, and lints the others all the same', async () => {
    const { path, remove } = scratchDirectory();
    mkdirSync(join(path, 'runbooks'));
    writeFileSync(join(path, 'runbooks/a.md'), book('a'));
    const configure = (runbooks: string) => writeFileSync(join(path, 'nightshift.yaml'), `runbooks: ${runbooks}\n`);
    configure('[runbooks, nowhere]');
    const away = await run(path, ['runbooks', 'lint']);
    expect(away).toMatchObject({ code: 1, err: expect.stringMatching(/1 source\(s\) .* and 0 of 1 runbook/) });
    expect(away.err).toMatch(/^error: runbooks: there is no such folder \(found: .*nowhere\)\. Fix: .*\[source\]$/m);

    const git = `{ git: "file://${path}/up.git", path: docs }`;
    configure(`[runbooks, ${git}]`);
    const early = await run(path, ['runbooks', 'lint']);
    expect(early).toMatchObject({ code: 0, out: expect.stringContaining('runbooks/a.md: asks before it acts') });
    expect(early.out).toMatch(
      /^warning: runbooks: not fetched yet \(found: file:.*Fix: run `nightshift runbooks sync`/m,
    );
    expect((await run(path, ['runbooks', 'lint', '--strict'])).code).toBe(1);

    const { runbookRemotes } = loadConfig({ env: {}, directory: path });
    for (const remote of runbookRemotes) await setFailure(remote, 'there is no folder docs at main');
    const failed = await run(path, ['runbooks', 'lint', '--json']);
    expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('1 source(s) of runbooks cannot be read') });
    expect(JSON.parse(failed.out)).toMatchObject({
      ok: false,
      findings: [{ rule: 'source', severity: 'error', message: 'cannot be fetched: there is no folder docs at main' }],
      runbooks: [{ path: 'runbooks/a.md' }],
    });
    configure(`[${git}]`);
    expect((await run(path, ['runbooks', 'lint'])).err).toContain('there is no folder docs at main');
    remove();
  });
});

describe('runbooks eval', () => {
  it('refuses what measures nothing, and warns of right runbooks that are not there', async () => {
    const { path, remove } = scratchDirectory();
    mkdirSync(join(path, 'books'));
    mkdirSync(join(path, 'empty'));
    writeFileSync(join(path, 'books/down.MD'), '# Service is down\n');
    writeFileSync(join(path, 'none.jsonl'), '\n');
    const line = (id: string, gold: string[]) => JSON.stringify({ id, alertname: 'Down', gold });
    writeFileSync(join(path, 'q.jsonl'), `${line('a', ['down.MD'])}\n\n${line('b', ['gone.md', 'x/down.MD'])}\n`);
    const measure = (corpus: string, queries: string, ...more: string[]) =>
      run(path, ['runbooks', 'eval', '--corpus', corpus, '--queries', queries, '--json', ...more]);
    for (const [corpus, queries, words] of [
      ['nodir', 'q.jsonl', /--corpus: there is no such folder \(found: nodir\)\. Fix: name a folder of runbooks$/],
      ['q.jsonl', 'q.jsonl', /--corpus: is not a folder/],
      ['empty', 'q.jsonl', /--corpus: holds no runbook \(found: empty\)\. Fix: /],
      ['books', 'gone.jsonl', /--queries: there is no such file \(found: gone\.jsonl\)\. Fix: /],
      ['books', 'books', /--queries: is a folder \(found: books\)\. Fix: /],
      ['books', 'none.jsonl', /--queries: holds no alert \(found: none\.jsonl\)\. Fix: /],
    ] as const) {
      const { code, out, err } = await measure(corpus, queries);
      expect({ code, out }).toEqual({ code: 1, out: '' });
      expect(err).toMatch(words);
      expect(err).not.toMatch(/ENOENT|EISDIR|nightshift\.yaml/);
    }
    const { code, out, err } = await measure('books', 'q.jsonl', '--nogold', 'none.jsonl');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ n: 2, 'recall@1': 0.5 });
    expect(err.split('\n')).toEqual([
      'nightshift: warning: --nogold: none.jsonl holds no alert',
      'nightshift: warning: q.jsonl, line 3: gold of b names no file of the corpus: gone.md',
      'nightshift: warning: q.jsonl, line 3: gold of b names no file of the corpus: x/down.MD',
    ]);
    remove();
  }, 60_000);
});

describe('runbooks new, without a server', () => {
  it('writes a file that is in order, and overwrites none', async () => {
    const { path, remove } = scratchDirectory();
    const file = join(path, 'runbooks/kube-pod-crash-looping.md');
    expect(await run(path, ['runbooks', 'new', 'KubePodCrashLooping'])).toMatchObject({
      code: 0,
      out: expect.stringContaining(file),
    });
    expect(await run(path, ['runbooks', 'lint'])).toMatchObject({
      code: 0,
      out: '1 runbook(s) in order, 0 of them can act',
    });
    writeFileSync(file, 'mine');
    expect(await run(path, ['runbooks', 'new', 'KubePodCrashLooping'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('is there already'),
    });
    expect(readFileSync(file, 'utf8')).toBe('mine');
    expect((await run(path, ['runbooks', 'new', '../../…'])).code).toBe(1);
    writeFileSync(join(path, 'nightshift.yaml'), 'runbooks: [{git: "https://git.example.com/x"}]\n');
    expect(await run(path, ['runbooks', 'new', 'Down'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('repository'),
    });
    remove();
  });
});

describe('beside a running server', () => {
  let nightshift: TestNightshift;
  beforeAll(async () => {
    nightshift = await startNightshift({ database: 'embedded', runbooks: { 'spool.md': book('shop') } });
  }, 60_000);
  afterAll(() => nightshift?.stop());
  const cli = (...argv: string[]) => run(nightshift.dataDir, argv, { NIGHTSHIFT_DATA_DIR: nightshift.dataDir });

  it('sync tells what changed, for whoever may decide', async () => {
    const folder = join(nightshift.dataDir, 'runbooks');
    expect((await cli('runbooks', 'sync')).out).toBe('1 unchanged');
    writeFileSync(join(folder, 'new.md'), '# New');
    writeFileSync(join(folder, 'spool.md'), book('shop').replace('match', 'macth'));
    const { out } = await cli('runbooks', 'sync');
    expect(out).toContain('added    new.md\nchanged  spool.md\nspool.md\n  macth: is not a known setting');
    rmSync(join(folder, 'new.md'));
    writeFileSync(join(folder, 'spool.md'), book('shop'));
    expect((await cli('runbooks', 'sync')).out).toBe('changed  spool.md\nremoved  new.md\n0 unchanged');

    const { body } = await nightshift.api<{ secret: string }>('/tokens', { name: 'eve', role: 'viewer' });
    const token = (body as { token?: string; secret?: string }).token ?? body.secret;
    expect(await nightshift.api('/runbooks/sync', {}, token)).toMatchObject({ status: 403 });
    expect(await nightshift.api('/runbooks/sync', { x: 1 })).toMatchObject({ status: 400 });
  });

  it('search shows the lines, and new takes the labels of the last alert', async () => {
    expect((await cli('runbooks', 'search', 'Spool of shop')).out).toMatch(/ {2}spool\.md:6-6 {2}Spool of shop/);
    await nightshift.deliver([alert({ alertname: 'NothingYet', queue: 'orders' })]);
    const { out } = await cli('runbooks', 'new', 'NothingYet');
    expect(out).toMatch(/nothing-yet\.md: written with the labels of INC-\d+/);
    const file = join(nightshift.dataDir, 'runbooks/nothing-yet.md');
    expect(existsSync(file) && readFileSync(file, 'utf8')).toContain('#   queue: "orders"');
  });
});

describe('beside a server with a source that cannot be fetched', () => {
  it('sync tells it, with the fix, and fails', async () => {
    const git = 'file:///nowhere/to/be/found.git';
    const nightshift = await startNightshift({
      database: 'embedded',
      runbooks: { 'spool.md': book('shop') },
      config: { runbooks: ['runbooks', 'late', { git, ref: 'mian' }] },
    });
    const { code, out, err } = await run(nightshift.dataDir, ['runbooks', 'sync'], {
      NIGHTSHIFT_DATA_DIR: nightshift.dataDir,
    });
    expect({ code, out }).toEqual({ code: 1, out: '1 unchanged' });
    expect(err).toMatch(
      /2 source\(s\)[\s\S]*cannot be fetched: .*\(found: file:\S+found\.git at mian\)\. Fix: correct `git`/,
    );
    expect(err).toMatch(/there is no such folder \(found: \S+late\)/);
    expect(await nightshift.api('/runbooks/sync', {})).toMatchObject({
      status: 200,
      body: { unchanged: 1, failed: [{ field: 'runbooks' }, { field: 'runbooks' }] },
    });
    await nightshift.stop();
  }, 60_000);
});
