/** The host toolset on another host, over a real sshd: it sees and does there what it sees and does here, and trusts no other host. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { machineOf } from '../../../src/mcp-tools/host/choose-machine.ts';
import { hostToolset } from '../../../src/mcp-tools/host/index.ts';
import { parseStat } from '../../../src/mcp-tools/host/proc.ts';
import type { HostSettings } from '../../../src/mcp-tools/host/settings.ts';
import { hangUp } from '../../../src/mcp-tools/host/ssh.ts';
import { OutcomeUnknown } from '../../../src/mcp-tools/tool.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { type Sshd, startSshd } from '../../real-parts/sshd.ts';
import { callTool, inspectTool } from './call-tool.ts';

const HOUR = 3600;

describe.skipIf(requireParts('the host toolset by ssh', 'sshd'))('the host toolset by ssh', () => {
  let sshd: Sshd;
  let scratch: ReturnType<typeof scratchDirectory>;
  let spool: string;
  let children: ChildProcess[] = [];
  const settings = (more: object = {}) => ({
    ssh: sshd.ssh,
    directories: { spool: { path: spool, pattern: '*.job', olderThanSeconds: HOUR } },
    killable: ['sleep', 'sh'],
    ...more,
  });
  const call = (name: string, input: object = {}, more: object = {}) =>
    callTool(hostToolset, `host.${name}`, input, settings(more));
  const here = (name: string, input: object = {}) =>
    callTool(hostToolset, `host.${name}`, input, settings({ ssh: undefined }));
  const inspect = (name: string, input: object = {}, more: object = {}) =>
    inspectTool(hostToolset, `host.${name}`, input, settings(more));
  const child = (...argv: readonly string[]) => {
    const [program = '', ...args] = argv;
    const started = spawn(program, args, { stdio: 'ignore' });
    children.push(started);
    return { started, pid: started.pid ?? 0 };
  };
  const file = (name: string, { age = 2 * HOUR, text = 'x' } = {}) => {
    const at = Date.now() / 1000 - age;
    writeFileSync(join(spool, name), text);
    utimesSync(join(spool, name), at, at);
  };

  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(async () => {
    if (sshd) hangUp(sshd.ssh);
    await sshd?.stop();
  });
  beforeEach(() => {
    scratch = scratchDirectory();
    spool = join(scratch.path, 'spool');
    mkdirSync(spool);
  });
  afterEach(() => {
    for (const one of children) one.kill('SIGKILL');
    children = [];
    scratch.remove();
  });

  it('shows disks, memory and load as they are seen there', async () => {
    const fileSystems = async (look: typeof call) =>
      (await look('disk')).fileSystems as {
        path: string;
        device: string;
        bytes: number;
        usedPercent: number;
        filesUsedPercent: number | null;
      }[];
    const [far, near] = [await fileSystems(call), await fileSystems(here)];
    expect(far.length).toBeGreaterThan(0);
    for (const one of far) {
      const same = near.find(({ device }) => device === one.device);
      expect(same?.bytes, one.device).toBe(one.bytes);
      expect(Math.abs((same?.usedPercent ?? 0) - one.usedPercent)).toBeLessThanOrEqual(1);
      expect(Math.abs((same?.filesUsedPercent ?? 0) - (one.filesUsedPercent ?? 0))).toBeLessThanOrEqual(1);
    }
    expect((await call('memory')).totalBytes).toBe(totalmem());
    const load = await call('load');
    expect(load).toMatchObject({ cpus: (await here('load')).cpus, oneMinute: expect.any(Number) });
    expect(Math.abs((load.uptimeSeconds as number) - ((await here('load')).uptimeSeconds as number))).toBeLessThan(10);
  });

  it('shows processes and open files as they are seen there', async () => {
    const { pid } = child('sleep', '1000.25');
    const all = await call('processes');
    expect(all).toMatchObject({ count: expect.any(Number), states: { S: expect.any(Number) } });
    expect(JSON.stringify(all)).not.toContain('1000.25');
    expect(await call('process', { pid })).toMatchObject({ running: true, name: 'sleep', parent: process.pid });
    expect(await call('process', { pid: 4_194_000 })).toEqual({ running: false });
    const { open, most, processes } = (await call('open_files')) as {
      open: number;
      most: number;
      processes: { pid: number; files: number; limit: number }[];
    };
    expect(most).toBeGreaterThanOrEqual(open);
    const own = processes.find((one) => one.pid === process.pid);
    if (own) {
      expect(own.limit).toBeGreaterThan(0);
      expect(Math.abs(own.files - readdirSync('/proc/self/fd').length)).toBeLessThan(20);
    }
    expect(processes[0]?.files).toBeGreaterThanOrEqual(processes.at(-1)?.files ?? 0);
  });

  it('purges what the rule covers, and nothing else', async () => {
    const names = [
      "it's.job",
      '$(touch owned).job',
      ' blank .job',
      '-rf.job',
      '*.job',
      'a"b.job',
      'd\u00e9j\u00e0.job',
      'back\\slash.job',
    ];
    for (const name of names) file(name, { text: 'four' });
    file('young.job', { age: 60 });
    file('old.txt');
    file('.hidden.job');
    file('two\nlines.job');
    writeFileSync(join(scratch.path, 'outside'), 'x');
    symlinkSync(join(scratch.path, 'outside'), join(spool, 'link.job'));
    mkdirSync(join(spool, 'folder.job'));
    const left = ['.hidden.job', 'folder.job', 'link.job', 'old.txt', 'two\nlines.job', 'young.job'];

    expect(await call('files', { directory: 'spool' })).toMatchObject({ count: 8, bytes: 32, complete: true });
    const { uid, preview } = await inspect('purge', { directory: 'spool' });
    expect(uid).toMatch(/^\d+:\d+:-?\d+$/);
    expect(preview).toContain('deletes 8 file(s), 32 bytes, the oldest first');
    expect(preview?.join('\n')).toContain(JSON.stringify('$(touch owned).job'));
    expect(readdirSync(spool)).toHaveLength(14);

    expect(await call('purge', { directory: 'spool' })).toMatchObject({
      deleted: 8,
      bytes: 32,
      failedCount: 0,
      complete: true,
    });
    expect(readdirSync(spool).sort()).toEqual(left);
    expect(readFileSync(join(scratch.path, 'outside'), 'utf8')).toBe('x');
  });

  it('deletes the oldest first, at most so many', async () => {
    for (const [index, name] of ['c.job', 'a.job', 'b.job'].entries()) file(name, { age: (3 + index) * HOUR });
    const directories = { spool: { path: spool, pattern: '*.job', filesMax: 2 } };
    expect(await call('purge', { directory: 'spool' }, { directories })).toMatchObject({ deleted: 2, left: 1 });
    expect(readdirSync(spool)).toEqual(['c.job']);
  });

  it('works on the declared directory itself, and on no other that came into its place', async () => {
    file('a.job');
    const other = join(scratch.path, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'a.job'), 'other');
    const parsed = hostToolset.settings.parse(settings()) as HostSettings;
    const machine = machineOf({ settings: parsed, signal: AbortSignal.timeout(30_000) });
    await expect(
      machine.inDirectory('spool', async (directory) => {
        const { chosen } = await directory.survey();
        renameSync(spool, `${spool}-moved`);
        symlinkSync(other, spool);
        return directory.delete(chosen);
      }),
    ).rejects.toThrow(/is reached through a symbolic link/);
    await expect(call('purge', { directory: 'spool' })).rejects.toThrow(/symbolic link\. Fix: declare the real path/);
    execFileSync('rm', [spool]);
    renameSync(`${spool}-moved`, spool);
    await expect(
      machine.inDirectory('spool', async (directory) => {
        const { chosen } = await directory.survey();
        renameSync(spool, `${spool}-moved`);
        renameSync(other, spool);
        return directory.delete(chosen);
      }),
    ).rejects.toThrow(/was replaced by another one meanwhile/);
    expect(existsSync(join(spool, 'a.job')) && existsSync(join(`${spool}-moved`, 'a.job'))).toBe(true);
  });

  it('leaves alone what changed, or became a link, between the look and the deletion', async () => {
    for (const name of ['changed.job', 'gone.job', 'same.job']) file(name);
    const outside = join(scratch.path, 'outside');
    writeFileSync(outside, 'x');
    // As large as the link will be, and as old.
    file('linked.job', { text: 'x'.repeat(outside.length) });
    const { mtimeMs } = statSync(join(spool, 'linked.job'));
    const parsed = hostToolset.settings.parse(settings()) as HostSettings;
    const machine = machineOf({ settings: parsed, signal: AbortSignal.timeout(30_000) });
    const done = await machine.inDirectory('spool', async (directory) => {
      const { chosen } = await directory.survey();
      writeFileSync(join(spool, 'changed.job'), 'new');
      execFileSync('rm', [join(spool, 'linked.job'), join(spool, 'gone.job')]);
      symlinkSync(outside, join(spool, 'linked.job'));
      lutimesSync(join(spool, 'linked.job'), mtimeMs / 1000, mtimeMs / 1000);
      return directory.delete(chosen);
    });
    expect(done).toEqual({ deleted: 1, bytes: 1, kept: 2, failed: [] });
    expect(readdirSync(spool).sort()).toEqual(['changed.job', 'linked.job']);
  });

  it('ends one process of a declared program, and none that has its number by now', async () => {
    const { started, pid } = child('sleep', '1000');
    const { pid: other } = child('tail', '-f', '/dev/null');
    const ended = once(started, 'exit');
    expect((await inspect('kill_process', { pid })).uid).toMatch(new RegExp(`^${pid}@\\d+$`));
    const seen = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    if (!seen) throw new Error('no process');
    const parsed = hostToolset.settings.parse(settings()) as HostSettings;
    const machine = machineOf({ settings: parsed, signal: AbortSignal.timeout(30_000) });
    for (const wrong of [{ startTicks: '1' }, { name: 'slee' }, { name: '*' }])
      await expect(machine.terminate({ ...seen, ...wrong })).rejects.toThrow(/is another one by now/);
    expect(started.exitCode ?? started.signalCode).toBeNull();
    await expect(call('kill_process', { pid: other })).rejects.toThrow(/of the program "tail", which may not be ended/);
    expect(await call('kill_process', { pid })).toEqual({ pid, name: 'sleep', ended: true });
    expect(await ended).toEqual([null, 'SIGTERM']);
    await expect(machine.terminate(seen)).rejects.toThrow(/has ended by itself/);
    expect(await call('process', { pid: other })).toMatchObject({ running: true });
  });

  it('says what cannot be worked on there', async () => {
    await expect(
      call('files', { directory: 'spool' }, { directories: { spool: { path: '/srv/no/such' } } }),
    ).rejects.toThrow(/directory spool \(\/srv\/no\/such\) cannot be opened/);
    await expect(call('files', { directory: 'other' })).rejects.toThrow(/directory other is not declared \(spool\)/);
  });

  it('says that it is not known what a change did when the connection is lost under it', async () => {
    const parsed = hostToolset.settings.parse(settings()) as HostSettings;
    const machine = machineOf({ settings: parsed, signal: AbortSignal.timeout(30_000) });
    const cut = (isChange: boolean) =>
      machine
        .run(['sh', '-c', 'kill -KILL "$(cut -d" " -f4 "/proc/$PPID/stat")"; sleep 5'], isChange)
        .catch((error: unknown) => error);
    expect(await cut(true)).toBeInstanceOf(OutcomeUnknown);
    expect(await cut(false)).not.toBeInstanceOf(OutcomeUnknown);
  });

  it('uses one connection for many calls', async () => {
    await call('load');
    const before = sshd.logins();
    for (let index = 0; index < 5; index += 1) await call('load');
    expect(sshd.logins()).toBe(before);
  });

  describe('trusts', () => {
    // No connection of before may be taken.
    beforeEach(() => hangUp(sshd.ssh));

    it('no host that it does not know', async () => {
      const before = sshd.logins();
      await expect(call('load', {}, { ssh: { ...sshd.ssh, knownHostsFile: sshd.knownHosts('none') } })).rejects.toThrow(
        /cannot work on \S+@127\.0\.0\.1 by ssh: .*Fix: write the host's key, as you know it, into/,
      );
      expect(sshd.logins()).toBe(before);
    });

    it('no host with another key than the one that is known', async () => {
      const before = sshd.logins();
      await expect(
        call('load', {}, { ssh: { ...sshd.ssh, knownHostsFile: sshd.knownHosts('another') } }),
      ).rejects.toThrow(/Fix: find out why the host has another key/);
      expect(sshd.logins()).toBe(before);
    });

    it('is let in by its own key only, and never asks anybody', async () => {
      await expect(call('load', {}, { ssh: { ...sshd.ssh, identityFile: sshd.strangersKey() } })).rejects.toThrow(
        /Permission denied.*Fix: let the key of/,
      );
    });

    it('says so where nobody answers', async () => {
      await expect(call('load', {}, { ssh: { ...sshd.ssh, port: 1 } })).rejects.toThrow(
        /Connection refused.*Fix: check that the host runs/,
      );
    });
  });
});
