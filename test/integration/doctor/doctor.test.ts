/** The command as people run it: beside a running Nightshift and without one, against real parts that are in order and that are not. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/index.ts';
import type { Finding } from '../../../src/doctor/index.ts';
import { BOT_SCOPES } from '../../../src/slack/manifest.ts';
import { copyEmbedded, databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { SECRET, startWorkspace, TEAM, type Workspace } from '../slack/incoming-workspace.ts';
import { listen } from '../support/doubles.ts';
import { startNightshift, type TestNightshift } from '../support/nightshift.ts';

const TOKEN = 'pd-' + 'u+secretsecretsecret';
const KEY = 'sk-' + 'verysecretverysecret';

let directory: ReturnType<typeof scratchDirectory>;
let servers: Server[];
beforeEach(() => {
  directory = scratchDirectory();
  servers = [];
  mkdirSync(join(directory.path, 'policies'));
  mkdirSync(join(directory.path, 'data'), { mode: 0o700 });
});
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  directory.remove();
});

async function doctor(
  config: object | string,
  argv: string[] = [],
  env: Record<string, string> = {},
  dataDir = join(directory.path, 'data'),
) {
  const text = typeof config === 'string' ? config : JSON.stringify({ dataDir, ...config });
  writeFileSync(join(directory.path, 'nightshift.yaml'), text);
  const [out, err]: [string[], string[]] = [[], []];
  const began = Date.now();
  const code = await runCli({
    argv: ['doctor', ...argv],
    env,
    directory: directory.path,
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  const said = [...out, ...err].join('\n');
  expect(said).not.toMatch(/\bat .*\.ts:\d|defect of Nightshift/);
  return {
    code,
    out,
    said,
    line: (start: string) => out.filter((one) => one.slice(6).startsWith(start)),
    seconds: (Date.now() - began) / 1000,
  };
}

/** A server that answers every request like this; a status of 0 never answers. */
async function answering(status: number, body: unknown, seen: string[] = []): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(`${request.url}`);
    if (status > 0) response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  servers.push(server);
  return `http://${await listen(server)}`;
}

const nobody = 'http://127.0.0.1:9';

