/** The npm package: what is in it, and that its command serves from an empty folder. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually, freePort, type Program, scratchDirectory, startProgram } from '../real-parts/program.ts';
import { type Packed, pack, userEnvironment } from './packed.ts';

const ROOT = join(import.meta.dirname, '../..');
const ALERT = {
  version: '4',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: 'Down', service: 'shop' },
      annotations: {},
      startsAt: new Date().toISOString(),
    },
  ],
};
const SECRETS = join(ROOT, 'deploy/compose/secrets');
const scratch = scratchDirectory();
const folder = join(scratch.path, 'empty');
const env = userEnvironment();
let packed: Packed;

/** Runs a program in the folder as its user does. */
function run(command: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd: folder, env, encoding: 'utf8', timeout: 240_000 });
  return { status, stdout, stderr };
}

/** What the installed package consists of, with the time of each file. */
function installed(): string[] {
  const root = join(folder, 'node_modules/nightshift');
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
}

beforeAll(() => {
  mkdirSync(folder);
  // As deploy/compose/set-up leaves them in a checkout.
  mkdirSync(SECRETS, { recursive: true, mode: 0o700 });
  writeFileSync(join(SECRETS, 'planted'), 'x');
  try {
    packed = pack(scratch.path);
  } finally {
    rmSync(join(SECRETS, 'planted'));
  }
  const { status, stderr } = run('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', packed.path);
  expect(stderr, stderr).not.toMatch(/npm error/);
  expect(status).toBe(0);
});
afterAll(scratch.remove);

