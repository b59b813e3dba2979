/** Builds the container image without a registry: on a bare Debian that is imported, with this machine's way to npm's registry lent to the builder. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DockerEngine } from '../real-parts/docker.ts';
import { startProgram } from '../real-parts/program.ts';
import { userEnvironment } from './packed.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUILD_SECONDS_MAX = 1100;
/** The Debian of scripts/prove-newcomer. */
const DEBIAN = join(process.env.NIGHTSHIFT_CACHE ?? '/var/cache/nightshift', 'newcomer');
const LEFT_OUT = [
  './proc/*',
  './sys/*',
  './dev/*',
  './home/*',
  './tmp/*',
  './run/*',
  './var/cache/apt/*',
  './usr/share/doc/*',
];

/** Imports a Debian with Node and npm as `debian`, and builds this checkout's image on it as `nightshift`. @throws Error with what was said. */
export async function buildImage(docker: DockerEngine, folder: string): Promise<void> {
  await finish('scripts/make-chroot', [DEBIAN, 'trixie', 'ca-certificates', 'git', 'nodejs', 'npm'], ROOT);
  const tar = join(folder, 'debian.tar');
  const excluded = LEFT_OUT.map((path) => `--exclude=${path}`);
  await finish('tar', ['-C', DEBIAN, '--one-file-system', ...excluded, '-cf', tar, '.'], folder);
  await finish('docker', [`--host=unix://${docker.socket}`, 'import', tar, 'debian'], folder);
  rmSync(tar);
  await build(docker, ['-t', 'builder', lend(folder)]);
  const dockerfile = join(ROOT, 'deploy/docker/Dockerfile');
  await build(docker, [
    '-t',
    'nightshift',
    '-f',
    dockerfile,
    '--build-arg',
    'BASE=debian',
    '--build-arg',
    'BUILDER=builder',
    ROOT,
  ]);
}

/** Writes what makes the builder: the settings and authorities by which npm reaches its registry here. */
function lend(folder: string): string {
  const context = join(folder, 'builder');
  mkdirSync(join(context, 'npm'), { recursive: true });
  const settingOf = (name: string) =>
    execFileSync('npm', ['config', 'get', name], {
      cwd: '/',
      env: userEnvironment(),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  for (const kind of ['globalconfig', 'userconfig']) {
    const path = settingOf(kind);
    if (existsSync(path)) cpSync(path, join(context, 'npm', kind));
    else writeFileSync(join(context, 'npm', kind), '');
  }
  const authorities = process.env.NODE_EXTRA_CA_CERTS ?? '/etc/ssl/certs/ca-certificates.crt';
  cpSync(authorities, join(context, 'npm/authorities.crt'), { dereference: true });
  const cafile = settingOf('cafile');
  const lines = [
    'FROM debian',
    'COPY npm /etc/lent',
    ...(cafile === 'null' ? [] : [`RUN mkdir -p $(dirname ${cafile}) && cp /etc/lent/authorities.crt ${cafile}`]),
    'ENV NODE_EXTRA_CA_CERTS=/etc/lent/authorities.crt NPM_CONFIG_GLOBALCONFIG=/etc/lent/globalconfig NPM_CONFIG_USERCONFIG=/etc/lent/userconfig',
  ];
  writeFileSync(join(context, 'Dockerfile'), lines.join('\n'));
  return context;
}

/** The builder of Debian's docker.io, which needs no plugin. Proxies of this machine are known to `docker build` as arguments. */
async function build({ socket }: DockerEngine, args: readonly string[]): Promise<void> {
  const proxies = Object.entries(userEnvironment()).filter(([name]) => /_proxy$/i.test(name));
  const given = proxies.flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);
  await finish('docker', [`--host=unix://${socket}`, 'build', '--network=host', ...given, ...args], ROOT);
}

async function finish(command: string, args: readonly string[], directory: string): Promise<void> {
  const program = await startProgram(command, args, { directory, env: { ...userEnvironment(), DOCKER_BUILDKIT: '0' } });
  const late = setTimeout(() => void program.kill9(), BUILD_SECONDS_MAX * 1000);
  const { code } = await program.exited;
  clearTimeout(late);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${program.output().slice(-6000)}`);
}
