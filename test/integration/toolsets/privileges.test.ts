/** What `toolset privileges` prints, taken by the systems themselves: every tool works with it, and what is not in it is refused. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/run.ts';
import { createCatalogue, TOOLSETS, type Tool } from '../../../src/mcp-tools/index.ts';
import { postgresToolset } from '../../../src/mcp-tools/postgres/index.ts';
import { redisToolset } from '../../../src/mcp-tools/redis/index.ts';
import type { Toolset } from '../../../src/mcp-tools/tool.ts';
import { throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { eventually, scratchDirectory } from '../../real-parts/program.ts';
import { type RedisServer, startRedis } from '../../real-parts/redis.ts';
import { requireParts } from '../../real-parts/require.ts';

const ACCOUNT = { account: 'nightshift' };

/** The privileges of one instance, as the command prints them. */
function privilegesOf(name: string, configured: object, only?: (tool: Tool) => boolean): string {
  const [instance] = createCatalogue(TOOLSETS, { [name]: { match: [], ...configured } as never }).instances;
  if (!instance) throw new Error('no instance');
  const { toolset, settings, tools } = instance;
  const wanted = only ? tools.filter(only) : tools;
  const own = wanted.filter((tool) => !toolset.tools.includes(tool));
  return toolset.privileges?.({ name, settings, tools: wanted, own, ...ACCOUNT }) ?? '';
}

/** Inspects and runs one tool with these settings. */
async function use(toolset: Toolset, verb: string, input: object, settings: object, tools = toolset.tools) {
  const tool = tools.find(({ name }) => name.endsWith(`.${verb}`));
  if (!tool) throw new Error(`no tool ${verb}`);
  const context = { settings: toolset.settings.parse(settings), signal: AbortSignal.timeout(30_000) };
  const parsed = tool.input.parse(input);
  await tool.inspect?.(parsed, context);
  return tool.run(parsed, context);
}

const commandsIn = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

