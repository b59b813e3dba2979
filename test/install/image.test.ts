/** The container image: built without a registry, run read-only as nobody in particular. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerEngine, startDocker } from '../real-parts/docker.ts';
import { eventually, freePort, scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { buildImage } from './image.ts';

const skip = requireParts('the container image', 'docker', 'debootstrap');
describe.skipIf(skip)('the container image', () => {
  const scratch = scratchDirectory();
  let docker: DockerEngine;
  let url: string;

  beforeAll(async () => {
    docker = await startDocker();
    await buildImage(docker, scratch.path);
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    docker.cli(
      ...['run', '--name=one', '--network=host', '--health-interval=2s', ...documentedFlags()],
      ...['--env=NIGHTSHIFT_HOST=127.0.0.1', `--env=NIGHTSHIFT_PORT=${port}`, 'nightshift'],
    );
  });
  afterAll(async () => {
    await docker?.stop();
    scratch.remove();
  });

  const exec = (...args: readonly string[]) => docker.cli('exec', 'one', ...args);
  const answers = () =>
    eventually('it answers', async () => ((await fetch(`${url}/readyz`)).ok ? true : undefined), 120).catch(
      (error: unknown) => {
        throw new Error(`it does not answer; it said: ${docker.cli('logs', '--tail=50', 'one')}`, { cause: error });
      },
    );

  it('says what it is, runs as a number, and holds neither what built it nor a secret', () => {
    const [{ Config: config }] = JSON.parse(docker.cli('inspect', 'nightshift')) as [
      { Config: Record<string, unknown> },
    ];
    expect(config).toMatchObject({
      User: '10001:10001',
      StopSignal: 'SIGTERM',
      Entrypoint: ['nightshift'],
      Cmd: ['start'],
      Healthcheck: expect.anything(),
      Labels: { 'org.opencontainers.image.licenses': 'Apache-2.0' },
      Volumes: { '/var/lib/nightshift': {} },
    });
    expect(JSON.stringify(config.Env)).not.toMatch(/TOKEN|PASSWORD|_KEY|npm_config/i);
    const inside = exec(
      'sh',
      '-c',
      'ls -A / /opt/nightshift /etc/nightshift; ls /opt/nightshift/node_modules; ls -d /etc/lent /src 2>&1 || true',
    );
    expect(inside).toMatch(/cannot access '\/etc\/lent'/);
    expect(inside).not.toMatch(/^(?:test|src|vite|vitest|\.env|\.npmrc)$/m);
  });

  it('serves from a root that nobody can write to, as an account without rights, and is healthy', async () => {
    await answers();
    expect(exec('id', '-u')).toBe('10001');
    expect(() => exec('touch', '/opt/nightshift/x')).toThrow(/Read-only file system/);
    expect(exec('cat', '/proc/1/status')).toMatch(/^CapEff:\s0+$[\s\S]*^NoNewPrivs:\s1$/m);
    await eventually(
      'it is healthy',
      async () => docker.cli('inspect', '--format={{.State.Health.Status}}', 'one') === 'healthy' || undefined,
    );
    expect((await fetch(url, { headers: { accept: 'text/html' } })).status).toBe(200);
    for (const tool of ['git', 'ssh']) expect(exec('sh', '-c', `command -v ${tool}`)).toContain(tool);
  });

  it('takes an alert, ends within 20 s of SIGTERM, and knows it after a start anew', async () => {
    await answers();
    const taken = await fetch(`${url}/webhooks/alertmanager`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${exec('cat', '/var/lib/nightshift/webhook.token')}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        version: '4',
        alerts: [
          { status: 'firing', labels: { alertname: 'Down' }, annotations: {}, startsAt: new Date().toISOString() },
        ],
      }),
    });
    expect(taken.status).toBe(202);
    const stopped = Date.now();
    docker.cli('stop', '--time=20', 'one');
    expect(Date.now() - stopped).toBeLessThan(20_000);
    expect(docker.cli('inspect', '--format={{.State.ExitCode}}', 'one')).toBe('0');
    docker.cli('start', 'one');
    await answers();
    expect(exec('nightshift', 'incidents')).toContain('INC-1');
    expect(exec('nightshift', 'doctor')).not.toContain('FAIL');
  });
});

/** The flags of `docker run` in docs/install.md, but for its name and its port: this Engine has the host's network only. */
function documentedFlags(): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../docs/install.md'), 'utf8');
  const [, flags = ''] = /^docker run ([\s\S]*?) nightshift:\S+$/m.exec(text) ?? [];
  const words = flags
    .replaceAll('\\\n', ' ')
    .replaceAll(/--(?:name|publish) \S+/g, '')
    .trim()
    .split(/\s+/);
  expect(words).toEqual(expect.arrayContaining(['--detach', '--read-only', '--cap-drop', '--volume']));
  return words;
}
