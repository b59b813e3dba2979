/** deploy/compose: read by the real docker compose, promtool and amtool, and by Nightshift; its parts name each other as they are there. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { loadConfig } from '../../src/cli/index.ts';
import { scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly logging?: { readonly options: object };
  readonly ports?: readonly { readonly host_ip: string; readonly target: number }[];
  readonly secrets?: readonly { readonly source: string; readonly target: string }[];
  readonly volumes?: readonly {
    readonly type: string;
    readonly source: string;
    readonly target: string;
    readonly read_only?: boolean;
  }[];
}

const skip = requireParts('deploy/compose', 'compose', 'prometheus', 'alertmanager');
describe.skipIf(skip)('deploy/compose', () => {
  const scratch = scratchDirectory();
  const folder = join(scratch.path, 'deploy/compose');
  const read = (name: string) => readFileSync(join(folder, name), 'utf8');
  let services: Readonly<Record<string, Service>>;

  beforeAll(() => {
    const root = join(import.meta.dirname, '../..');
    for (const name of ['compose', 'prometheus', 'docker'])
      cpSync(join(root, 'deploy', name), join(scratch.path, 'deploy', name), {
        recursive: true,
        filter: (path) => !path.endsWith('/secrets'),
      });
    execFileSync(join(folder, 'set-up'));
    const said = execFileSync(process.env.NIGHTSHIFT_TEST_COMPOSE ?? '', ['config', '--format', 'json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    ({ services } = JSON.parse(said) as { services: typeof services });
  });
  afterAll(scratch.remove);

  const containers = () => Object.entries(services);
  const mounts = (service: string) =>
    (services[service]?.secrets ?? []).map(({ target }) =>
      target.startsWith('/') ? target : `/run/secrets/${target}`,
    );

  it('starts Nightshift, Postgres with pgvector, Prometheus and Alertmanager, of one version each', () => {
    expect(Object.keys(services).sort()).toEqual(['alertmanager', 'nightshift', 'postgres', 'prometheus']);
    for (const [name, { image }] of containers()) expect(image, name).toMatch(/:v?\d+\.\d+\.\d+(?:-[\w.]+)?$/);
    expect(services.postgres?.image).toMatch(/^pgvector\/pgvector:/);
    const { context = '', dockerfile = '' } = services.nightshift?.build ?? {};
    expect(existsSync(join(context, dockerfile))).toBe(true);
  });

  it('lets no container write to itself, gain rights, be root, fill the disk with its log, or be reached from elsewhere', () => {
    for (const [name, service] of containers()) {
      expect(service, name).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        logging: { options: { 'max-size': '10m', 'max-file': '5' } },
      });
      expect(service.privileged, name).toBeFalsy();
      // Nightshift's image says by itself that it is nobody.
      if (name !== 'nightshift') expect(service.user, name).toMatch(/^[1-9]\d*:[1-9]\d*$/);
      for (const { host_ip, target } of service.ports ?? []) expect(host_ip, `${name} ${target}`).toBe('127.0.0.1');
    }
    expect(services.postgres?.ports).toBeUndefined();
  });

  it('mounts what exists, and nothing of this host that can be written to', () => {
    for (const [name, { volumes = [] }] of containers())
      for (const { type, source, target, read_only } of volumes.filter((one) => one.type === 'bind'))
        expect({ type, exists: existsSync(source), read_only }, `${name} ${target}`).toEqual({
          type,
          exists: true,
          read_only: true,
        });
  });

  it('has secrets of its own that only the owner of the folder can reach, which stay when it is set up again', () => {
    const secrets = () =>
      Object.fromEntries(readdirSync(join(folder, 'secrets')).map((name) => [name, read(`secrets/${name}`)]));
    const before = secrets();
    expect(Object.keys(before).sort()).toEqual(['alertmanager-token', 'database-url', 'postgres-password']);
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700);
    expect(before['alertmanager-token']).toMatch(/^[0-9a-f]{64}\n$/);
    expect(before['alertmanager-token']).not.toBe(before['postgres-password']);
    expect(before['database-url']).toBe(
      `postgres://nightshift:${before['postgres-password']?.trim()}@postgres:5432/nightshift\n`,
    );
    execFileSync(join(folder, 'set-up'));
    expect(secrets()).toEqual(before);
    // They are files; nothing of them stands in what `docker inspect` shows.
    const environment = JSON.stringify(containers().map(([, { environment }]) => environment));
    for (const secret of Object.values(before)) expect(environment).not.toContain(secret.trim());
    for (const [name, value] of containers().flatMap(([, { environment = {} }]) => Object.entries(environment)))
      if (/_FILE$/.test(name)) expect(Object.keys(services).flatMap(mounts), name).toContain(value);
  });

  it('has configurations that promtool, amtool and Nightshift take', () => {
    // In the container the rules are beside it.
    cpSync(join(scratch.path, 'deploy/prometheus/nightshift-rules.yaml'), join(folder, 'nightshift-rules.yaml'));
    expect(
      execFileSync('promtool', ['check', 'config', join(folder, 'prometheus.yaml')], { encoding: 'utf8' }),
    ).toContain('SUCCESS: 2 rule files found');
    expect(execFileSync('amtool', ['check-config', join(folder, 'alertmanager.yaml')], { encoding: 'utf8' })).toContain(
      'SUCCESS',
    );
    const env = {
      NIGHTSHIFT_CONFIG: join(folder, 'nightshift.yaml'),
      DATABASE_URL_FILE: join(folder, 'secrets/database-url'),
      ALERTMANAGER_TOKEN_FILE: join(folder, 'secrets/alertmanager-token'),
    };
    expect(Object.keys(services.nightshift?.environment ?? {}).sort()).toEqual([
      'ALERTMANAGER_TOKEN_FILE',
      'DATABASE_URL_FILE',
    ]);
    const { mode, databaseUrl } = loadConfig({ env, directory: folder });
    expect({ mode, databaseUrl }).toEqual({ mode: 'observe', databaseUrl: read('secrets/database-url').trim() });
  });

  it('is wired: every address is a service and its port, and Alertmanager has the token that Nightshift takes', () => {
    const ports: Readonly<Record<string, number>> = {
      nightshift: 8642,
      postgres: 5432,
      prometheus: 9090,
      alertmanager: 9093,
    };
    const texts = ['prometheus.yaml', 'alertmanager.yaml', 'nightshift.yaml', 'secrets/database-url'].map((name) => ({
      name,
      text: read(name),
    }));
    const found = texts.flatMap(({ name, text }) =>
      [...text.matchAll(/(?:@|\/\/|')([a-z]+):(\d{4,5})\b/g)].map(([, host = '', port]) => ({
        name,
        host,
        port: Number(port),
      })),
    );
    for (const { name, host, port } of found)
      expect(host === 'localhost' ? 9090 : ports[host], `${name}: ${host}`).toBe(port);
    const hostsOf = (file: string) => new Set(found.filter(({ name }) => name === file).map(({ host }) => host));
    expect(hostsOf('prometheus.yaml')).toEqual(new Set(['alertmanager', 'nightshift', 'localhost']));
    expect(hostsOf('alertmanager.yaml')).toEqual(new Set(['nightshift']));
    expect(hostsOf('nightshift.yaml')).toEqual(new Set(['alertmanager', 'prometheus']));
    const { receivers } = parse(read('alertmanager.yaml')) as {
      receivers: { webhook_configs: { url: string; http_config: { authorization: { credentials_file: string } } }[] }[];
    };
    const [webhook] = receivers.flatMap(({ webhook_configs }) => webhook_configs);
    expect(webhook?.url).toBe('http://nightshift:8642/webhooks/alertmanager');
    expect(mounts('alertmanager')).toEqual([webhook?.http_config.authorization.credentials_file]);
    expect(mounts('nightshift')).toContain(webhook?.http_config.authorization.credentials_file);
  });
});