describe.skipIf(requireParts('the privileges of Redis', 'redis'))('the privileges of the redis toolset', () => {
  const scratch = scratchDirectory();
  let redis: RedisServer;
  let settings: Record<string, unknown>;
  const password = `of-${randomBytes(6).toString('hex')}`;

  beforeAll(async () => {
    redis = await startRedis();
    settings = {
      ...{ host: '127.0.0.1', port: redis.port, username: 'nightshift', database: 1 },
      ...{ cachePrefixes: ['cache:catalog:'], configurable: ['maxmemory'] },
    };
  });
  afterAll(async () => {
    await redis?.stop();
    scratch.remove();
  });
  const apply = (text: string) => {
    const [line = '', ...others] = commandsIn(text);
    expect(others).toEqual([]);
    expect(redis.cli(...line.replace('CHOOSE-A-PASSWORD', password).split(' '))).toBe('OK');
  };
  const as = (...command: readonly string[]) =>
    spawnSync(
      'redis-cli',
      ['-s', redis.socket, '--user', 'nightshift', '--pass', password, '--no-auth-warning', '-n', '1', ...command],
      {
        encoding: 'utf8',
      },
    ).stdout.trim();

  it('are enough for every tool, and for nothing else', async () => {
    apply(privilegesOf('cache', { uses: 'redis', ...settings }));
    const given = { ...settings, password };
    redis.cli('-n', '1', 'mset', 'cache:catalog:1', 'a', 'session:1', 'b');
    const other = connect(redis.port, '127.0.0.1');
    other.on('error', () => {}).resume();
    other.write('CLIENT SETNAME worker\r\n');
    const inputs: Record<string, () => object | Promise<object>> = {
      delete_prefix: () => ({ prefix: 'cache:catalog:' }),
      config_set: () => ({ setting: 'maxmemory', value: '64mb' }),
      client: async () => ({ id: await idOf('worker') }),
      kill_client: async () => ({ id: await idOf('worker') }),
    };
    const idOf = async (name: string) => {
      const { clients } = (await use(redisToolset, 'clients', {}, given)) as {
        clients: { id: number; name: string }[];
      };
      return clients.find((client) => client.name === name)?.id;
    };
    const used = redisToolset.tools.map(({ name }) => name.slice('redis.'.length));
    // The flush at last: the others want something to look at.
    for (const verb of used.sort((a, b) => Number(a === 'flush') - Number(b === 'flush'))) {
      const answer = await use(redisToolset, verb, (await inputs[verb]?.()) ?? {}, given);
      if (verb === 'delete_prefix') expect(answer).toMatchObject({ deleted: 1 });
      if (verb === 'delete_prefix') expect(redis.cli('-n', '1', 'get', 'session:1')).toBe('b');
    }
    other.destroy();
    for (const command of [
      ['get', 'cache:catalog:1'],
      ['set', 'cache:catalog:1', 'x'],
      ['unlink', 'session:1'],
      ['keys', '*'],
      ['flushall'],
      ['eval', 'return 1', '0'],
      ['acl', 'list'],
      ['client', 'pause', '1'],
      ['config', 'rewrite'],
      ['shutdown'],
    ])
      expect(as(...command), command.join(' ')).toMatch(/NOPERM|Error: Server closed/);
    redis.cli('-n', '1', 'set', 'session:1', 'b');
    expect(as('unlink', 'session:1')).toMatch(/NOPERM/);
  });

  it('hold nothing for tools that the settings or the operator leave out', () => {
    const text = privilegesOf('cache', { uses: 'redis', host: '127.0.0.1' }, ({ risk }) => risk === 'read');
    expect(commandsIn(text)).toEqual([
      'ACL SETUSER nightshift reset on >CHOOSE-A-PASSWORD +client|list +client|setname +info +latency|latest +memory|stats +slowlog|get',
    ]);
    expect(privilegesOf('cache', { uses: 'redis', host: '127.0.0.1' })).not.toMatch(/config|unlink|scan/);
  });

  it('hold what manifests of your own name, and say where only you know', async () => {
    const manifests = join(scratch.path, 'queue');
    mkdirSync(manifests);
    const read = (verb: string, request: string, more = '') =>
      writeFileSync(
        join(manifests, `${verb}.yaml`),
        `name: queue.${verb}\ndescription: Looks.\nrisk: read\ntarget: queue\ntimeoutSeconds: 5\nrequest: { redis: ${request} }\n${more}`,
      );
    read('length', '[LLEN, "queue:mails"]');
    const configured = { uses: 'redis', host: '127.0.0.1', port: redis.port, username: 'nightshift', manifests };
    const onlyOwn = ({ name }: Tool) => name.startsWith('queue.');
    const text = privilegesOf('queue', configured, onlyOwn);
    expect(commandsIn(text)[0]).toMatch(/ ~queue:mails \+client\|setname \+llen$/);
    apply(text);
    redis.cli('rpush', 'queue:mails', 'a', 'b');
    const [instance] = createCatalogue(TOOLSETS, { queue: { match: [], ...configured } }).instances;
    const own = instance?.tools.filter(onlyOwn) ?? [];
    expect(
      await use(
        redisToolset,
        'length',
        {},
        { host: '127.0.0.1', port: redis.port, username: 'nightshift', password },
        own,
      ),
    ).toMatchObject({ answer: 2 });
    read('named', '[LLEN, "{{ name }}"]', 'arguments: { name: { type: string, format: dns-label } }\n');
    expect(privilegesOf('queue', configured, onlyOwn)).toMatch(
      /# An argument is the key of queue\.length, queue\.named, so every key[\s\S]* ~\* /,
    );
  });
});