describe('the npm package', () => {
  const paths = () => packed.files.map(({ path }) => path);

  it('has all that it runs by and is documented by', () => {
    const wanted = [
      ...[
        'bin/nightshift.mjs',
        'package.json',
        'README.md',
        'LICENSE',
        'CHANGELOG.md',
        'SECURITY.md',
        'docs/install.md',
      ],
      ...[
        'dist/main.js',
        'dist/mcp-tools/serve.js',
        'dist/backup/dump-process.js',
        'dist/evaluation/serve-recorded.js',
      ],
      ...[
        'web/dist/index.html',
        'policies/default.yaml',
        'deploy/systemd/nightshift.service',
        'deploy/compose/compose.yaml',
      ],
      ...readdirSync(join(ROOT, 'migrations')).map((name) => `migrations/${name}`),
      ...readdirSync(join(ROOT, 'prompts')).map((name) => `prompts/${name}`),
      ...readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
        .filter((path) => /\.\w+$/.test(path))
        .map((path) => `dist/${path.replace(/\.ts$/, '.js')}`),
    ];
    expect(wanted.filter((path) => !paths().includes(path))).toEqual([]);
    expect(packed.files.find(({ path }) => path === 'bin/nightshift.mjs')?.mode).toBe(0o755);
  });

  it('has nothing else: no source, tests, recordings, data, maps, keys or settings of a machine', () => {
    const roots = new Set(paths().map((path) => path.split('/')[0]));
    expect([...roots].sort()).toEqual([
      ...['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'bin', 'deploy'],
      ...[
        'dist',
        'docs',
        'mappings',
        'migrations',
        'package.json',
        'policies',
        'prompts',
        'runbooks',
        'specialists',
        'web',
      ],
    ]);
    const foreign = /\.(?:tsx?|map|pem|key|token|log|tgz)$|(?:^|\/)(?:\.|node_modules|test\/)|\.test\.js$/;
    expect(paths().filter((path) => foreign.test(path))).toEqual([]);
    expect(paths().filter((path) => path.includes('/secrets/'))).toEqual([]);
    expect(paths().filter((path) => path.startsWith('web/') && !path.startsWith('web/dist/'))).toEqual([]);
  });

  it('is small: at most 2 MB packed and 6 MB unpacked', () => {
    expect(packed.size).toBeLessThan(2_000_000);
    expect(packed.unpackedSize).toBeLessThan(6_000_000);
  });
});

describe('its command in an empty folder', () => {
  const programs: Program[] = [];
  afterAll(async () => {
    for (const program of programs) await program.stop();
  });

  it('prints its help, with no argument as well', () => {
    expect(run('npx', 'nightshift', '--help')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^ +start /m),
    });
    expect(run('npx', 'nightshift')).toMatchObject({ stderr: expect.stringMatching(/^ +start /m) });
    expect(run('npx', 'nightshift', 'no-such-command').status).toBe(2);
  });

  it('serves the API and the console, takes an alert, backs up, is sound to its doctor, and ends when it is told to', async () => {
    const before = installed();
    const port = await freePort();
    const own = { ...env, NIGHTSHIFT_PORT: String(port) };
    const server = await startProgram('npx', ['nightshift', 'start'], { directory: folder, env: own });
    programs.push(server);
    const url = `http://127.0.0.1:${port}`;
    await server.waitForUrl(`${url}/healthz`, { seconds: 90 });
    await eventually('the welcome', async () => server.output().includes('npx nightshift watch') || undefined);
    expect(server.output()).toContain(`Put your runbooks into ${join(folder, 'runbooks')}`);

    const page = await fetch(url, { headers: { accept: 'text/html' } });
    const html = await page.text();
    expect({ status: page.status, html }).toEqual({ status: 200, html: expect.stringContaining('<div id="root">') });
    const [, script = ''] = /src="(\/[^"]+\.js)"/.exec(html) ?? [];
    expect((await fetch(url + script)).status).toBe(200);

    const token = readFileSync(join(folder, '.nightshift/webhook.token'), 'utf8').trim();
    const taken = await fetch(`${url}/webhooks/alertmanager`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(ALERT),
    });
    expect(taken.status).toBe(202);
    await eventually(
      'the incident',
      async () => run('npx', 'nightshift', 'incidents').stdout.includes('INC-1') || undefined,
    );
    expect(run('npx', 'nightshift', 'backup', 'one.dump.gz')).toMatchObject({ status: 0 });
    const doctor = run('npx', 'nightshift', 'doctor');
    expect(doctor, doctor.stdout).toMatchObject({ status: 0, stdout: expect.not.stringContaining('FAIL') });

    // What npx is told it tells nobody; Nightshift notices that it is gone.
    process.kill(server.pid, 'SIGTERM');
    await eventually('its stop', async () => server.output().includes('"message":"stopped"') || undefined, 25);
    expect(installed()).toEqual(before);
  });

  it('starts the process of a toolset', () => {
    writeFileSync(
      join(folder, 'nightshift.yaml'),
      'policies: [node_modules/nightshift/policies]\nrunbooks: [node_modules/nightshift/runbooks]\ntoolsets:\n  web: { uses: http, allow: ["http://127.0.0.1:9"] }\n',
    );
    try {
      const doctor = run('npx', 'nightshift', 'doctor');
      expect(doctor, doctor.stdout).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ok +.*web/m) });
    } finally {
      rmSync(join(folder, 'nightshift.yaml'));
    }
  });

  it('runs under the Node that it brings where the system has an older one, and says how to get that where no script may run', () => {
    const launcher = join(folder, 'node_modules/nightshift/bin/nightshift.mjs');
    const [major = 0] = run('node', '--version').stdout.replace('v', '').split('.').map(Number);
    expect(run('node', launcher, '--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^ +start /m) });
    expect(run('node', launcher, 'no-such-command').status).toBe(2);
    const brought = join(folder, 'node_modules/node/bin/node');
    rmSync(brought);
    const without = run('node', launcher, '--help');
    if (major < 24) {
      expect(without).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(/ignore-scripts.*\nFix: npm rebuild node/s),
      });
      const [, fix = ''] = /Fix: (npm rebuild[^,]+),/.exec(without.stderr) ?? [];
      const [command = '', ...args] = fix.split(' ');
      expect(run(command, ...args).status).toBe(0);
    } else expect(without.status).toBe(0);
    if (major < 24) expect(existsSync(brought)).toBe(true);
    expect(run('node', launcher, '--help').status).toBe(0);
  });
});
