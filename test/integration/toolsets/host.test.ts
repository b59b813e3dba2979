import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inDirectory, survey } from '../../../src/mcp-tools/host/directory.ts';
import { hostToolset } from '../../../src/mcp-tools/host/index.ts';
import { previewOf } from '../../../src/mcp-tools/host/purge.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { callTool, inspectTool } from './call-tool.ts';

/** User id of `nobody`. */
const SOMEBODY = 65_534;

interface Files {
  count: number;
  bytes: number;
  oldest: string | null;
  sample: string[];
  onePurgeDeletes: { count: number; bytes: number };
  complete: boolean;
}
interface Purged {
  deleted: number;
  bytes: number;
  kept: number;
  left: number;
  failed: { name: string; error: string }[];
  failedCount: number;
}

describe('host.files and host.purge', () => {
  let scratch: ReturnType<typeof scratchDirectory>;
  let spool: string;

  beforeEach(() => {
    scratch = scratchDirectory();
    spool = join(scratch.path, 'spool');
    mkdirSync(spool);
  });
  afterEach(() => scratch.remove());

  const settings = (rule: object = {}) => ({ directories: { spool: { path: spool, pattern: '*.job', ...rule } } });
  const files = async (rule?: object, directory = 'spool') =>
    (await callTool(hostToolset, 'host.files', { directory }, settings(rule))) as unknown as Files;
  const purge = async (rule?: object, directory = 'spool', signal?: AbortSignal) =>
    (await callTool(hostToolset, 'host.purge', { directory }, settings(rule), signal)) as unknown as Purged;
  const inspect = (rule?: object, directory = 'spool', signal?: AbortSignal) =>
    inspectTool(hostToolset, 'host.purge', { directory }, settings(rule), signal);
  function write(name: string, { bytes = 10, ageSeconds = 0, in: directory = spool } = {}): string {
    const path = join(directory, name);
    writeFileSync(path, Buffer.alloc(bytes));
    const at = Date.now() / 1000 - ageSeconds;
    utimesSync(path, at, at);
    return path;
  }
  const remaining = () => readdirSync(spool).sort();

  it('deletes exactly what host.files announced: name and age, oldest first', async () => {
    write('b.job', { bytes: 5, ageSeconds: 7200 });
    write('a.job', { bytes: 7, ageSeconds: 90_000 });
    write('young.job', { ageSeconds: 60 });
    write('b.job.keep', { ageSeconds: 7200 });
    write('.hidden.job', { ageSeconds: 7200 });
    const rule = { olderThanSeconds: 3600 };
    const seen = await files(rule);
    expect(seen).toMatchObject({
      directory: 'spool',
      path: spool,
      count: 2,
      bytes: 12,
      sample: ['a.job', 'b.job'],
      complete: true,
    });
    expect(seen.onePurgeDeletes).toEqual({ count: 2, bytes: 12 });
    expect(Math.abs(Date.parse(seen.oldest ?? '') - (Date.now() - 90_000_000))).toBeLessThan(10_000);
    expect(remaining()).toHaveLength(5);
    expect(await purge(rule)).toEqual({
      directory: 'spool',
      path: spool,
      deleted: 2,
      bytes: 12,
      kept: 3,
      left: 0,
      failed: [],
      failedCount: 0,
      complete: true,
    });
    expect(remaining()).toEqual(['.hidden.job', 'b.job.keep', 'young.job']);
    expect(await files(rule)).toMatchObject({ count: 0, bytes: 0, oldest: null, sample: [] });
    expect(await purge(rule)).toMatchObject({ deleted: 0, kept: 3 });
  });

  it('counts files from a clock that is ahead where no age is asked for, and not where one is', async () => {
    write('ahead.job', { ageSeconds: -3600 });
    expect((await files({ olderThanSeconds: 1 })).count).toBe(0);
    expect((await files()).count).toBe(1);
  });

  it('deletes at most filesMax, the oldest, and says what is left', async () => {
    for (let index = 0; index < 300; index += 1) write(`${index}.job`, { bytes: 1, ageSeconds: 1000 - index });
    const seen = await files({ filesMax: 200 });
    expect(seen).toMatchObject({ count: 300, bytes: 300, onePurgeDeletes: { count: 200, bytes: 200 } });
    expect(seen.sample).toEqual(Array.from({ length: 10 }, (_, index) => `${index}.job`));
    expect(await purge({ filesMax: 200 })).toMatchObject({ deleted: 200, bytes: 200, left: 100, kept: 0 });
    expect(remaining()).toHaveLength(100);
    expect(remaining()).not.toContain('199.job');
    expect(await purge({ filesMax: 200 })).toMatchObject({ deleted: 100, left: 0 });
  });

  it('says before a purge exactly what it would delete, without touching it', async () => {
    const at = (seconds: number) => new Date(Math.floor(Date.now() / 1000 - seconds) * 1000);
    const aged = (name: string, ageSeconds: number, bytes = 10) => {
      utimesSync(write(name, { bytes }), at(ageSeconds), at(ageSeconds));
      return `${JSON.stringify(name)}, ${bytes} bytes, last written ${at(ageSeconds).toISOString()}`;
    };
    const lines = [aged('a.job', 90_000, 7), aged('b "c", 0 bytes\n.job', 7200, 5)];
    aged('young.job', 60);
    write('other.txt', { ageSeconds: 7200 });
    symlinkSync(spool, join(spool, 'link.job'));
    expect(await inspect({ olderThanSeconds: 3600 })).toEqual({
      uid: expect.stringMatching(/^\d+:\d+:\d+$/),
      population: null,
      preview: [
        'deletes 2 file(s), 12 bytes, the oldest first',
        `in ${spool}`,
        'that match *.job and were last written at least 3600 s ago',
        'keeps 3 other entries',
        ...lines,
      ],
    });
    expect(remaining()).toHaveLength(5);
    expect(await purge({ olderThanSeconds: 3600 })).toMatchObject({ deleted: 2, bytes: 12, kept: 3 });
    expect((await inspect({ olderThanSeconds: 3600 })).preview?.[0]).toBe(
      'deletes 0 file(s), 0 bytes, the oldest first',
    );
  });

  it('names twenty files before a purge, and counts the others', async () => {
    for (let index = 0; index < 30; index += 1) write(`${index}.job`, { bytes: 1, ageSeconds: 1000 - index });
    const { preview } = await inspect({ filesMax: 25 });
    expect(preview).toHaveLength(25);
    expect(preview?.slice(0, 4)).toEqual([
      'deletes 25 file(s), 25 bytes, the oldest first',
      `in ${spool}`,
      'that match *.job',
      'keeps 0 other entries, and 5 more matching file(s) for another run',
    ]);
    expect(preview?.slice(4, -1).map((line) => line.split(',')[0])).toEqual(
      Array.from({ length: 20 }, (_, index) => `"${index}.job"`),
    );
    expect(preview?.at(-1)).toBe('and 5 more');
    write(`${'n'.repeat(250)}.job`, { ageSeconds: 5000 });
    const long = (await inspect()).preview?.[4];
    expect([long?.length, long?.at(-1)]).toEqual([200, '…']);
  });

  it('does not say which files where it had no time to look at all of them', async () => {
    for (let index = 0; index < 200; index += 1) write(`${index}.job`);
    write('other.txt');
    const declared = hostToolset.settings.parse(settings({ filesMax: 50 })) as Parameters<typeof inDirectory>[1];
    const [hurried, whole] = await inDirectory('spool', declared, async (directory) => {
      const looks = [
        survey(directory, AbortSignal.timeout(5000), { withinMs: -1 }),
        survey(directory, AbortSignal.timeout(5000)),
      ];
      return (await Promise.all(looks)).map((found) => ({ ...found, lines: previewOf(directory.rule, found) }));
    });
    expect(whole).toMatchObject({ complete: true, kept: 1 });
    expect(whole?.lines).toHaveLength(4 + 20 + 1);
    expect(hurried).toMatchObject({ complete: false, files: [], kept: 0 });
    expect(hurried?.lines).toEqual([
      'deletes up to 50 file(s), the oldest first',
      `in ${spool}`,
      'that match *.job',
      'there are too many entries to say which: of 0 that were looked at, 0 match',
    ]);
  });

  it('tells a directory from another of its name, and knows it again however its files change', async () => {
    const uid = async () => (await inspect()).uid;
    const first = await uid();
    write('a.job');
    expect(await uid()).toBe(first);
    await purge();
    expect(await uid()).toBe(first);
    // A file system may give the inode that was freed to the next directory at once; only its birth is another then.
    const seen = new Set([first]);
    for (let times = 0; times < 3; times += 1) {
      // Longer than the ticks in which some file systems tell the time.
      await sleep(20);
      rmdirSync(spool);
      mkdirSync(spool);
      seen.add(await uid());
    }
    renameSync(spool, join(scratch.path, 'moved'));
    mkdirSync(spool);
    seen.add(await uid());
    expect(seen.size).toBe(5);
  });

  it('refuses to look where it would refuse to purge', async () => {
    write('a.job');
    symlinkSync(spool, join(scratch.path, 'link'));
    await expect(inspect({ path: join(scratch.path, 'link') })).rejects.toThrow(/reached through a symbolic link/);
    await expect(inspect({}, 'other')).rejects.toThrow(/is not declared/);
    await expect(inspect({ path: join(scratch.path, 'absent') })).rejects.toThrow(/cannot be opened: ENOENT/);
    await expect(inspect({}, 'spool', AbortSignal.abort())).rejects.toThrow(/took too long/);
  });

  it('leaves links, what they point to, directories and what is in them alone', async () => {
    const outside = write('outside.job', { in: scratch.path });
    mkdirSync(join(spool, 'nested.job'));
    const nested = write('nested.job', { in: join(spool, 'nested.job') });
    symlinkSync(outside, join(spool, 'link.job'));
    symlinkSync(scratch.path, join(spool, 'link-to-directory.job'));
    symlinkSync('/nowhere', join(spool, 'dangling.job'));
    linkSync(outside, join(spool, 'hard.job'));
    expect(await files()).toMatchObject({ count: 1, sample: ['hard.job'] });
    expect(await purge()).toMatchObject({ deleted: 1, kept: 4, failed: [] });
    expect(remaining()).toEqual(['dangling.job', 'link-to-directory.job', 'link.job', 'nested.job']);
    expect([existsSync(outside), existsSync(nested)]).toEqual([true, true]);
  });

  it('refuses a directory that is itself a link, or lies below one', async () => {
    const victim = write('victim.job');
    symlinkSync(spool, join(scratch.path, 'link'));
    mkdirSync(join(spool, 'below'));
    const below = write('victim.job', { in: join(spool, 'below') });
    for (const path of [join(scratch.path, 'link'), join(scratch.path, 'link', 'below')]) {
      await expect(files({ path })).rejects.toThrow(/reached through a symbolic link.*Fix: declare the real path/);
      await expect(purge({ path })).rejects.toThrow(/reached through a symbolic link/);
    }
    expect([existsSync(victim), existsSync(below)]).toEqual([true, true]);
  });

  it.runIf(process.platform === 'linux')('stays in the directory it opened when another takes its name', async () => {
    write('old.job');
    const other = join(scratch.path, 'other');
    mkdirSync(other);
    const declared = hostToolset.settings.parse(settings()) as Parameters<typeof inDirectory>[1];
    const seen = await inDirectory('spool', declared, async ({ base }) => {
      renameSync(spool, join(scratch.path, 'moved'));
      symlinkSync(other, spool);
      write('victim.job', { in: other });
      return readdirSync(base);
    });
    expect(seen).toEqual(['old.job']);
  });

  it('takes declared names only, never a path or a name of the language', async () => {
    write('a.job');
    for (const directory of ['other', 'constructor', 'tostring']) {
      await expect(purge({}, directory)).rejects.toThrow(/is not declared \(spool\).*`directories`/);
    }
    for (const directory of [spool, '../spool', '', 'Spool', '__proto__', 'spool\n']) {
      await expect(purge({}, directory)).rejects.toThrow(/lower-case letters/);
    }
    expect(remaining()).toEqual(['a.job']);
  });

  it('says that a directory is missing, or is none', async () => {
    await expect(files({ path: join(scratch.path, 'absent') })).rejects.toThrow(
      /cannot be opened: ENOENT.*Fix: check that it exists/,
    );
    const path = write('file', { in: scratch.path });
    await expect(files({ path })).rejects.toThrow(/cannot be opened: ENOTDIR/);
  });

  it('stops when its time is up, before it deletes anything', async () => {
    write('a.job');
    await expect(purge({}, 'spool', AbortSignal.abort())).rejects.toThrow(/took too long/);
    expect(remaining()).toEqual(['a.job']);
  });

  it('stops halfway when its time is up, and says how far it came', async () => {
    for (let index = 0; index < 3000; index += 1) write(`${index}.job`, { bytes: 1 });
    const impatience = new AbortController();
    const watch = setInterval(() => {
      if (remaining().length < 3000) impatience.abort();
    }, 1);
    await expect(purge({}, 'spool', impatience.signal)).rejects.toThrow(
      /stopped in time after \d+ of 3000 files \(\d+ bytes\).*Fix: call host.files/,
    );
    clearInterval(watch);
    expect(remaining().length).toBeGreaterThan(0);
    expect(remaining().length).toBeLessThan(3000);
  });

  /** Root may delete everything, so that these look at it through the eyes of somebody else. */
  async function asSomebodyElse<T>(work: () => Promise<T>): Promise<T> {
    chmodSync(scratch.path, 0o755);
    if (process.getuid?.() !== 0) return work();
    process.seteuid?.(SOMEBODY);
    try {
      return await work();
    } finally {
      process.seteuid?.(0);
    }
  }

  it('fails where nothing could be deleted', async () => {
    write('a.job');
    chmodSync(spool, 0o555);
    await asSomebodyElse(async () => {
      expect((await files()).count).toBe(1);
      await expect(purge()).rejects.toThrow(
        /none of the files in .* could be deleted: a.job: EACCES.*Fix: let the user Nightshift runs as write/,
      );
    });
    chmodSync(spool, 0o755);
    expect(remaining()).toEqual(['a.job']);
  });

  it('says that it may not read a directory', async () => {
    chmodSync(spool, 0o311);
    await asSomebodyElse(async () => expect(files()).rejects.toThrow(/cannot be opened: EACCES/));
    chmodSync(spool, 0o755);
  });

  it.skipIf(process.getuid?.() !== 0)(
    'names the files it could not delete beside those it did (skipped: needs root)',
    async () => {
      // In a directory with the sticky bit everybody deletes their own files only.
      chmodSync(spool, 0o1777);
      for (let index = 0; index < 30; index += 1) write(`${index}.job`, { bytes: 1 });
      for (let index = 0; index < 30; index += 2) chownSync(join(spool, `${index}.job`), SOMEBODY, SOMEBODY);
      const purged = await asSomebodyElse(() => purge());
      expect(purged).toMatchObject({ deleted: 15, bytes: 15, left: 0, failedCount: 15 });
      expect(purged.failed).toHaveLength(10);
      expect(purged.failed[0]).toMatchObject({
        name: expect.stringMatching(/^\d*[13579]\.job$/),
        error: expect.stringMatching(/EPERM/),
      });
      expect(remaining()).toHaveLength(15);
    },
  );
});