describe.skipIf(requireParts('the privileges of Postgres', 'postgres'))(
  'the privileges of the postgres toolset',
  () => {
    const suffix = `${process.pid}_${randomBytes(3).toString('hex')}`;
    const role = `nightshift_least_${suffix}`;
    const slot = `nightshift_least_slot_${suffix}`;
    let admin: pg.Client;
    let drop: () => Promise<void>;
    let settings: Record<string, unknown>;
    const open: pg.Client[] = [];
    const session = async (user = {}) => {
      const client = new pg.Client({ ...settings, ssl: false, ...user } as pg.ClientConfig);
      client.on('error', () => {});
      await client.connect();
      open.push(client);
      return { client, pid: (client as unknown as { processID: number }).processID };
    };
    const call = (verb: string, input: object = {}) => use(postgresToolset, verb, input, settings);

    beforeAll(async () => {
      const database = await throwawayDatabaseUrl();
      drop = database.drop;
      admin = new pg.Client({ connectionString: database.url });
      await admin.connect();
      await admin.query(`create table orders (id int primary key, customer text); create index orders_customer on orders (customer);
      create role ${role}_app login password 'of-the-app'; grant select, update on orders to ${role}_app`);
      const { hostname, port, pathname } = new URL(database.url);
      settings = {
        host: hostname,
        port: Number(port),
        database: pathname.slice(1),
        username: role,
        password: 'of-nightshift',
        tls: 'off',
      };
      const text = privilegesOf('db', { uses: 'postgres', ...settings });
      await admin.query(text);
      await admin.query(`alter role ${role} password 'of-nightshift'`);
    });
    afterAll(async () => {
      for (const client of open) await client.end().catch(() => {});
      await admin
        ?.query(`drop owned by ${role}, ${role}_app; drop role ${role}; drop role ${role}_app`)
        .catch(() => {});
      await admin?.end();
      await drop?.();
    });

    it('are enough for every tool', async () => {
      const app = { user: `${role}_app`, password: 'of-the-app' };
      const [busy, idle] = [await session(app), await session(app)];
      const sleeping = busy.client.query('select pg_sleep(60)').catch(({ message }: Error) => message);
      await admin.query(`select pg_create_physical_replication_slot('${slot}', true)`);
      await (await session(app)).client.query('begin');
      const inputs: Record<string, object> = {
        cancel_query: { pid: busy.pid },
        terminate_session: { pid: idle.pid },
        session: { pid: busy.pid },
        reindex: { schema: 'public', index: 'orders_customer' },
        index: { schema: 'public', index: 'orders_customer' },
        idle: { state: 'idle in transaction', minSeconds: 1 },
        terminate_idle: { state: 'idle in transaction', minSeconds: 1 },
        slot: { slot },
        drop_replication_slot: { slot },
      };
      if (process.env.NIGHTSHIFT_REQUIRE_REAL_PARTS !== undefined)
        await admin.query('create extension if not exists pg_stat_statements');
      const { rows } = await admin.query<{ installed: boolean }>(
        "select exists (select from pg_extension where extname = 'pg_stat_statements') as installed",
      );
      const seen = (await call('activity')) as { sessions: { pid: number; query: string }[] };
      expect(seen.sessions.find(({ pid }) => pid === busy.pid)?.query).toBe('select pg_sleep(60)');
      await eventually('one to be idle for a second', async () =>
        (await call('idle', inputs.idle)).count === 1 ? true : undefined,
      );
      const verbs = postgresToolset.tools.map(({ name }) => name.slice('postgres.'.length));
      for (const verb of verbs.filter((one) => one !== 'slow_queries' || rows[0]?.installed)) {
        const answer = await call(verb, inputs[verb]);
        if (verb === 'cancel_query') expect(answer).toMatchObject({ cancelled: true });
        if (verb === 'terminate_idle') expect(answer).toEqual({ ended: 1 });
        if (verb === 'terminate_session') expect(answer).toMatchObject({ terminated: true });
        if (verb === 'reindex') expect(answer).toMatchObject({ valid: true });
      }
      expect(await sleeping).toMatch(/canceling statement due to user request/);
      expect(await call('slot', { slot })).toMatchObject({ exists: false });
    });

    it('are enough for nothing else', async () => {
      const { client } = await session({ user: role, password: 'of-nightshift' });
      for (const statement of [
        'select * from orders',
        "update orders set customer = ''",
        'drop table orders',
        'create database x',
        'create role x',
        "copy orders to program 'id'",
        'alter system set work_mem = 1',
        'create table public.mine (id int)',
        "select pg_read_file('/etc/passwd')",
      ])
        await expect(client.query(statement), statement).rejects.toThrow(/permission denied|must be owner/);
      // As its comment says: the session of a superuser is not its to end.
      const { pid } = admin as unknown as { pid: number; processID: number };
      const superuser = (admin as unknown as { processID: number }).processID ?? pid;
      await expect(call('terminate_session', { pid: superuser })).rejects.toThrow(/permission denied/);
    });

    it('are less where fewer tools are to work', () => {
      const text = privilegesOf('db', { uses: 'postgres', ...settings }, ({ risk }) => risk === 'read');
      expect(text).toContain('grant pg_read_all_stats');
      expect(text).not.toMatch(/pg_signal_backend|pg_maintain|replication;/);
    });
  },
);