describe('without a running Nightshift', () => {
  it('is content with nothing at all, and says that it only observes', async () => {
    const { code, line, out } = await doctor({});
    expect(code).toBe(0);
    expect(line('server')).toEqual([
      'WARN  server: Nightshift does not run here. Fix: start it with: nightshift start',
    ]);
    expect(line('database')).toEqual([expect.stringMatching(/^ok {4}database: embedded; there is none in .* yet/)]);
    expect(out.filter((one) => one.startsWith('FAIL'))).toEqual([]);
  });

  it('says that a data directory cannot be made where it shall be', async () => {
    const file = join(directory.path, 'file');
    writeFileSync(file, '');
    const { code, line } = await doctor({ dataDir: join(file, 'below', 'it') });
    expect(code).toBe(1);
    expect(line('data directory')).toEqual([
      expect.stringMatching(/^FAIL {2}data directory: cannot be made in .*file\. Fix: make it and give it to/),
    ]);
  });

  it('says each mistake in the configuration with its fix, and looks at nothing else', async () => {
    const { code, out } = await doctor({ mode: 'yolo', limits: { attempts: 9 } });
    expect(code).toBe(1);
    expect(out).toHaveLength(2);
    for (const one of out)
      expect(one).toMatch(/^FAIL {2}configuration: \S+nightshift\.yaml:\d+:\d+ (mode|limits\.attempts): .+\. Fix: .+/);
  });

  it('reads the embedded database itself, and changes nothing in it', async () => {
    await copyEmbedded(join(directory.path, 'data'));
    const { code, line, said } = await doctor({});
    expect(line('migrations'), said).toEqual([expect.stringMatching(/^ok {4}migrations: all \d+ are done$/)]);
    expect(line('kill switch')).toEqual(['ok    kill switch: off']);
    expect(code).toBe(0);
  });

  it('says that a file stops everything', async () => {
    await copyEmbedded(join(directory.path, 'data'));
    writeFileSync(join(directory.path, 'data', 'kill-switch'), 'game day');
    const { code, line } = await doctor({});
    expect(line('kill switch')[0]).toMatch(
      /^WARN {2}kill switch: everything is stopped: .*game day.*Fix: let it go on/,
    );
    expect(code).toBe(0);
  });

  it('says who has the embedded database where no server answers', async () => {
    await copyEmbedded(join(directory.path, 'data'));
    const { lockDataDir } = await import('../../../src/database/lock.ts');
    const unlock = lockDataDir(join(directory.path, 'data'));
    try {
      const { code, line } = await doctor({});
      expect(code).toBe(1);
      expect(line('database')).toEqual([
        expect.stringMatching(
          /^FAIL {2}database: .*is in use by another Nightshift \(process \d+\).*Fix: stop the other/,
        ),
      ]);
    } finally {
      unlock();
    }
  });

  it('says which database does not answer, without its password', async () => {
    const { code, line, said } = await doctor({}, [], { DATABASE_URL: 'postgres://ns:hunter2hunter2@127.0.0.1:9/x' });
    expect(code).toBe(1);
    expect(line('database')[0]).toMatch(/^FAIL {2}database: DATABASE_URL: .*ECONNREFUSED.*Fix: check that it runs/);
    expect(said).not.toContain('hunter2');
  });

  it('says who else may read the data directory and its secrets, and how old the newest snapshot is', async () => {
    const data = join(directory.path, 'data');
    chmodSync(data, 0o755);
    writeFileSync(join(data, 'admin.token'), 'x');
    chmodSync(join(data, 'admin.token'), 0o644);
    mkdirSync(join(data, 'snapshots'));
    const snapshot = join(data, 'snapshots', 'nightshift-20260101T000000Z.dump.gz');
    writeFileSync(snapshot, '');
    utimesSync(snapshot, new Date(), new Date(Date.now() - 72 * 3_600_000));
    const { code, line } = await doctor({});
    expect(code).toBe(1);
    expect(line('data directory')).toEqual([
      `FAIL  data directory: others may look into ${data}, where tokens are. Fix: run: chmod 700 ${data}`,
      `FAIL  data directory: others may read admin.token. Fix: run: chmod 600 ${join(data, 'admin.token')}`,
    ]);
    expect(line('snapshots')[0]).toMatch(/^WARN {2}snapshots: the newest of 1 is 72 h old/);
    rmSync(snapshot);
    expect((await doctor({})).line('snapshots')[0]).toMatch(/^WARN {2}snapshots: there is none/);
  });

  it('says which credential is not good, and never shows one, whatever the other side says', async () => {
    const pagerduty = await answering(401, { error: TOKEN });
    const models = await answering(401, { error: KEY });
    const config = {
      sources: {
        pd: {
          type: 'pagerduty',
          secrets: ['0123456789abcdef01'],
          api: { token: TOKEN, from: 'a@example.com', url: pagerduty },
        },
      },
      models: [{ provider: 'openai', model: 'm', apiKey: KEY, baseUrl: `${models}/v1` }],
    };
    const { code, line, said } = await doctor(config, ['--ask-models']);
    expect(line('pagerduty: pd'), said).toEqual([
      'FAIL  pagerduty: pd: it answers 401: the token is not good. Fix: make a REST API key, and set it at sources.pd.api.token',
    ]);
    expect(line('model: ')[0]).toMatch(
      /^FAIL {2}model: openai\/m: it answers 401: the key is not good. Fix: set models\.0\.apiKey/,
    );
    expect(code).toBe(1);
    expect(said).not.toContain(TOKEN);
    expect(said).not.toContain(KEY);
  });

  it('asks no provider of models unless it is told to, and then only for the list', async () => {
    const seen: string[] = [];
    const url = await answering(200, { data: [{ id: 'there' }] }, seen);
    const model = (name: string) => ({ provider: 'openai', model: name, baseUrl: `${url}/v1` });
    const config = { models: [model('there'), model('gone')] };
    expect((await doctor(config)).line('models')).toEqual([
      'ok    models: 2 configured, not asked (--ask-models asks them)',
    ]);
    expect(seen).toEqual([]);
    const { code, line } = await doctor(config, ['--ask-models']);
    expect(line('model: ')).toEqual([
      'ok    model: openai/there: the key is good, and the model is there',
      'WARN  model: openai/gone: the key is good, and the model is not in its list. Fix: look at models.1.model',
    ]);
    expect(seen).toEqual(['/v1/models', '/v1/models']);
    expect(code).toBe(0);
  });

  it('follows nobody elsewhere, with a key or without', async () => {
    const elsewhere: string[] = [];
    const trap = await answering(200, { data: [{ id: 'm' }], status: 'ok' }, elsewhere);
    const door = createServer((request, response) =>
      response.writeHead(307, { location: `${trap}${request.url}` }).end(),
    );
    servers.push(door);
    const url = `http://${await listen(door)}`;
    const { line } = await doctor(
      {
        sources: {
          pd: { type: 'pagerduty', secrets: ['0123456789abcdef01'], api: { token: TOKEN, from: 'a@example.com', url } },
        },
        models: [
          { provider: 'openai', model: 'm', apiKey: KEY, baseUrl: `${url}/v1` },
          { provider: 'anthropic', model: 'm', apiKey: KEY, baseUrl: url },
        ],
      },
      ['--ask-models'],
    );
    expect(line('pagerduty: pd')[0]).toContain('it answers 307');
    for (const name of ['openai', 'anthropic']) expect(line(`model: ${name}/m`)[0]).toContain('it answers 307');
    expect(elsewhere).toEqual([]);
  });

  it('waits five seconds for whoever does not answer, and for all of them at once', async () => {
    const silent = await answering(0, null);
    const account = {
      type: 'pagerduty',
      secrets: ['0123456789abcdef01'],
      api: { token: TOKEN, from: 'a@example.com', url: silent },
    };
    const { code, line, seconds } = await doctor({ sources: { one: account, two: account } });
    for (const name of ['one', 'two'])
      expect(line(`pagerduty: ${name}`)[0]).toMatch(new RegExp(`^FAIL {2}pagerduty: ${name}: no answer within 5 s`));
    expect(seconds).toBeLessThan(10);
    expect(code).toBe(1);
  });

  it('says which toolset does not start or answer, and which does', async () => {
    const prometheus = await answering(200, { status: 'success', data: { groups: [], alerts: [] } });
    const { code, line, said } = await doctor({
      toolsets: {
        alive: { uses: 'prometheus', url: prometheus, match: ['env="a"'] },
        dead: { uses: 'prometheus', url: nobody, match: ['env="b"'] },
      },
    });
    expect(line('tools: alive'), said).toEqual([
      expect.stringMatching(/^ok {4}tools: alive: \d+ tool\(s\); prometheus\.alerts answers$/),
    ]);
    expect(line('tools: dead')[0]).toMatch(/^FAIL {2}tools: dead: prometheus\.alerts: .*Fix: look at toolsets\.dead/);
    expect(code).toBe(1);
  });

  it('says which repository of runbooks cannot be reached, and which has no such branch', async () => {
    const there = join(directory.path, 'there');
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', there, '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args]);
    mkdirSync(there);
    git('init', '--quiet', '--initial-branch=main');
    git('commit', '--quiet', '--allow-empty', '-m', 'x');
    const { code, line } = await doctor({
      runbooks: [
        { git: `file://${there}`, name: 'one' },
        { git: `file://${there}`, ref: 'nowhere', name: 'two' },
        { git: `file://${directory.path}/gone`, name: 'three' },
      ],
    });
    expect(line('runbooks')).toEqual([
      `ok    runbooks: file://${there} has main`,
      expect.stringMatching(/^FAIL {2}runbooks: .*there has no nowhere\. Fix: /),
      expect.stringMatching(/^FAIL {2}runbooks: fatal: .*gone.*Fix: see that the repository is there/),
    ]);
    expect(code).toBe(1);
  });

  it('prints JSON', async () => {
    const { out } = await doctor({}, ['--json']);
    const findings = JSON.parse(out.join('\n')) as Finding[];
    expect(findings.length).toBeGreaterThan(4);
    for (const one of findings) expect(Object.keys(one)).toEqual(['check', 'status', 'what', 'fix']);
  });
});

