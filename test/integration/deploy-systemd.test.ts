/** The unit of deploy/systemd: judged by systemd-analyze, and run by a real systemd with everything that it takes away from itself. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { eventually, freePort, scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { startSystemd } from '../real-parts/systemd.ts';

const ROOT = join(import.meta.dirname, '../..');
const UNIT = readFileSync(join(ROOT, 'deploy/systemd/nightshift.service'), 'utf8');
const START = `${process.execPath} ${join(ROOT, 'src/main.ts')} start`;
/** What `systemd-analyze security` gives it is 1.5 of 10, the more the worse; Internet sockets and the network alone are 0.8 of that. */
const EXPOSURE_MAX = 1.5;

describe.skipIf(requireParts('the unit of deploy/systemd', 'systemd'))('deploy/systemd/nightshift.service', () => {
  // Its own /tmp hides that of this machine, and beside its credentials it sees little of /run.
  vi.stubEnv('TMPDIR', '/var/lib');
  const scratch = scratchDirectory();
  afterAll(() => {
    scratch.remove();
    vi.unstubAllEnvs();
  });
  const place = (text: string) => {
    const path = join(scratch.path, 'nightshift.service');
    writeFileSync(path, text);
    return path;
  };

  it('has nothing that systemd does not know or take', () => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', place(replaced('ExecStart', START))], {
      encoding: 'utf8',
    });
    expect({ status, said: stdout + stderr }).toEqual({ status: 0, said: '' });
  });

  it('is hardly exposed', () => {
    const args = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX * 10}`, place(UNIT)];
    const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    expect(status, stdout).toBe(0);
  });

  it('starts, serves and stops under all of that, with its secrets from files', async () => {
    const port = await freePort();
    const config = `policies: [${ROOT}/policies]\nrunbooks: [${ROOT}/runbooks]\nsources:\n  alertmanager: { type: alertmanager, token: '\${ALERTMANAGER_TOKEN}' }\n`;
    writeFileSync(join(scratch.path, 'nightshift.yaml'), config);
    writeFileSync(join(scratch.path, 'token'), `${'t'.repeat(40)}\n`, { mode: 0o600 });
    const systemd = await startSystemd({ 'nightshift.service': forUserManager(port) });
    try {
      expect(systemd.control('start', 'nightshift.service')).toBe('');
      const log = () => readFileSync(join(scratch.path, 'log'), 'utf8');
      await eventually(log, async () => ((await fetch(`http://127.0.0.1:${port}/readyz`)).ok ? true : undefined), 90);
      const pid = systemd.control('show', '--property=MainPID', '--value', 'nightshift.service');
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      expect(status).toMatch(/^CapEff:\s0+$/m);
      expect(status).toMatch(/^CapBnd:\s0+$/m);
      expect(status).toMatch(/^NoNewPrivs:\s1$/m);
      expect(status).toMatch(/^Seccomp:\s2$/m);
      const inside = (...args: readonly string[]) =>
        spawnSync('nsenter', [`--target=${pid}`, '--mount', ...args], { encoding: 'utf8' });
      expect(inside('touch', '/usr/x').stderr).toContain('Read-only file system');
      const taken = await fetch(`http://127.0.0.1:${port}/webhooks/alertmanager`, {
        method: 'POST',
        headers: { authorization: `Bearer ${'t'.repeat(40)}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          version: '4',
          alerts: [
            { status: 'firing', labels: { alertname: 'Down' }, annotations: {}, startsAt: new Date().toISOString() },
          ],
        }),
      });
      expect(taken.status).toBe(202);
      expect(execFileSync('cat', [`/proc/${pid}/environ`], { encoding: 'utf8' })).not.toContain('tttt');
      // Its process gives itself a lower priority, and is killed first where memory is short.
      const data = join(systemd.runtimeDirectory, '../.config/nightshift');
      const admin = readFileSync(join(data, 'admin.token'), 'utf8').trim();
      const headers = { authorization: `Bearer ${admin}`, 'content-type': 'application/json' };
      const backup = await fetch(`http://127.0.0.1:${port}/api/v1/backups`, { method: 'POST', headers, body: '{}' });
      expect({ status: backup.status, bytes: (await backup.arrayBuffer()).byteLength }, log().slice(-1500)).toEqual({
        status: 200,
        bytes: expect.toSatisfy((bytes: number) => bytes > 10_000),
      });
      systemd.control('stop', 'nightshift.service');
      expect(
        systemd.control('show', '--property=Result,ExecMainStatus', 'nightshift.service').split('\n').sort(),
      ).toEqual(['ExecMainStatus=0', 'Result=success']);
    } finally {
      await systemd.stop();
    }
  }, 120_000);

  /** The unit with other values of one setting. */
  function replaced(name: string, value: string, text = UNIT): string {
    const setting = new RegExp(`^${name}=.*$`, 'm');
    expect(text).toMatch(setting);
    return text.replace(setting, () => `${name}=${value}`);
  }

  /** For a systemd that nobody has booted: no account of its own can be made there, and the clone lies where the home of somebody may be. */
  function forUserManager(port: number): string {
    let text = replaced('ExecStart', START);
    text = replaced('DynamicUser', 'no', text);
    text = replaced('ProtectHome', 'read-only', text);
    text = replaced('WorkingDirectory', scratch.path, text);
    const extra = [
      `StandardOutput=append:${join(scratch.path, 'log')}`,
      'StandardError=inherit',
      `LoadCredential=token:${join(scratch.path, 'token')}`,
      // Its own /tmp would hide a clone that lies there.
      `BindReadOnlyPaths=${ROOT}`,
      'Environment=ALERTMANAGER_TOKEN_FILE=%d/token',
      `Environment=NIGHTSHIFT_PORT=${port}`,
    ];
    return text.replace('[Service]\n', `[Unit]\nDefaultDependencies=no\n[Service]\n${extra.join('\n')}\n`);
  }
});