describe('the privileges of what runs programs', () => {
  const scratch = scratchDirectory();
  afterAll(() => scratch.remove());
  const systemd = { uses: 'systemd', units: ['nginx.service', 'app@blue.service', 'a:b.timer'] };
  const manifests = join(scratch.path, 'jobs');
  const scripts = { uses: 'scripts', user: 'shop', manifests };
  beforeAll(() => {
    mkdirSync(manifests);
    const head =
      'description: Does it.\nrisk: safe\ntarget: it\nundo: nothing to undo\ntimeoutSeconds: 30\ndryRun: null\ncheck: null\ninverse: null\n';
    writeFileSync(
      join(manifests, 'a.yaml'),
      `name: jobs.queue\n${head}arguments:\n  queue: { type: string, enum: [mails, "a b", 'x"y:z*', "it's (a) {b} [c] ? ! # = , \\\\"] }\n  force: { type: string, enum: [--force], optional: true }\nrequest: { run: { argv: [/srv/jobs/requeue, "{{ queue }}", "{{ force }}"] } }\n`,
    );
    writeFileSync(
      join(manifests, 'b.yaml'),
      `name: jobs.job\n${head}arguments:\n  job: { type: string, pattern: "^.+$" }\nrequest: { run: { argv: [/srv/jobs/one, "{{ job }}", last] } }\n`,
    );
  });

  it('allow each script its declared words, under the wrapper that keeps it to its time', () => {
    const wrapper = String.raw`nightshift ALL=(shop) NOPASSWD: /usr/bin/timeout --signal\=KILL 30`;
    expect(commandsIn(privilegesOf('jobs', scripts))).toEqual([
      `${wrapper} /srv/jobs/requeue mails`,
      String.raw`${wrapper} /srv/jobs/requeue a\ b`,
      String.raw`${wrapper} /srv/jobs/requeue x?y\:z\*`,
      String.raw`${wrapper} /srv/jobs/requeue it?s\ ?a?\ ?b?\ \[c\]\ \?\ ?\ ?\ \=\ \,\ ?`,
      `${wrapper} /srv/jobs/requeue mails --force`,
      String.raw`${wrapper} /srv/jobs/requeue a\ b --force`,
      String.raw`${wrapper} /srv/jobs/requeue x?y\:z\* --force`,
      String.raw`${wrapper} /srv/jobs/requeue it?s\ ?a?\ ?b?\ \[c\]\ \?\ ?\ ?\ \=\ \,\ ? --force`,
      `${wrapper} /srv/jobs/one *`,
    ]);
    expect(privilegesOf('jobs', { ...scripts, user: undefined })).toMatch(
      /^# jobs runs its programs as the user that it runs as itself/,
    );
  });

  it('allow systemctl exactly what the tools send for the declared units', () => {
    const lines = commandsIn(
      privilegesOf('units', { ...systemd, sudo: true }, ({ name }) => name === 'systemd.restart'),
    );
    expect(lines).toHaveLength(6);
    expect(lines).toContain('nightshift ALL=(root) NOPASSWD: /usr/bin/systemctl restart -- nginx.service');
    expect(lines).toContain(String.raw`nightshift ALL=(root) NOPASSWD: /usr/bin/systemctl restart -- a\:b.timer`);
    expect(lines.filter((line) => !/systemctl (restart|show) /.test(line))).toEqual([]);
    expect(privilegesOf('units', { ...systemd, user: true })).toMatch(/Nothing else is needed/);
  });

  it('allow polkit the declared units and the verbs of the tools', () => {
    const rule = privilegesOf('units', systemd);
    type Action = { id: string; lookup: (name: string) => string };
    const rules: ((action: Action, subject: { user: string }) => string | undefined)[] = [];
    const polkit = { addRule: (one: (typeof rules)[number]) => rules.push(one), Result: { YES: 'yes' } };
    new Function('polkit', rule)(polkit);
    const ask = (verb: string, unit: string, user = 'nightshift', id = 'org.freedesktop.systemd1.manage-units') =>
      rules[0]?.({ id, lookup: (name) => (name === 'unit' ? unit : verb) }, { user });
    expect(ask('restart', 'nginx.service')).toBe('yes');
    for (const refused of [
      ask('restart', 'sshd.service'),
      ask('kill', 'nginx.service'),
      ask('restart', 'nginx.service', 'somebody'),
      ask('restart', 'nginx.service', 'nightshift', 'org.freedesktop.systemd1.manage-unit-files'),
    ])
      expect(refused).toBeUndefined();
  });

  it.skipIf(requireParts('lines for sudo', 'sudo'))('are taken by visudo', () => {
    const logs = { shop: { config: '/etc/logrotate.d/shop', files: ['/var/log/shop.log'] } };
    const texts = [
      privilegesOf('jobs', scripts),
      privilegesOf('units', { ...systemd, sudo: true }),
      privilegesOf('box', { uses: 'host', sudo: true, logs }),
    ];
    for (const [index, text] of texts.entries()) {
      const path = join(scratch.path, `sudoers-${index}`);
      writeFileSync(path, `${text}\n`, { mode: 0o440 });
      expect(execFileSync('/usr/sbin/visudo', ['-cf', path], { encoding: 'utf8' }), text).toMatch(/parsed OK/);
    }
    expect(texts[2]).toContain('/usr/sbin/logrotate --force --state /var/lib/logrotate/status /etc/logrotate.d/shop');
  });
});