describe('against Slack', () => {
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = await startWorkspace();
  });
  afterAll(() => workspace.stop());

  const run = (change: object = {}) =>
    doctor({
      slack: {
        botToken: workspace.botToken,
        channel: workspace.channel,
        apiUrl: workspace.apiUrl,
        signingSecret: SECRET,
        ...change,
      },
      people: [{ name: 'ana', slack: `${TEAM}/${workspace.users.ana}` }],
    });

  it('says whether the token, the scopes and the channel are in order, and posts nothing', async () => {
    const good = await run();
    expect(good.line('slack: ').every((one) => one.startsWith('ok'))).toBe(true);
    expect(good.line('slack: scopes')).toEqual(['ok    slack: scopes: all that are needed']);
    expect(good.code).toBe(0);
    workspace.scopes = Object.keys(BOT_SCOPES).filter((scope) => scope !== 'channels:history');
    const less = await run();
    expect(less.line('slack: scopes')[0]).toMatch(
      /^FAIL {2}slack: scopes: without channels:history .*Fix: add the missing scopes/,
    );
    const wrong = await run({ botToken: 'xoxb-' + 'something-else' });
    expect(wrong.line('slack: bot token')[0]).toMatch(
      /^FAIL {2}slack: bot token: invalid_auth. Fix: copy the Bot User OAuth Token/,
    );
    expect(wrong.said).not.toContain('something-else');
    expect(workspace.calls.map(({ method }) => method)).not.toContain('chat.postMessage');
  });

  it('says whether the public address leads here', async () => {
    const ours = await answering(200, { status: 'ok' });
    const other = await answering(200, { hello: 'world' });
    expect((await run({ publicUrl: ours })).line('public address')).toEqual([
      `ok    public address: ${ours}/healthz answers`,
    ]);
    expect((await run({ publicUrl: other })).line('public address')[0]).toMatch(
      /^FAIL {2}public address: .* answers 200, and not as Nightshift does/,
    );
    expect((await run({ publicUrl: nobody })).line('public address')[0]).toMatch(
      /^FAIL {2}public address: .*Fix: see that the proxy or tunnel/,
    );
  });
});

