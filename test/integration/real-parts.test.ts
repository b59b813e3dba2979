import { existsSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startAlertmanager } from '../real-parts/alertmanager.ts';
import { startLoopback } from '../real-parts/loopback.ts';
import { eventually, freePort, startProgram } from '../real-parts/program.ts';
import { startPrometheus } from '../real-parts/prometheus.ts';
import { requireParts } from '../real-parts/require.ts';
import { type Supervisord, startSupervisord } from '../real-parts/supervisord.ts';
import { createVictim, type Victim } from '../real-parts/victim.ts';

const RULES = `groups:
  - name: victim
    rules:
      - alert: CheckoutDown
        expr: victim_healthy == 0
        labels: { severity: page }
        annotations: { summary: 'Checkout at {{ $labels.instance }} does not answer' }
`;

interface Notification {
  version: string;
  status: string;
  alerts: { status: string; labels: Record<string, string>; annotations: Record<string, string> }[];
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a program of a test', () => {
  const directory = tmpdir();

  it('is stopped with its whole process group', async () => {
    const program = await startProgram('sh', ['-c', 'sleep 1000 & echo "child $!"; wait'], { directory });
    const child = Number((await program.waitForLine(/child (\d+)/))[1]);
    await program.stop();
    expect(await program.exited).toEqual({ code: null, signal: 'SIGTERM' });
    await eventually('the child is gone too', async () => !isRunning(child) || undefined, 5);
  });

  it('is stopped by force when it will not end', async () => {
    const program = await startProgram('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.1; done'], {
      directory,
    });
    await program.waitForLine(/ready/);
    await program.kill9();
    expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('fails with its own last words when it ends before it is ready', async () => {
    const program = await startProgram('sh', ['-c', 'echo no such option >&2; exit 7'], { directory });
    const waiting = program.waitForUrl(`http://127.0.0.1:${await freePort()}/`);
    await expect(waiting).rejects.toThrow(/it ended with 7; it said:\nno such option/);
  });

  it('fails with what it has said when it is not ready in time', async () => {
    const program = await startProgram('sh', ['-c', 'echo thinking; sleep 1000'], { directory });
    await expect(program.waitForLine(/ready/, 0.5)).rejects.toThrow(/has not said.*it runs; it said:\nthinking/);
    await program.stop();
  });

  it('fails at once when there is no such program', async () => {
    await expect(startProgram('no-such-program', [], { directory })).rejects.toThrow(/ENOENT/);
  });
});

const noSupervisor = requireParts('the victim under supervisord', 'supervisor');
describe.skipIf(noSupervisor)('the victim under supervisord', () => {
  let victim: Victim;
  let supervisord: Supervisord;

  beforeEach(async () => {
    victim = await createVictim();
    supervisord = await startSupervisord([victim.program]);
    await victim.becomesHealthy();
  });
  afterEach(async () => {
    await supervisord?.stop();
    victim?.remove();
  });

  it('is wedged until it is restarted, exactly once', async () => {
    expect(victim.starts()).toHaveLength(1);
    await victim.wedge();
    expect(await victim.isHealthy()).toBe(false);
    const { code, output } = supervisord.control('restart', victim.name);
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('checkout: started') });
    await victim.becomesHealthy();
    const [first, second, ...more] = victim.starts();
    expect(second?.pid).not.toBe(first?.pid);
    expect(more).toEqual([]);
    expect(supervisord.log(victim.name)).toContain('wedged: the connection pool is exhausted');
  });

  it('stays down when it exits, since supervisord restarts nothing by itself', async () => {
    await victim.exit();
    await eventually('it is down', async () => !(await victim.isHealthy()) || undefined);
    const status = await eventually('supervisord has noticed', async () => {
      const { output } = supervisord.control('status', victim.name);
      return output.includes('RUNNING') ? undefined : output;
    });
    expect(status).toContain('EXITED');
    expect(victim.starts()).toHaveLength(1);
  });

  it('has an unhealthy spool while a file older than a second is in it', async () => {
    const path = victim.spoolFile('order-1');
    expect(await victim.isHealthy('/healthz/spool')).toBe(true);
    const aMinuteAgo = new Date(Date.now() - 60_000);
    utimesSync(path, aMinuteAgo, aMinuteAgo);
    expect(await victim.isHealthy('/healthz/spool')).toBe(false);
    expect(await victim.isHealthy('/healthz')).toBe(true);
  });

  it('ends with supervisord, and its traces are removed', async () => {
    const pid = victim.starts()[0]?.pid ?? 0;
    await supervisord.stop();
    expect(isRunning(pid)).toBe(false);
    expect(existsSync(supervisord.directory)).toBe(false);
  });
});

const noMonitoring = requireParts('the monitoring of the victim', 'prometheus', 'alertmanager', 'supervisor');
describe.skipIf(noMonitoring)('the monitoring of the victim', () => {
  const stops: (() => unknown)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  it('raises its alert at the webhook, and resolves it after a restart', async () => {
    const received: { authorization: string | undefined; notification: Notification }[] = [];
    const listener = await startLoopback(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const notification = JSON.parse(Buffer.concat(chunks).toString()) as Notification;
      received.push({ authorization: request.headers.authorization, notification });
      response.writeHead(202).end();
    });
    stops.push(listener.close);
    const victim = await createVictim();
    stops.push(victim.remove);
    const supervisord = await startSupervisord([victim.program]);
    stops.push(supervisord.stop);
    const alertmanager = await startAlertmanager({
      webhookUrl: `${listener.origin}/webhooks/alertmanager`,
      bearerToken: 'a-webhook-token',
    });
    stops.push(alertmanager.stop);
    const prometheus = await startPrometheus({
      scrape: [{ job: 'checkout', target: victim.target, labels: { env: 'prod' } }],
      rules: RULES,
      alertmanagerUrl: alertmanager.url,
    });
    stops.push(prometheus.stop);

    await victim.becomesHealthy();
    await victim.wedge();
    const notified = (status: string) =>
      eventually(`a ${status} notification arrives`, async () =>
        received.find(({ notification }) => notification.status === status),
      );
    const firing = await notified('firing');
    expect(firing.authorization).toBe('Bearer a-webhook-token');
    expect(firing.notification).toMatchObject({
      version: '4',
      alerts: [
        {
          status: 'firing',
          labels: {
            alertname: 'CheckoutDown',
            job: 'checkout',
            env: 'prod',
            instance: victim.target,
            severity: 'page',
          },
          annotations: { summary: `Checkout at ${victim.target} does not answer` },
        },
      ],
    });

    supervisord.control('restart', victim.name);
    expect((await notified('resolved')).notification.alerts).toMatchObject([{ status: 'resolved' }]);
  });
});
