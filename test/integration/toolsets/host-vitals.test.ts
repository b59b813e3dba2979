import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { hostToolset } from '../../../src/mcp-tools/host/index.ts';
import { eventually } from '../../real-parts/program.ts';
import { callTool, inspectTool } from './call-tool.ts';

const settings = { directories: { spool: { path: '/srv/app/spool' } }, killable: ['sleep', 'sh'] };
const call = (name: string, input: object = {}, more: object = {}) =>
  callTool(hostToolset, `host.${name}`, input, { ...settings, ...more });

describe.skipIf(process.platform !== 'linux')('the host toolset looks at this host', () => {
  it('shows how full the file systems are, as df does', async () => {
    const { fileSystems } = (await call('disk')) as {
      fileSystems: { path: string; usedPercent: number; bytes: number }[];
    };
    const lines = execFileSync('df', ['--block-size=1', '--output=target,size,pcent'], { encoding: 'utf8' }).split(
      '\n',
    );
    for (const { path, usedPercent, bytes } of fileSystems) {
      const [, size, percent] = lines.map((line) => line.trim().split(/\s+/)).find(([target]) => target === path) ?? [];
      expect(bytes, path).toBe(Number(size));
      expect(Math.abs(usedPercent - Number.parseInt(percent ?? '', 10)), path).toBeLessThanOrEqual(1);
    }
    expect(fileSystems.length).toBeGreaterThan(0);
    const [{ path: mountpoint = '' } = {}] = fileSystems;
    expect(await call('disk', { mountpoint })).toMatchObject({ fileSystems: [{ path: mountpoint }] });
    await expect(call('disk', { mountpoint: '/no/such' })).rejects.toThrow(
      `no file system is mounted at /no/such. Fix: use one of ${mountpoint}`,
    );
  });

  it('shows memory and load', async () => {
    const seen = (await call('memory')) as { totalBytes: number; availableBytes: number };
    expect(seen.totalBytes).toBe(totalmem());
    expect(seen.availableBytes).toBeLessThanOrEqual(seen.totalBytes);
    expect(await call('load')).toMatchObject({ oneMinute: expect.any(Number), uptimeSeconds: expect.any(Number) });
    expect((await call('load')).cpus).toBeLessThanOrEqual(cpus().length);
  });

  it('lists processes without their arguments, and open files by process', async () => {
    const child = spawn('sleep', ['1000.25'], { stdio: 'ignore' });
    try {
      const all = await call('processes');
      expect(all).toMatchObject({
        count: expect.any(Number),
        states: expect.objectContaining({ S: expect.any(Number) }),
      });
      expect(JSON.stringify(all)).not.toContain('1000.25');
      expect(await call('process', { pid: child.pid })).toMatchObject({
        running: true,
        name: 'sleep',
        parent: process.pid,
      });
      const files = (await call('open_files')) as { open: number; most: number; processes: { files: number }[] };
      expect(files.open).toBeGreaterThan(0);
      expect(files.most).toBeGreaterThanOrEqual(files.open);
      expect(files.processes[0]?.files).toBeGreaterThanOrEqual(files.processes.at(-1)?.files ?? 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('ends one process of a declared program', async () => {
    const [child, other] = [0, 1].map(() => spawn('sleep', ['1000'], { stdio: 'ignore' }));
    if (!child || !other) throw new Error('no processes');
    const ended = once(child, 'exit');
    try {
      const { pid } = child;
      const { uid, preview } = await inspectTool(hostToolset, 'host.kill_process', { pid }, settings);
      expect(uid).toMatch(new RegExp(`^${pid}@\\d+$`));
      expect(preview?.[0]).toBe(`asks process ${pid} ("sleep") to end`);
      expect(await call('process', { pid })).toMatchObject({ running: true });
      expect(await call('kill_process', { pid })).toEqual({ pid, name: 'sleep', ended: true });
      expect(await ended).toEqual([null, 'SIGTERM']);
      expect(await call('process', { pid })).toEqual({ running: false });
      expect(await call('process', { pid: other.pid })).toMatchObject({ running: true });
      await expect(call('kill_process', { pid })).rejects.toThrow(`there is no process ${pid}`);
      await expect(call('kill_process', { pid: other.pid }, { killable: ['nginx'] })).rejects.toThrow(
        /of the program "sleep", which may not be ended\. Fix: add it/,
      );
      await expect(call('kill_process', { pid: other.pid }, { killable: undefined })).rejects.toThrow(
        'may not be ended',
      );
      expect(await call('process', { pid: other.pid })).toMatchObject({ running: true });
    } finally {
      child.kill('SIGKILL');
      other.kill('SIGKILL');
    }
  });

  it('never ends itself, and never forces a process that does not listen', async () => {
    const own = (await call('process', { pid: process.pid })) as { name: string };
    await expect(call('kill_process', { pid: process.pid }, { killable: ['sh', 'node'] })).rejects.toThrow(
      /is Nightshift itself/,
    );
    expect(own.name.length).toBeGreaterThan(0);
    const deaf = spawn('sh', ['-c', "trap '' TERM; while :; do sleep 0.1; done"], { stdio: 'ignore' });
    try {
      await eventually('it to listen to nothing', async () => {
        const status = execFileSync('grep', ['SigIgn', `/proc/${deaf.pid}/status`], { encoding: 'utf8' });
        return Number.parseInt(status.split(/\s+/)[1] ?? '0', 16) & 0x4000 ? true : undefined;
      });
      await expect(call('kill_process', { pid: deaf.pid })).rejects.toThrow(/was asked to end, and still runs/);
      expect(await call('process', { pid: deaf.pid })).toMatchObject({ running: true });
    } finally {
      deaf.kill('SIGKILL');
    }
  });
});
