/** Who vouches for a runbook: git inside a work tree, a lock file outside, and nobody where neither can be asked. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPinOf, parseRunbook, pinRunbooks } from '../../../src/rag/index.ts';

const TEXT = '---\nmatch: [\'alertname="Down"\']\n---\n# Down\nRestart it.\n';
const OTHER = TEXT.replace('Restart', 'Delete');

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'nightshift-pin-')), 'runbooks');
  mkdirSync(folder);
  writeFileSync(join(folder, 'down.md'), TEXT);
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

const git = (...args: string[]) =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=Ana', '-c', 'user.email=ana@example.org', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
const commit = () => {
  git('init', '--quiet');
  git('add', '.');
  git('commit', '--quiet', '-m', 'Runbooks');
};
const pinOf = (text: string, path = 'down.md', folders = [folder]) => createPinOf(folders)(parseRunbook(path, text));

describe('inside a git work tree', () => {
  it('a runbook is pinned when it equals the committed file, and its last author is known', async () => {
    commit();
    expect(await pinOf(TEXT)).toEqual({
      pinned: true,
      why: 'it equals the committed file',
      editorEmails: ['ana@example.org'],
    });
  });

  it('one that was changed and not committed is not pinned, whatever the lock file says', async () => {
    commit();
    writeFileSync(join(folder, 'down.md'), OTHER);
    await pinRunbooks([folder]);
    expect(await pinOf(OTHER)).toEqual({ pinned: false, why: 'it is not the committed file', editorEmails: [] });
    expect((await pinOf(TEXT)).pinned).toBe(true);
  });

  it('one that is staged or untracked is not pinned', async () => {
    commit();
    writeFileSync(join(folder, 'new.md'), TEXT);
    expect(await pinOf(TEXT, 'new.md')).toMatchObject({
      pinned: false,
      why: expect.stringContaining('no committed new.md'),
    });
    git('add', 'new.md');
    expect((await pinOf(TEXT, 'new.md')).pinned).toBe(false);
  });

  it('no program that the work tree names runs on the way', async () => {
    writeFileSync(join(folder, '.gitattributes'), '*.md diff=evil filter=evil\n');
    commit();
    const marker = join(folder, '..', 'ran');
    git('config', 'diff.evil.textconv', `touch ${marker}; cat`);
    git('config', 'filter.evil.smudge', `touch ${marker}; cat`);
    git('config', 'core.fsmonitor', `touch ${marker}`);
    await pinOf(TEXT);
    expect(() => readFileSync(marker)).toThrow(/ENOENT/);
  });

  it('nothing is vouched for where git cannot be asked, whatever the lock file says', async () => {
    commit();
    await pinRunbooks([folder]);
    const { PATH } = process.env;
    process.env.PATH = '/nonexistent';
    try {
      expect((await pinOf(TEXT)).pinned).toBe(false);
    } finally {
      process.env.PATH = PATH;
    }
  });

  it('another repository inside the folder vouches for nothing', async () => {
    commit();
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'evil.md'), TEXT);
    const inner = ['-C', join(folder, 'sub'), '-c', 'user.name=Eve', '-c', 'user.email=ben@example.org'];
    for (const args of [
      ['init', '--quiet'],
      ['add', '.'],
      ['commit', '--quiet', '-m', 'x'],
    ])
      execFileSync('git', [...inner, ...args]);
    expect(await pinOf(TEXT, 'sub/evil.md')).toMatchObject({
      pinned: false,
      why: expect.stringContaining('another repository'),
    });
  });

  it('a broken repository vouches for nothing', async () => {
    commit();
    writeFileSync(join(folder, '.git/HEAD'), 'nonsense\n');
    expect((await pinOf(TEXT)).pinned).toBe(false);
  });
});

describe('outside git', () => {
  it('a runbook is pinned when its hash and its path stand in the lock file', async () => {
    expect(await pinOf(TEXT)).toMatchObject({ pinned: false, why: expect.stringContaining('no runbooks.lock') });
    expect(await pinRunbooks([folder])).toEqual([{ file: join(folder, 'runbooks.lock'), runbooks: 1, inGit: false }]);
    expect(await pinOf(TEXT)).toEqual({ pinned: true, why: 'its hash is in runbooks.lock', editorEmails: [] });
    expect(await pinOf(OTHER)).toMatchObject({ pinned: false, why: 'its hash is not in runbooks.lock' });
    expect((await pinOf(TEXT, 'other.md')).pinned).toBe(false);
  });

  it('writes what sha256sum can check', async () => {
    await pinRunbooks([folder]);
    expect(execFileSync('sha256sum', ['-c', 'runbooks.lock'], { cwd: folder, encoding: 'utf8' })).toBe('down.md: OK\n');
  });

  it('the bundled runbooks ship pinned', async () => {
    const bundled = join(import.meta.dirname, '../../../runbooks');
    const copy = join(folder, '..', 'copy');
    cpSync(bundled, copy, { recursive: true });
    const names = readdirSync(copy).filter((name) => name.endsWith('.md'));
    expect(names.length).toBeGreaterThan(2);
    for (const name of names)
      expect(await pinOf(readFileSync(join(copy, name), 'utf8'), name, [copy]), name).toMatchObject({ pinned: true });
  });

  it('finds the folder of a runbook where there are several, and refuses one that is in none', async () => {
    const second = join(folder, '..', 'team');
    mkdirSync(second);
    writeFileSync(join(second, 'down.md'), OTHER);
    await pinRunbooks([folder, second]);
    expect((await pinOf(OTHER, 'team/down.md', [folder, second])).pinned).toBe(true);
    expect((await pinOf(TEXT, 'team/down.md', [folder, second])).pinned).toBe(false);
    expect((await pinOf(TEXT, 'elsewhere/down.md', [folder, second])).pinned).toBe(false);
  });

  it('a folder that cannot be read vouches for nothing', async () => {
    await pinRunbooks([folder]);
    renameSync(folder, `${folder}-gone`);
    symlinkSync('/nonexistent', folder);
    expect(await pinOf(TEXT)).toMatchObject({ pinned: false, why: expect.stringContaining('cannot be found out') });
    rmSync(folder);
    renameSync(`${folder}-gone`, folder);
  });
});
