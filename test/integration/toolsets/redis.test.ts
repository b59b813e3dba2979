import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { redisToolset } from '../../../src/mcp-tools/redis/index.ts';
import { OutcomeUnknown, riskOf } from '../../../src/mcp-tools/tool.ts';
import { eventually, freePort } from '../../real-parts/program.ts';
import { type RedisServer, startRedis } from '../../real-parts/redis.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

describe.skipIf(requireParts('the redis toolset', 'redis'))('the redis toolset against Redis', () => {
  let redis: RedisServer;
  let settings: Record<string, unknown>;
  const call = (name: string, input: object = {}, more: object = {}) =>
    callTool(redisToolset, `redis.${name}`, input, { ...settings, ...more });
  const inspect = (name: string, input: object = {}, more: object = {}) =>
    inspectTool(redisToolset, `redis.${name}`, input, { ...settings, ...more });

  beforeAll(async () => {
    redis = await startRedis(['latency-monitor-threshold 1', 'slowlog-log-slower-than 0', 'enable-debug-command yes']);
    settings = { host: '127.0.0.1', port: redis.port, cachePrefixes: ['cache:catalog:'], configurable: ['maxmemory'] };
  });
  afterAll(() => redis?.stop());
  beforeEach(() => redis.cli('flushall'));

  it('shows the state of the server', async () => {
    redis.cli('config', 'set', 'maxmemory', '64mb');
    expect(await call('info')).toMatchObject({
      version: /redis_version:(\S+)/.exec(redis.cli('info', 'server'))?.[1],
      role: 'master',
      maxMemoryBytes: 64 * 1024 * 1024,
      evictionPolicy: 'noeviction',
      connectedReplicas: 0,
      lastSaveOk: true,
      loading: false,
      usedMemoryBytes: expect.any(Number),
      connectedClients: expect.any(Number),
    });
    redis.cli('config', 'set', 'maxmemory', '0');
  });

  it('shows what memory is used for', async () => {
    redis.cli('set', 'a', 'x'.repeat(1000));
    const stats = await call('memory');
    expect(stats).toMatchObject({ 'keys.count': 1, 'total.allocated': expect.any(Number) });
    expect(stats['dataset.bytes']).toBeGreaterThan(0);
  });

  it('shows slow commands without what they were about', async () => {
    redis.cli('slowlog', 'reset');
    redis.cli('set', 'somebody', 'their-secret-value');
    const { commands } = (await call('slowlog')) as { commands: Record<string, unknown>[] };
    expect(commands.find(({ command }) => String(command).toLowerCase() === 'set')).toMatchObject({
      arguments: 2,
      microseconds: expect.any(Number),
      at: expect.stringMatching(/^20\d\d-/),
    });
    expect(JSON.stringify(commands)).not.toMatch(/their-secret-value|somebody/);
    redis.cli('slowlog', 'reset');
  });

  it('shows latency where the server watches it', async () => {
    redis.cli('latency', 'reset');
    expect(await call('latency')).toEqual({ events: [] });
    redis.cli('debug', 'sleep', '0.05');
    expect(await call('latency')).toEqual({
      events: [
        {
          event: 'command',
          at: expect.stringMatching(/^20\d\d-/),
          latestMs: expect.any(Number),
          highestMs: expect.any(Number),
        },
      ],
    });
  });

  it('lists clients, and ends one of them', async () => {
    const other = connect(redis.port, '127.0.0.1');
    other.on('error', () => {}).resume();
    other.write('CLIENT SETNAME worker-7\r\n');
    const ended = once(other, 'close');
    const found = await eventually('the client to be listed', async () => {
      const { clients } = (await call('clients')) as { clients: { id: number; name: string; address: string }[] };
      return clients.find(({ name }) => name === 'worker-7');
    });
    expect(found.address).toBe(`127.0.0.1:${other.localPort}`);
    expect(await call('client', { id: found.id })).toMatchObject({ connected: true, name: 'worker-7' });

    const { uid, preview } = await inspect('kill_client', { id: found.id });
    expect(uid).toBe(`client-${found.id}`);
    expect(preview?.join('\n')).toMatch(/ends client \d+\n.*name=worker-7/s);
    expect(redis.cli('client', 'list')).toContain('name=worker-7');

    expect(await call('kill_client', { id: found.id })).toEqual({ ended: true });
    await ended;
    expect(redis.cli('client', 'list')).not.toContain('name=worker-7');
    expect(await call('client', { id: found.id })).toEqual({ connected: false });
    await expect(call('kill_client', { id: found.id })).rejects.toThrow(`there is no client ${found.id}`);
  });

  it('deletes the keys of a declared cache and no others', async () => {
    redis.pipe([
      ['SET', 'cache:catalog:1', 'a'],
      ['SET', 'cache:catalog:shoes:2', 'b'],
      ['SET', Buffer.concat([Buffer.from('cache:catalog:'), Buffer.from([0xff, 0xfe])]), 'not UTF-8'],
      ['SET', 'cache:catalog:\ndeletes nothing', 'd'],
      ['SET', 'cache:catalo', 'e'],
      ['SET', 'cache:catalogue', 'f'],
      ['SET', 'xcache:catalog:1', 'g'],
      ['SET', 'session:1', 'h'],
    ]);
    const { preview } = await inspect('delete_prefix', { prefix: 'cache:catalog:' });
    expect(preview?.[0]).toBe('deletes 4 key(s) that begin with cache:catalog:');
    expect(preview).toContain('"cache:catalog:\\ndeletes nothing"');
    expect(redis.cli('dbsize')).toBe('8');

    expect(await call('delete_prefix', { prefix: 'cache:catalog:shoes' })).toMatchObject({
      deleted: 1,
      complete: true,
    });
    expect(await call('delete_prefix', { prefix: 'cache:catalog:' })).toEqual({
      prefix: 'cache:catalog:',
      deleted: 3,
      complete: true,
    });
    expect(redis.cli('keys', '*').split('\n').sort()).toEqual([
      'cache:catalo',
      'cache:catalogue',
      'session:1',
      'xcache:catalog:1',
    ]);
    expect(await call('delete_prefix', { prefix: 'cache:catalog:' })).toMatchObject({ deleted: 0 });
  });

  it.each(['session:', 'cache:catalo', 'cache:', 'xcache:catalog:'])(
    'leaves %s alone: it was never declared',
    async (prefix) => {
      redis.cli('set', `${prefix}1`, 'a');
      const tool = redisToolset.tools.find(({ name }) => name === 'redis.delete_prefix');
      expect(tool && riskOf(tool, { prefix }, redisToolset.settings.parse(settings))).toBe('forbidden');
      await expect(inspect('delete_prefix', { prefix })).rejects.toThrow('is no declared cache');
      await expect(call('delete_prefix', { prefix })).rejects.toThrow('is no declared cache');
      expect(redis.cli('exists', `${prefix}1`)).toBe('1');
    },
  );

  it('deletes a bounded number of 100 000 keys, while the server answers', async () => {
    const pad = 'x'.repeat(20);
    redis.pipe(Array.from({ length: 100_000 }, (_, index) => ['SET', `cache:catalog:${index}`, pad]));
    redis.pipe(Array.from({ length: 2000 }, (_, index) => ['SET', `order:${index}`, pad]));
    const { preview } = await inspect('delete_prefix', { prefix: 'cache:catalog:' });
    expect(preview?.[0]).toBe('deletes 10000 of more than 10000 keys that begin with cache:catalog:');
    expect(await call('delete_prefix', { prefix: 'cache:catalog:' })).toMatchObject({
      deleted: 10_000,
      complete: false,
    });
    expect(redis.cli('dbsize')).toBe('92000');

    redis.cli('config', 'set', 'slowlog-log-slower-than', '100000');
    redis.cli('slowlog', 'reset');
    expect(await call('delete_prefix', { prefix: 'cache:catalog:' }, { keysMax: 1_000_000 })).toMatchObject({
      deleted: 90_000,
      complete: true,
    });
    expect(redis.cli('slowlog', 'get')).toBe('');
    redis.cli('config', 'set', 'slowlog-log-slower-than', '0');
    expect(redis.cli('dbsize')).toBe('2000');
  });

  it('empties its own database, and no other', async () => {
    redis.cli('mset', 'a', '1', 'b', '2');
    redis.cli('-n', '3', 'set', 'c', '3');
    const { preview } = await inspect('flush', {}, { database: 3 });
    expect(preview).toEqual(['DELETES EVERY KEY of this database', '1 key(s) now']);
    expect(redis.cli('-n', '3', 'dbsize')).toBe('1');
    expect(await call('flush', {}, { database: 3 })).toEqual({ flushed: true });
    expect(redis.cli('-n', '3', 'dbsize')).toBe('0');
    expect(redis.cli('dbsize')).toBe('2');
  });

  it('changes a declared setting, and the inverse puts it back', async () => {
    redis.cli('config', 'set', 'maxmemory', '1048576');
    const change = { setting: 'maxmemory', value: '2mb' };
    const { before, preview } = await inspect('config_set', change);
    expect(before).toEqual({ value: '1048576' });
    expect(preview).toEqual(['changes maxmemory of the running server', 'from 1048576 to 2mb']);
    expect(redis.cli('config', 'get', 'maxmemory')).toBe('maxmemory\n1048576');

    expect(await call('config_set', change)).toEqual({ set: true });
    expect(redis.cli('config', 'get', 'maxmemory')).toBe('maxmemory\n2097152');

    expect(redisToolset.tools.find(({ name }) => name === 'redis.config_set')?.inverse).toEqual({
      tool: 'redis.config_set',
      with: { setting: '{{ setting }}', value: '{{ before.value }}' },
    });
    expect(await call('config_set', { ...change, value: before?.value })).toEqual({ set: true });
    expect(redis.cli('config', 'get', 'maxmemory')).toBe('maxmemory\n1048576');
    redis.cli('config', 'set', 'maxmemory', '0');
  });

  it('changes no other setting, none that it could not put back, and to no value that Redis refuses', async () => {
    const configurable = ['maxmemory', 'save', 'no-such-thing'];
    await expect(call('config_set', { setting: 'timeout', value: '1' })).rejects.toThrow(
      'timeout is not in the setting `configurable`',
    );
    await expect(call('config_set', { setting: 'save', value: '60' }, { configurable })).rejects.toThrow(
      'save has a value now that this tool could not set again',
    );
    await expect(call('config_set', { setting: 'no-such-thing', value: '1' }, { configurable })).rejects.toThrow(
      'there is no setting no-such-thing',
    );
    await expect(call('config_set', { setting: 'maxmemory', value: 'plenty' })).rejects.toThrow(
      /Redis at .* refused: ERR /,
    );
    expect(redis.cli('config', 'get', 'timeout')).toBe('timeout\n0');
  });

  it.each(['requirepass', 'masterauth', 'dir', 'dbfilename', 'enable-debug-command', 'loadmodule', 'bind', 'aclfile'])(
    'takes no %s among the configurable settings',
    (name) => {
      expect(redisToolset.settings.safeParse({ host: 'a', configurable: [name] }).error?.issues[0]?.message).toMatch(
        /no tool may change it/,
      );
    },
  );

  it('comes in by a socket file, and as a user who may do nothing else', async () => {
    redis.cli('set', 'session:1', 'a');
    redis.cli('set', 'cache:catalog:1', 'a');
    const rules = ['on', '>let-me-in', '~cache:catalog:*', '+client|setname', '+scan', '+unlink', '+info'];
    redis.cli('acl', 'setuser', 'nightshift', ...rules);
    const own = {
      host: undefined,
      port: undefined,
      socket: redis.socket,
      username: 'nightshift',
      password: 'let-me-in',
    };
    expect(await call('info', {}, own)).toMatchObject({ role: 'master' });
    expect(await call('delete_prefix', { prefix: 'cache:catalog:' }, own)).toMatchObject({ deleted: 1 });
    expect(redis.cli('keys', '*')).toBe('session:1');
    await expect(call('flush', {}, own)).rejects.toThrow(
      /^Redis at \S+ refused: NOPERM .*Fix: allow it to the user of this toolset, if it may do this$/,
    );
    const wide = { ...own, cachePrefixes: ['session:'] };
    await expect(call('delete_prefix', { prefix: 'session:' }, wide)).rejects.toThrow(/NOPERM/);
    expect(redis.cli('keys', '*')).toBe('session:1');
    await expect(call('info', {}, { ...own, password: 'wrong' })).rejects.toThrow(
      /refused our credentials: WRONGPASS .*Fix: correct username and password/,
    );
    redis.cli('acl', 'deluser', 'nightshift');
  });

  it('says what is wrong where nothing, or something else, answers', async () => {
    await expect(call('info', {}, { port: await freePort() })).rejects.toThrow(
      /^cannot reach Redis at 127\.0\.0\.1:\d+: .*ECONNREFUSED.*Fix: check that it runs/,
    );
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const startedAt = performance.now();
    await expect(
      callTool(redisToolset, 'redis.info', {}, { ...settings, port }, AbortSignal.timeout(300)),
    ).rejects.toThrow('Redis did not answer in time');
    expect(performance.now() - startedAt).toBeLessThan(3000);
    silent.close();
    const deaf = createServer((socket) => {
      // A greeting (CLIENT SETNAME, SELECT) is answered; the command itself is taken and never answered.
      socket.on('data', (data) => String(data).includes('FLUSHDB') || socket.write('+OK\r\n'.repeat(countOf(data))));
    }).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const flushed = callTool(
      redisToolset,
      'redis.flush',
      {},
      { ...settings, port: (deaf.address() as { port: number }).port },
      AbortSignal.timeout(500),
    );
    await expect(flushed).rejects.toThrow(/^Redis did not answer in time, so it is not known what it did/);
    await expect(flushed).rejects.toBeInstanceOf(OutcomeUnknown);
    deaf.close();
    const babble = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
    await once(babble, 'listening');
    await expect(call('info', {}, { port: (babble.address() as { port: number }).port })).rejects.toThrow(
      /^cannot reach Redis/,
    );
    babble.close();
  });
});

/** How many commands came in one piece: each is an array, and begins with a star. */
function countOf(data: Buffer): number {
  return String(data)
    .split('\r\n')
    .filter((line) => line.startsWith('*')).length;
}