describe('nightshift toolset privileges', () => {
  const scratch = scratchDirectory();
  afterAll(() => scratch.remove());
  const run = async (...argv: readonly string[]) => {
    writeFileSync(
      join(scratch.path, 'nightshift.yaml'),
      `toolsets:
  engine: { uses: docker, socket: /run/docker.sock }
  metrics: { uses: prometheus, url: 'http://127.0.0.1:9090' }
  cluster: { uses: kubernetes, url: 'https://127.0.0.1:6443' }
  silences: { uses: alertmanager, url: 'http://127.0.0.1:9093' }
  logs: { uses: loki, url: 'http://127.0.0.1:3100' }
  web: { uses: http, allow: ['https://shop.example'] }
  names: { uses: dns, domains: [shop.example], servers: ['10.0.0.2'] }
  certificates: { uses: tls, endpoints: ['shop.example:443'] }
  programs: { uses: supervisor, url: 'http://127.0.0.1:9001' }
`,
    );
    const said = { out: '', err: '' };
    const code = await runCli({
      argv: ['toolset', 'privileges', ...argv],
      env: {},
      directory: scratch.path,
      out: (text: string) => (said.out += `${text}\n`),
      err: (text: string) => (said.err += `${text}\n`),
      serve: async () => {},
    } as never);
    return { code, ...said };
  };

  it.each([
    ['engine', /is root on its host[\s\S]*POST {3}\/containers\/\{id\}\/restart/],
    ['metrics', /no accounts of its own[\s\S]*POST {3}\/api\/v1\/query\n/],
    ['cluster', /kind: ClusterRole\n/],
    ['silences', /DELETE \/api\/v2\/silence\/\{id\}/],
    ['logs', /GET {4}\/loki\/api\/v1\/query_range/],
    ['web', /GET {4}https:\/\/shop\.example/],
    ['names', /10\.0\.0\.2/],
    ['certificates', /shop\.example:443/],
    ['programs', /may do everything/],
  ])('says for %s what it needs', async (instance, text) => {
    expect(await run(instance)).toMatchObject({ code: 0, out: expect.stringMatching(text) });
  });

  it('counts only the tools that it is told to', async () => {
    const { out } = await run('engine', '--tool', 'docker.list', 'docker.logs');
    expect(out).not.toContain('restart');
    expect(commandsIn(out)).toEqual(['GET    /containers/json', 'GET    /containers/{container}/logs']);
  });

  it('says what is wrong with what it was asked', async () => {
    expect(await run('nothing')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/INSTANCE: is no toolset instance \(found: nothing\)\. Fix: use one of engine/),
    });
    expect(await run('engine', '--tool', 'docker.rm')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/--tool: is no tool of engine/),
    });
    expect(await run('engine', '--account', 'a b')).toMatchObject({ code: 1, err: expect.stringMatching(/--account/) });
  });
});
