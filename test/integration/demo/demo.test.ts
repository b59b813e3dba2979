import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onPath } from '../../real-parts/on-path.ts';
import { eventually, type Program, scratchDirectory, startProgram } from '../../real-parts/program.ts';

const MAIN = join(import.meta.dirname, '../../../demo/main.ts');
/** A busy machine of two cores takes several times as long as an idle one. */
const SECONDS = 150;
const hasPrometheus = onPath('prometheus') && (onPath('alertmanager') || onPath('prometheus-alertmanager'));

// What runs is read from /proc.
describe.skipIf(!existsSync('/proc/self/environ'))('the demo', { timeout: (SECONDS + 10) * 1000 }, () => {
  let scratch: ReturnType<typeof scratchDirectory>;
  let demos: Program[];

  beforeEach(() => {
    scratch = scratchDirectory();
    demos = [];
  });
  afterEach(async () => {
    await Promise.all(demos.map((demo) => demo.stop()));
    scratch.remove();
  });

  async function start(args: readonly string[], more: Record<string, string> = {}): Promise<Program> {
    // By its home, every process of this demo is known as such.
    const env = { PATH: process.env.PATH ?? '', HOME: scratch.path, ...more };
    const demo = await startProgram(process.execPath, [MAIN, ...args], { directory: scratch.path, env });
    demos.push(demo);
    return demo;
  }

  /** Commands of the processes that the demo has started and that still run. */
  function left(): string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => {
        try {
          const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
          return environment.includes(`HOME=${scratch.path}`) ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8')] : [];
        } catch {
          return [];
        }
      });
  }
  const nothingLeft = () =>
    eventually(
      () => `these have ended: ${left().join('; ')}`,
      async () => left().length === 0 || undefined,
      10,
    );

  /** Runs the command that the demo shows for this word, as a person would who copies it into another terminal. */
  async function copyAndRun(demo: Program, word: 'approve' | 'deny'): Promise<string> {
    const [, command = ''] = await demo.waitForLine(new RegExp(`^ +(\\S.* ${word} [a-z0-9]{10}) `, 'm'), SECONDS);
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], {
      cwd: scratch.path,
      env: { PATH: `${join(process.execPath, '..')}:${process.env.PATH}`, HOME: scratch.path },
    });
    return stdout;
  }

  const story = (demo: Program) => demo.output().replace(/\s*│\s*|\s+/g, ' ');

  const watchers = [
    { name: 'its own monitor', args: ['--no-prometheus'], sees: 'sends alerts as Alertmanager does', skip: false },
    {
      name: `Prometheus and Alertmanager${hasPrometheus ? '' : ' (skipped: they are not on the path)'}`,
      args: [],
      sees: 'Alertmanager http://127.0.0.1:',
      skip: !hasPrometheus,
    },
  ];
  for (const { name, args, sees, skip } of watchers) {
    it.skipIf(skip)(`shows both acts by itself, watched by ${name}`, async () => {
      const demo = await start(['--once', '--approve', ...args]);
      expect(await demo.exited, demo.output()).toEqual({ code: 0, signal: null });
      const told = story(demo);
      const acts = [
        sees,
        'Act 1: checkout dies',
        'kill -9 ',
        'received: ServiceDown (checkout)',
        'runbook: Service is down (service-down.md:',
        'diagnosis (runbook mode',
        'cites E1',
        'supervisor.restart {"process":"checkout"}',
        'policy: allow supervisor.restart',
        'ran supervisor.restart',
        'verified healthy:',
        'RESOLVED by nightshift',
        'remembered as a past incident',
        'Act 2: the job spool is stuck',
        'received: JobSpoolStuck (checkout)',
        'policy: ask host.purge',
        'waits for a person:',
        'runs: host.purge {"directory":"checkout-jobs"}',
        'Started with --approve, the demo now says yes itself',
        'admin approved via api',
        'ran host.purge',
        'RESOLVED by nightshift',
        'What happened',
        'supervisor.restart on supervisor:process checkout succeeded; allowed by policy',
        'host.purge on host:directory checkout-jobs succeeded; approved by admin (api)',
        'restarts after the kill, by its own ledger: 1; jobs left in its spool: 0',
        'Both incidents ended as they should.',
        'Everything is stopped.',
      ];
      let from = 0;
      for (const line of acts) {
        const at = told.indexOf(line, from);
        expect(at, `${line} comes next in:\n${demo.output()}`).toBeGreaterThan(-1);
        from = at + line.length;
      }
      expect(told).toMatch(/ran host\.purge [^│]*deleted"?: ?4/);
      const widest = Math.max(
        ...demo
          .output()
          .split('\n')
          .map((line) => line.length),
      );
      expect(widest).toBeLessThanOrEqual(100);
      expect(demo.output()).not.toContain('\x1b');
      const log = readFileSync(join(scratch.path, '.nightshift/demo/nightshift.log'), 'utf8').trim().split('\n');
      expect(log.map((line) => (JSON.parse(line) as { message: string }).message)).toContain('listening');
      await nothingLeft();
    });
  }

  it('leaves nothing running when it is killed, and goes on with a person who approves by the command it shows', async () => {
    const killed = await start(['--once', '--no-prometheus']);
    await killed.waitForLine(/received: ServiceDown/, SECONDS);
    // The processes of its toolsets start when they are first needed.
    await expect.poll(() => left().length, { timeout: 20_000 }).toBeGreaterThan(3);
    process.kill(killed.pid, 'SIGKILL');
    await nothingLeft();

    // Another Nightshift of this user, which the command must not reach.
    const other = { url: 'http://127.0.0.1:9', tokenFile: join(scratch.path, 'other.token'), pid: process.pid };
    mkdirSync(join(scratch.path, '.nightshift'), { recursive: true });
    writeFileSync(join(scratch.path, '.nightshift/client.json'), JSON.stringify(other));
    writeFileSync(other.tokenFile, 'nst_other');
    const demo = await start(['--once', '--no-prometheus']);
    expect(await copyAndRun(demo, 'approve')).toContain('approved; the approval is approved');
    expect(await demo.exited, demo.output()).toEqual({ code: 0, signal: null });
    expect(demo.output()).toContain(' NIGHTSHIFT_DATA_DIR=.nightshift/demo ');
    expect(story(demo)).toContain('approved by admin (cli)');
  });

  it('deletes nothing where the person says no, and says so with its exit code', async () => {
    const demo = await start(['--once', '--no-prometheus']);
    expect(await copyAndRun(demo, 'deny')).toContain('denied; the approval is denied');
    expect(await demo.exited, demo.output()).toEqual({ code: 1, signal: null });
    expect(story(demo)).toContain('INC-2 is escalated, not resolved: a person said no');
    expect(story(demo)).toContain('4 job(s) are left in the spool');
    expect(readdirSync(join(scratch.path, '.nightshift/demo/checkout/spool'))).toHaveLength(4);
    expect(story(demo)).not.toContain('ran host.purge');
  });

  it('stops everything on Ctrl-C in the middle, and refuses a second demo beside it until then', async () => {
    const demo = await start(['--once', '--approve', '--no-prometheus']);
    await demo.waitForLine(/Nightshift +http/, SECONDS);
    const second = await start(['--once', '--approve', '--no-prometheus']);
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(story(second)).toContain(`another demo runs in this directory (process ${demo.pid}). Fix: stop it`);
    await demo.waitForLine(/received: ServiceDown/, SECONDS);
    process.kill(demo.pid, 'SIGINT');
    // npm passes it on, so it comes twice.
    process.kill(demo.pid, 'SIGINT');
    expect(await demo.exited, demo.output()).toEqual({ code: null, signal: 'SIGINT' });
    expect(story(demo)).toContain('Everything is stopped, before the end of the demo (SIGINT).');
    expect(left()).toEqual([]);
  });

  it('says why it cannot go on: a part that ends by itself, no time left, a wrong option', async () => {
    const broken = await start(['--once', '--approve', '--no-prometheus'], { NIGHTSHIFT_LOG_LEVEL: 'chatty' });
    expect(await broken.exited, broken.output()).toEqual({ code: 1, signal: null });
    expect(story(broken)).toContain('The demo failed: Nightshift ended by itself (1)');
    expect(story(broken)).toContain('NIGHTSHIFT_LOG_LEVEL: is not a log level');
    const late = await start(['--once', '--approve', '--no-prometheus', '--time-limit', '2']);
    expect(await late.exited, late.output()).toEqual({ code: 1, signal: null });
    expect(story(late)).toContain('The demo failed: it was not done within 2 s, while ');
    await nothingLeft();
    const wrong = await start(['--aprove']);
    expect(await wrong.exited).toEqual({ code: 2, signal: null });
    expect(wrong.output()).toContain("Unknown option '--aprove'");
    expect(wrong.output()).toContain('--approve        nobody is there');
  });
});
