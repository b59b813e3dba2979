/** Logs of a host: what the kernel said, and log files that are rotated by logrotate itself. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hostToolset } from '../../../src/mcp-tools/host/index.ts';
import { hangUp } from '../../../src/mcp-tools/host/ssh.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { type Sshd, startSshd } from '../../real-parts/sshd.ts';
import { callTool, inspectTool } from './call-tool.ts';

const LOGS = { logs: 'shop' };

describe.skipIf(requireParts('the logs of a host', 'sshd', 'logrotate'))('the logs of a host', () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd();
  });
  afterAll(async () => {
    if (sshd) hangUp(sshd.ssh);
    await sshd?.stop();
  });

  describe.each([
    ['here', () => ({})],
    ['by ssh', () => ({ ssh: sshd.ssh })],
  ])('%s', (_, where) => {
    let scratch: ReturnType<typeof scratchDirectory>;
    let log: string;
    let rule: Record<string, unknown>;
    const settings = (more: object = {}) => ({ ...where(), logs: { shop: { ...rule, ...more } } });
    const call = (name: string, input: object = LOGS, more?: object) =>
      callTool(hostToolset, `host.${name}`, input, settings(more));
    const inspect = (more?: object) => inspectTool(hostToolset, 'host.rotate_logs', LOGS, settings(more));

    beforeEach(() => {
      scratch = scratchDirectory();
      const folder = join(scratch.path, 'logs');
      mkdirSync(folder, { mode: 0o755 });
      log = join(folder, 'app.log');
      writeFileSync(log, 'x'.repeat(5000));
      const config = join(scratch.path, 'shop.conf');
      writeFileSync(config, `${log} {\n  rotate 2\n  create\n  missingok\n}\n`);
      chmodSync(config, 0o644);
      rule = { config, files: [log], state: join(scratch.path, 'state'), minBytes: 1000 };
    });
    afterEach(() => scratch.remove());

    it('shows what the kernel said, from a level and a time on', async () => {
      const all = (await call('kernel_log', { level: 'debug', minutes: 10_080 })) as {
        lines: { at: string; level: string }[];
      };
      for (const { at, level } of all.lines) {
        expect(Date.parse(at)).toBeLessThanOrEqual(Date.now() + 60_000);
        expect(['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']).toContain(level);
      }
      expect(all.lines.length).toBeLessThanOrEqual(200);
      const severe = (await call('kernel_log', { level: 'warn', minutes: 10_080 })) as typeof all;
      expect(severe.lines.some(({ level }) => ['notice', 'info', 'debug'].includes(level))).toBe(false);
      const recent = (await call('kernel_log', { level: 'debug', minutes: 1 })) as typeof all;
      for (const { at } of recent.lines) expect(Date.parse(at)).toBeGreaterThan(Date.now() - 120_000);
    });

    it('rotates what is large, as its own configuration says, and its check sees it', async () => {
      const { preview, before } = await inspect();
      expect(preview).toEqual([
        `rotates 1 file(s), 5000 bytes, as ${JSON.stringify(rule.config)} says`,
        `${JSON.stringify(log)}, 5000 bytes`,
        'logrotate itself accepted a dry run of it',
      ]);
      expect(before).toEqual({ bytes: 5000 });
      expect(statSync(log).size).toBe(5000);
      expect(await call('logs', { ...LOGS, below: 5000 })).toMatchObject({ bytes: 5000, smaller: false });

      expect(await call('rotate_logs')).toEqual({ bytesBefore: 5000, bytes: 0 });
      expect(readFileSync(`${log}.1`, 'utf8')).toBe('x'.repeat(5000));
      const { check } = hostToolset.tools.find(({ name }) => name === 'host.rotate_logs') ?? {};
      expect(check).toMatchObject({ tool: 'host.logs', expect: 'smaller == true' });
      expect(await call('logs', { ...LOGS, below: 5000 })).toMatchObject({ bytes: 0, smaller: true });
    });

    it('rotates nothing that is small: again and again would push out what is kept', async () => {
      await call('rotate_logs');
      await expect(call('rotate_logs')).rejects.toThrow(
        'logs shop: no file has 1000 bytes, so there is nothing to rotate',
      );
      truncateSync(log, 999);
      await expect(inspect()).rejects.toThrow(/nothing to rotate/);
      expect(existsSync(`${log}.2`)).toBe(false);
    });

    it('touches no logs that are not declared, and follows no link', async () => {
      await expect(call('rotate_logs', { logs: 'bank' })).rejects.toThrow(/logs bank are not declared \(shop\)/);
      const link = join(scratch.path, 'link.log');
      symlinkSync(log, link);
      await expect(call('rotate_logs', LOGS, { files: [link] })).rejects.toThrow(/none of the declared files is there/);
    });

    it('says why logrotate would not do it, before anybody is asked', async () => {
      writeFileSync(rule.config as string, `${log} {\n  rotate often\n}\n`);
      await expect(inspect()).rejects.toThrow(
        /logrotate ended with status \d: error: .*rotat.*Fix: try `logrotate --debug/,
      );
      expect(existsSync(`${log}.1`)).toBe(false);
    });
  });
});