describe.each(databases)('beside a running Nightshift on $name', ({ name }) => {
  let nightshift: TestNightshift;
  beforeAll(async () => {
    nightshift = await startNightshift({ database: name });
    chmodSync(nightshift.dataDir, 0o700);
  });
  afterAll(() => nightshift.stop());

  it('sees the server, its clock and its database, whoever may open that', async () => {
    const env: Record<string, string> = nightshift.databaseUrl ? { DATABASE_URL: nightshift.databaseUrl } : {};
    const { code, line, said } = await doctor({}, [], env, nightshift.dataDir);
    expect(line('server'), said).toEqual([`ok    server: runs at ${nightshift.app.url} and is ready`]);
    expect(line('clock of the server')).toEqual(['ok    clock of the server: agrees with this machine']);
    expect(line('database')[0]).toMatch(name === 'embedded' ? /embedded Postgres 1\d/ : /Postgres 1\d/);
    expect(line('incidents')).toEqual(['ok    incidents: every open one is worked on or waits for something']);
    expect(code).toBe(0);
  });

  it('is shown to administrators only', async () => {
    const made = await nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
    expect((await nightshift.api('/doctor', undefined, made.body.secret)).status).toBe(403);
    expect((await nightshift.api('/doctor')).status).toBe(200);
  });
});

describe.runIf(databases.length > 1)('on a served Postgres', () => {
  it('that is empty, says to start Nightshift on it once', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    try {
      const { line } = await doctor({}, [], { DATABASE_URL: url });
      expect(line('migrations')[0]).toMatch(
        /^WARN {2}migrations: Nightshift has nothing in it yet. Fix: start Nightshift on it once/,
      );
      expect(line('extensions')).toEqual([
        expect.stringMatching(
          /^WARN {2}extensions: vector is missing\. Fix: start Nightshift on it once, or let a superuser run: create extension vector$/,
        ),
        expect.stringMatching(/^WARN {2}extensions: pg_trgm is missing/),
      ]);
    } finally {
      await drop();
    }
  });
});
