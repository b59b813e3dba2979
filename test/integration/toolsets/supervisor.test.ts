import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callSupervisor } from '../../../src/mcp-tools/supervisor/client.ts';
import { supervisorToolset } from '../../../src/mcp-tools/supervisor/index.ts';
import { supervisorSettingsSchema } from '../../../src/mcp-tools/supervisor/settings.ts';
import { onPath } from '../../real-parts/on-path.ts';
import { eventually } from '../../real-parts/program.ts';
import { type Supervisord, startSupervisord } from '../../real-parts/supervisord.ts';
import { callTool, inspectTool } from './call-tool.ts';

const PROGRAMS = `
[program:checkout]
command=sleep 1000

[program:web]
command=sleep 1000
startsecs=0
[program:queue]
command=sleep 1000
startsecs=0
[group:shop]
programs=web,queue

[program:broken]
command=sh -c 'exit 3'
autostart=false
startretries=0

[program:missing]
command=/no/such/program
autostart=false

[program:plain-file]
command=DIRECTORY/not-executable
autostart=false

[program:no-log]
command=sleep 1000
autostart=false
stdout_logfile=DIRECTORY/

[program:talkative]
command=sh -c 'printf "plain\\n\\033[31mred & <b>\\033[0m\\nlast €\\n"; echo on standard error >&2; exec sleep 1000'
stdout_logfile=DIRECTORY/talkative.log
stderr_logfile=DIRECTORY/talkative.err

[program:long]
command=sleep 1000
autostart=false
stdout_logfile=DIRECTORY/long.log

[program:once]
command=true
startsecs=0
autorestart=false

[program:fails]
command=sh -c 'exit 3'
startsecs=0
autorestart=false

[program:slow]
command=sleep 1000
autostart=false
startsecs=30

[program:given-up]
command=sh -c 'test -e DIRECTORY/mended || exit 7; exec sleep 1000'
startretries=0

[program:wavering]
command=sh -c 'test -e DIRECTORY/mended || exit 7; exec sleep 1000'
startretries=1000

[program:stubborn]
command=sh -c 'trap "" TERM; while :; do sleep 0.1; done'
stopwaitsecs=2
stopasgroup=true
killasgroup=true
`;

interface ProcessState {
  name: string;
  group: string;
  state: string;
  pid: number | null;
  description: string;
  exitStatus: number | null;
  startedAt: string | null;
}
interface Restarted {
  before: { state: string; pid: number | null };
  after: { state: string; pid: number | null };
}

const missing = onPath('supervisord') ? '' : ' (skipped: supervisord is not on the path)';

