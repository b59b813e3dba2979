import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dockerToolset } from '../../../src/mcp-tools/docker/index.ts';
import { textOf } from '../../../src/mcp-tools/docker/logs.ts';
import { type DockerEngine, startDocker } from '../../real-parts/docker.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

/** Runs until it is told to end, and ends at once. */
const SERVE = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done";

describe.skipIf(requireParts('the docker toolset', 'docker'))('the docker toolset against a Docker Engine', () => {
  let docker: DockerEngine;
  const call = (name: string, input: object = {}, more: object = {}) =>
    callTool(dockerToolset, `docker.${name}`, input, { socket: docker.socket, ...more });
  const inspect = (name: string, input: object, more: object = {}) =>
    inspectTool(dockerToolset, `docker.${name}`, input, { socket: docker.socket, ...more });
  const state = (name: string) => docker.cli('inspect', '--format={{.State.Status}} {{.State.StartedAt}}', name);

  beforeAll(async () => {
    docker = await startDocker();
    docker.run('web', SERVE, '--label=app=shop', '--env=PASSWORD=hidden');
    docker.run('failed', 'echo out of luck >&2; exit 3');
    await eventually('its end', async () => (state('failed').startsWith('exited') ? true : undefined));
  });
  afterAll(() => docker?.stop());

  it('lists containers, those that ended too', async () => {
    const { containers } = (await call('list')) as { containers: Record<string, unknown>[] };
    expect(containers.find(({ name }) => name === 'web')).toMatchObject({
      image: 'demo',
      state: 'running',
      labels: { app: 'shop' },
      id: docker.cli('inspect', '--format={{.Id}}', 'web').slice(0, 12),
    });
    expect(containers.find(({ name }) => name === 'failed')).toMatchObject({ state: 'exited' });
    expect(await call('list', {}, { containers: ['failed'] })).toMatchObject({ containers: [{ name: 'failed' }] });
    expect(((await call('list', {}, { containers: ['other'] })) as { containers: [] }).containers).toEqual([]);
  });

  it('shows one container without its environment', async () => {
    const shown = await call('inspect', { container: 'failed' });
    expect(shown).toMatchObject({
      exists: true,
      name: 'failed',
      running: false,
      exitCode: 3,
      oomKilled: false,
      restarts: 0,
    });
    expect(JSON.stringify(await call('inspect', { container: 'web' }))).not.toContain('hidden');
    expect(await call('inspect', { container: 'nobody' })).toEqual({ exists: false, running: false });
  });

  it('shows what a container wrote, with and without a terminal', async () => {
    await eventually('its output', async () => (docker.cli('logs', 'web').includes('started') ? true : undefined));
    const { lines } = (await call('logs', { container: 'web' })) as { lines: string[] };
    expect(lines).toEqual([expect.stringMatching(/^20\d\d-\S+Z started$/)]);
    expect(await call('logs', { container: 'failed' })).toEqual({ lines: [expect.stringMatching(/Z out of luck$/)] });
    docker.run('terminal', 'for i in 1 2 3; do echo line $i; done', '--tty');
    await eventually('its end', async () => (state('terminal').startsWith('exited') ? true : undefined));
    const shown = (await call('logs', { container: 'terminal', lines: 2 })) as { lines: string[] };
    expect(shown.lines.map((line) => line.split(' ').slice(1).join(' ').trim())).toEqual(['line 2', 'line 3']);
    await expect(call('logs', { container: 'nobody' })).rejects.toThrow(/404: .*No such container: nobody/);
    await expect(call('logs', { container: 'web' }, { containers: ['failed'] })).rejects.toThrow('not among those');
  });

  it('shows what a container uses', async () => {
    const stats = await call('stats', { container: 'web' });
    expect(stats).toMatchObject({ cpuNanoseconds: expect.any(Number), at: expect.stringMatching(/^20\d\d-/) });
  });

  it('restarts a container', async () => {
    const before = state('web');
    const { uid, preview } = await inspect('restart', { container: 'web' });
    expect(uid).toBe(docker.cli('inspect', '--format={{.Id}}', 'web'));
    expect(preview?.[0]).toBe('restarts container web of demo');
    expect(state('web')).toBe(before);
    expect(await call('restart', { container: 'web' })).toEqual({ done: true });
    expect(state('web')).toMatch(/^running /);
    expect(state('web')).not.toBe(before);
  });

  it('stops a container, and the inverse starts it', async () => {
    const { before, preview } = await inspect('stop', { container: 'web' });
    expect(before).toMatchObject({ running: true });
    expect(preview?.join('\n')).toMatch(/^stops container web of demo\nnow running, since 20/);
    expect(await call('stop', { container: 'web' })).toEqual({ done: true });
    expect(state('web')).toMatch(/^exited /);
    expect(await call('inspect', { container: 'web' })).toMatchObject({ running: false });
    await expect(inspect('stop', { container: 'web' })).rejects.toThrow('container web does not run');

    const stop = dockerToolset.tools.find(({ name }) => name === 'docker.stop');
    expect(stop?.inverse).toEqual({ tool: 'docker.start', with: { container: '{{ container }}' } });
    expect((await inspect('start', { container: 'web' })).preview?.[1]).toBe('now exited, exit status 0');
    expect(await call('start', { container: 'web' })).toEqual({ done: true });
    expect(state('web')).toMatch(/^running /);
    await expect(call('start', { container: 'web' })).rejects.toThrow('container web runs already');
  });

  it('removes a container that ended, and none that runs', async () => {
    docker.run('old', 'exit 0');
    await eventually('its end', async () => (state('old').startsWith('exited') ? true : undefined));
    expect((await inspect('remove', { container: 'old' })).preview?.[0]).toBe('removes container old of demo');
    expect(state('old')).toMatch(/^exited/);
    expect(await call('remove', { container: 'old' })).toEqual({ done: true });
    expect(() => state('old')).toThrow(/No such/);
    expect(await call('inspect', { container: 'old' })).toMatchObject({ exists: false });
    await expect(call('remove', { container: 'web' })).rejects.toThrow('container web runs; stop it first');
    expect(state('web')).toMatch(/^running /);
  });

  it.each(['restart', 'stop', 'start', 'remove'])(
    '%s: touches none that is not listed, and none by its id',
    async (name) => {
      const before = state('web');
      await expect(call(name, { container: 'web' }, { containers: ['failed'] })).rejects.toThrow(
        /not among those.*Fix: add it/,
      );
      await expect(inspect(name, { container: 'web' }, { containers: ['failed'] })).rejects.toThrow('not among those');
      const id = docker.cli('inspect', '--format={{.Id}}', 'web').slice(0, 12);
      await expect(call(name, { container: id })).rejects.toThrow(`there is no container named ${id}`);
      await expect(call(name, { container: 'nobody' })).rejects.toThrow(/404: No such container: nobody/);
      expect(state('web')).toBe(before);
    },
  );

  it('says what is wrong where no Engine answers', async () => {
    await expect(call('list', {}, { socket: '/no/such/docker.sock' })).rejects.toThrow(
      /^cannot reach Docker.*ENOENT.*Fix: check that it runs/,
    );
  });
});

describe('the frames of an output', () => {
  it('are taken apart, also where the last one is cut off', () => {
    const frame = (stream: number, text: string) => {
      const head = Buffer.alloc(8);
      head.writeUInt8(stream, 0);
      head.writeUInt32BE(Buffer.byteLength(text), 4);
      return Buffer.concat([head, Buffer.from(text)]);
    };
    const both = Buffer.concat([frame(1, 'a€\n'), frame(2, 'b\n')]);
    expect(textOf(both)).toBe('a€\nb\n');
    expect(textOf(both.subarray(0, -1))).toBe('a€\nb');
    expect(textOf(Buffer.from('plain text'))).toBe('plain text');
    expect(textOf(Buffer.alloc(0))).toBe('');
  });
});