describe.skipIf(missing !== '')(`the supervisor toolset against supervisord${missing}`, () => {
  let supervisord: Supervisord;
  let settings: Record<string, unknown>;

  beforeAll(async () => {
    supervisord = await startSupervisord(PROGRAMS);
    writeFileSync(join(supervisord.directory, 'not-executable'), '#!/bin/sh\n', { mode: 0o644 });
    const { url, username, password } = supervisord;
    settings = { url, username, password };
    await eventually('checkout runs', async () => (await stateOf('checkout')).state === 'RUNNING' || undefined);
  }, 30_000);
  afterAll(async () => supervisord?.stop(), 30_000);

  const call = (tool: string, input: object, overrides: object = {}, signal?: AbortSignal) =>
    callTool(supervisorToolset, tool, input, { ...settings, ...overrides }, signal);
  const restart = async (process: string, signal?: AbortSignal) =>
    (await call('supervisor.restart', { process }, {}, signal)) as unknown as Restarted;
  const inspect = (process: string, overrides: object = {}) =>
    inspectTool(supervisorToolset, 'supervisor.restart', { process }, { ...settings, ...overrides });
  async function stateOf(process: string): Promise<ProcessState> {
    const { processes } = (await call('supervisor.status', { process })) as { processes: ProcessState[] };
    const [only] = processes;
    if (!only || processes.length > 1) throw new Error('not one process');
    return only;
  }

  it('shows every process, and one of a group by its full name', async () => {
    const { processes } = (await call('supervisor.status', {})) as { processes: ProcessState[] };
    expect(processes.map(({ name }) => name)).toEqual(expect.arrayContaining(['checkout', 'web', 'queue', 'broken']));
    const web = await stateOf('shop:web');
    expect(web).toMatchObject({ name: 'web', group: 'shop', state: 'RUNNING', exitStatus: null });
    expect(web.pid).toBeGreaterThan(1);
    expect(Math.abs(Date.now() - Date.parse(web.startedAt ?? ''))).toBeLessThan(60_000);
  });

  it('tells never started, exited and running apart', async () => {
    expect(await stateOf('broken')).toMatchObject({ state: 'STOPPED', pid: null, exitStatus: null, startedAt: null });
    expect(await stateOf('once')).toMatchObject({ state: 'EXITED', pid: null, exitStatus: 0 });
    expect(await stateOf('fails')).toMatchObject({ state: 'EXITED', pid: null, exitStatus: 3 });
    const givenUp = await eventually('given-up is FATAL', async () => {
      const state = await stateOf('given-up');
      return state.state === 'FATAL' ? state : undefined;
    });
    expect(givenUp).toMatchObject({
      pid: null,
      exitStatus: null,
      description: expect.stringContaining('Exited too quickly'),
    });
  });

  it('says before a restart what runs now, of how many, and touches none of them', async () => {
    const [web, queue] = [await stateOf('shop:web'), await stateOf('shop:queue')];
    expect(await inspect('shop:web')).toEqual({
      uid: null,
      population: { group: 'group shop', members: 2, affects: 1 },
      preview: [
        'stops and starts shop:web',
        `now RUNNING, pid ${web.pid}, since ${web.startedAt}`,
        expect.stringMatching(new RegExp(`^supervisord says: pid ${web.pid}, uptime `)),
        '1 of 2 process(es) in group shop',
      ],
    });
    // Whoever may work on one process only still learns how many share its group.
    const listed = await inspect('shop:web', { processes: ['shop:web'] });
    expect(listed.population).toEqual({ group: 'group shop', members: 2, affects: 1 });
    expect([await stateOf('shop:web'), await stateOf('shop:queue')]).toMatchObject([
      { pid: web.pid },
      { pid: queue.pid },
    ]);
    for (const process of ['checkout', 'checkout:checkout'])
      expect(await inspect(process)).toMatchObject({
        population: { group: 'group checkout', members: 1, affects: 1 },
        preview: expect.arrayContaining(['stops and starts checkout']),
      });
  });

  it('says before a restart that a process is down, and since when', async () => {
    expect((await inspect('broken')).preview).toEqual([
      'starts broken',
      'now STOPPED',
      'supervisord says: Not started',
      '1 of 1 process(es) in group broken',
    ]);
    const fails = await eventually('fails has ended', async () => {
      const { preview } = await inspect('fails');
      return preview?.[1]?.startsWith('now EXITED') ? preview : undefined;
    });
    expect(fails[0]).toBe('starts fails');
    expect(fails[1]).toMatch(/^now EXITED, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/);
    expect(Math.abs(Date.now() - Date.parse(fails[1]?.split('since ')[1] ?? ''))).toBeLessThan(60_000);
  });

  it('looks at exactly one process that exists, and one that the settings list', async () => {
    await expect(inspect('nobody')).rejects.toThrow(/has no process nobody .*BAD_NAME/);
    for (const process of ['web', 'shop', 'checkout:web', 'shop:checkout', 'Checkout'])
      await expect(inspect(process)).rejects.toThrow(/has no process .*BAD_NAME/);
    await expect(inspect('checkout', { processes: ['shop:web'] })).rejects.toThrow(/not among those/);
    await expect(inspect('shop:*')).rejects.toThrow(/one process/);
  });

  it('restarts a running process under a new pid', async () => {
    const { before, after } = await restart('checkout');
    expect(before.state).toBe('RUNNING');
    expect(after.state).toBe('RUNNING');
    expect(after.pid).not.toBe(before.pid);
    expect(await stateOf('checkout')).toMatchObject({ state: 'RUNNING', pid: after.pid });
  }, 20_000);

  it('restarts one process of a group and leaves the other alone', async () => {
    const other = await stateOf('shop:queue');
    const { before, after } = await restart('shop:web');
    expect(after.pid).not.toBe(before.pid);
    expect((await stateOf('shop:queue')).pid).toBe(other.pid);
  });

  it('starts one that exited, again and again, and tells a job that was done from one that failed', async () => {
    // Whether so short a job is seen running, or ended by the time it is looked at, is chance.
    for (let times = 0; times < 10; times += 1) {
      const { before, after } = await restart('once');
      if (times === 0) expect(before.state).toBe('EXITED');
      expect(after.state).toMatch(/^(RUNNING|EXITED)$/);
      const failed = await restart('fails').then(
        (done) => done.after.state,
        (error: Error) => error.message,
      );
      expect(failed).toMatch(/^RUNNING$|is EXITED by now with exit status 3|Bad exit code 3; it is EXITED now/);
    }
  });

  it.each(['broken', 'given-up'])('says that %s ends right after its start', async (process) => {
    await expect(restart(process)).rejects.toThrow(
      /could not bring .* up .*SPAWN_ERROR.*(Exited too quickly.*; it is (FATAL|BACKOFF)|; it is STARTING) now.*Fix: read the log/,
    );
  });

  it('starts one that supervisord gave up on, and one it is about to try again, once they are mended', async () => {
    await eventually(
      'wavering waits to be tried again',
      async () => (await stateOf('wavering')).state === 'BACKOFF' || undefined,
    );
    writeFileSync(join(supervisord.directory, 'mended'), '');
    expect((await restart('given-up')).after.state).toBe('RUNNING');
    expect((await restart('wavering')).after.state).toBe('RUNNING');
  }, 30_000);

  it('stops a process, and the inverse starts it', async () => {
    const first = await stateOf('shop:queue');
    const web = await stateOf('shop:web');
    const looked = await inspectTool(supervisorToolset, 'supervisor.stop', { process: 'shop:queue' }, settings);
    expect(looked).toMatchObject({ before: { state: 'RUNNING' }, population: { group: 'group shop', members: 2 } });
    expect(looked.preview?.[0]).toBe('stops shop:queue');
    expect((await stateOf('shop:queue')).pid).toBe(first.pid);
    expect(await call('supervisor.stop', { process: 'shop:queue' })).toEqual({
      process: 'shop:queue',
      before: { state: 'RUNNING', pid: first.pid },
      after: { state: 'STOPPED', pid: null },
    });
    expect(supervisord.control('status', 'shop:queue').output).toMatch(/STOPPED/);
    expect(supervisord.control('status', 'shop:web').output).toContain(`RUNNING   pid ${web.pid}`);
    await expect(call('supervisor.stop', { process: 'shop:queue' })).rejects.toThrow('does not run; it is STOPPED');

    const { inverse } = supervisorToolset.tools.find(({ name }) => name === 'supervisor.stop') ?? {};
    expect(inverse).toEqual({ tool: 'supervisor.start', with: { process: '{{ process }}' } });
    const down = await inspectTool(supervisorToolset, 'supervisor.start', { process: 'shop:queue' }, settings);
    expect(down.preview?.slice(0, 2)).toEqual(['starts shop:queue', expect.stringMatching(/^now STOPPED, since 20/)]);
    expect(await call('supervisor.start', { process: 'shop:queue' })).toMatchObject({
      before: { state: 'STOPPED' },
      after: { state: 'RUNNING' },
    });
    expect(supervisord.control('status', 'shop:queue').output).toMatch(/RUNNING/);
    await expect(call('supervisor.start', { process: 'shop:queue' })).rejects.toThrow('is RUNNING already');
    for (const tool of ['supervisor.start', 'supervisor.stop', 'supervisor.logs'])
      await expect(call(tool, { process: 'shop:queue' }, { processes: ['checkout'] })).rejects.toThrow(
        /not among those/,
      );
    await expect(call('supervisor.start', { process: 'broken' })).rejects.toThrow(/could not bring broken up/);
  }, 30_000);

  it('shows what a process wrote last, whatever characters it wrote', async () => {
    const said = await eventually('talkative has spoken', async () => {
      const { lines } = (await call('supervisor.logs', { process: 'talkative' })) as { lines: string[] };
      return lines.length >= 3 ? lines : undefined;
    });
    expect(said).toEqual(['plain', '\ufffd[31mred & <b>\ufffd[0m', 'last €']);
    expect(await call('supervisor.logs', { process: 'talkative', lines: 1 })).toEqual({
      stream: 'stdout',
      lines: ['last €'],
      cut: true,
    });
    expect(await call('supervisor.logs', { process: 'talkative', stream: 'stderr' })).toMatchObject({
      lines: ['on standard error'],
      cut: false,
    });
    await expect(call('supervisor.logs', { process: 'nobody' })).rejects.toThrow(/has no process nobody/);
    expect(await call('supervisor.logs', { process: 'missing' })).toMatchObject({ lines: [] });
  });

  it.each([0, 1, 2, 3])('shows the end of a long log, also where it is cut inside a character (%i)', async (pad) => {
    writeFileSync(join(supervisord.directory, 'long.log'), `${'x'.repeat(pad)}${'€'.repeat(40_000)}\nlast\n`);
    expect(await call('supervisor.logs', { process: 'long' })).toEqual({
      stream: 'stdout',
      lines: ['last'],
      cut: true,
    });
  });

  it('says so where a log is no text', async () => {
    writeFileSync(join(supervisord.directory, 'long.log'), Buffer.from([0x61, 0xff, 0x0a]));
    await expect(call('supervisor.logs', { process: 'long' })).rejects.toThrow(/not UTF-8.*Fix: read the file/);
  });

  it('says what is wrong with a name, a command and a log file', async () => {
    await expect(restart('checkuot')).rejects.toThrow(/has no process checkuot .*BAD_NAME.*Fix: use a name/);
    await expect(restart('web')).rejects.toThrow(/has no process web .*as group:name/);
    await expect(restart('missing')).rejects.toThrow(/command of missing cannot be run .*NO_FILE/);
    await expect(restart('plain-file')).rejects.toThrow(/command of plain-file cannot be run .*NOT_EXECUTABLE/);
    await expect(restart('no-log')).rejects.toThrow(/could not bring no-log up .*SPAWN_ERROR.*making dispatchers/);
    await expect(call('supervisor.status', { process: 'nobody' })).rejects.toThrow(/has no process nobody/);
  });

  it('refuses groups and wildcards before anything is sent', async () => {
    for (const process of [
      'all',
      'shop:*',
      'shop:',
      '*',
      'shop:all',
      '',
      'a b',
      'chéckout',
      'checkout\n',
      '-checkout',
    ]) {
      await expect(call('supervisor.restart', { process })).rejects.toThrow(/one process/);
    }
  });

  it('works on listed processes only, however they are spelt', async () => {
    const processes = ['checkout', 'shop:queue'];
    const listed = (await call('supervisor.status', {}, { processes })) as { processes: ProcessState[] };
    expect(listed.processes.map(({ name }) => name).sort()).toEqual(['checkout', 'queue']);
    await call('supervisor.status', { process: 'checkout:checkout' }, { processes });
    const before = await stateOf('shop:web');
    const refused =
      /not among those that may be worked on \(checkout, shop:queue\).*Fix: add shop:web to the setting `processes`/;
    await expect(call('supervisor.restart', { process: 'shop:web' }, { processes })).rejects.toThrow(refused);
    await expect(call('supervisor.status', { process: 'shop:web' }, { processes })).rejects.toThrow(refused);
    expect((await stateOf('shop:web')).pid).toBe(before.pid);
  });

  it('has one target for the two spellings of one process', () => {
    const target = supervisorToolset.tools.find(({ name }) => name === 'supervisor.restart')?.target;
    expect(target?.({ process: 'checkout:checkout' })).toBe(target?.({ process: 'checkout' }));
  });

  it('finishes a restart that its caller gave up on', async () => {
    const before = await eventually('stubborn runs', async () => {
      const state = await stateOf('stubborn');
      return state.state === 'RUNNING' ? state : undefined;
    });
    await expect(restart('stubborn', AbortSignal.timeout(500))).rejects.toThrow(
      /did not stop and start in time; a start still follows the stop, so it is not known/,
    );
    expect((await stateOf('stubborn')).state).toBe('STOPPING');
    await eventually('stubborn runs again', async () => {
      const { state, pid } = await stateOf('stubborn');
      return (state === 'RUNNING' && pid !== before.pid) || undefined;
    });
  }, 30_000);

  it('waits for a process that is on its way down already', async () => {
    const first = restart('stubborn').catch(() => undefined);
    await eventually('stubborn is stopping', async () => (await stateOf('stubborn')).state === 'STOPPING' || undefined);
    const second = await restart('stubborn');
    expect(second.before.state).toBe('STOPPING');
    expect(second.after.state).toBe('RUNNING');
    await first;
  }, 30_000);

  // Which of two simultaneous calls sees the other's start is supervisord's business; both ways of saying it are right.
  it('joins a start that somebody else made, and says so when that one is stopped again', {
    timeout: 20_000,
  }, async () => {
    const restarts = ['slow', 'slow:slow'].map((process) => restart(process).catch((error: Error) => error.message));
    await eventually('slow is starting', async () => (await stateOf('slow')).state === 'STARTING' || undefined);
    await sleep(500);
    const stop = await callSupervisor(
      { settings: supervisorSettingsSchema.parse(settings), signal: AbortSignal.timeout(10_000) },
      'stopProcess',
      ['slow', true],
    );
    expect(stop).toEqual({ kind: 'value', value: true });
    const said = await Promise.all(restarts);
    for (const words of said) {
      expect(words).toMatch(
        /ended, or was stopped, before it counted as running .*ABNORMAL_TERMINATION|was started, but is STOPPED by now/,
      );
    }
  });

  it('does nothing when the caller has gone before', async () => {
    const before = await stateOf('checkout');
    await expect(restart('checkout', AbortSignal.abort())).rejects.toThrow();
    await sleep(300);
    expect((await stateOf('checkout')).pid).toBe(before.pid);
  });

  it('names the settings where the password is wrong, and does not repeat it', async () => {
    const wrong = call('supervisor.status', {}, { password: 'guessed-wrong' });
    await expect(wrong).rejects.toThrow(/refused our credentials \(401\).*Fix: correct the credentials/);
    await expect(wrong).rejects.not.toThrow(/guessed-wrong/);
  });
});

describe.skipIf(missing !== '')(`supervisord without its process methods${missing}`, () => {
  it('says which section its configuration lacks', async () => {
    const { url, username, password, stop } = await startSupervisord('', { rpc: false });
    try {
      const status = callTool(supervisorToolset, 'supervisor.status', {}, { url, username, password });
      await expect(status).rejects.toThrow(/\[rpcinterface:supervisor\]/);
    } finally {
      await stop();
    }
  }, 30_000);
});
