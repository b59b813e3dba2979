import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { scratchDirectory, startProgram } from './program.ts';

export interface DockerEngine {
  readonly socket: string;
  /** Runs `docker` against this Engine and gives what it wrote. @throws Error with what it wrote where it fails. */
  readonly cli: (...args: readonly string[]) => string;
  /** Starts a container of this name that runs a script of busybox's shell, on the network of the host. */
  readonly run: (name: string, script: string, ...options: readonly string[]) => string;
  /** Removes its containers, stops it and removes its data. */
  readonly stop: () => Promise<void>;
}

/** Starts a Docker Engine of its own, with no network of its own and an image of busybox alone, so that no registry is needed. */
export async function startDocker(): Promise<DockerEngine> {
  const { path: directory, remove } = scratchDirectory();
  const socket = join(directory, 'docker.sock');
  const program = await startProgram(
    'dockerd',
    [
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', `--host=unix://${socket}`],
      ...[`--data-root=${directory}/data`, `--exec-root=${directory}/exec`, `--pidfile=${directory}/docker.pid`],
    ],
    { directory },
  );
  const cli = (...args: readonly string[]) =>
    execFileSync('docker', [`--host=unix://${socket}`, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, DOCKER_CONFIG: directory },
    }).trim();
  const stop = async () => {
    try {
      const left = cli('ps', '--all', '--quiet').split('\n').filter(Boolean);
      if (left.length > 0) cli('rm', '--force', ...left);
    } finally {
      await program.stop();
      unmountBelow(directory);
      remove();
    }
  };
  try {
    await program.waitForLine(/API listen on/, 60);
    const image = join(directory, 'image');
    mkdirSync(join(image, 'bin'), { recursive: true });
    copyFileSync(pathOf('busybox'), join(image, 'bin/busybox'));
    for (const name of ['sh', 'sleep', 'echo']) symlinkSync('busybox', join(image, 'bin', name));
    execFileSync('tar', ['-C', image, '-cf', join(directory, 'image.tar'), '.']);
    cli('import', join(directory, 'image.tar'), 'demo');
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    socket,
    cli,
    run: (name, script, ...options) =>
      cli('run', '--detach', '--network=host', `--name=${name}`, ...options, 'demo', '/bin/sh', '-c', script),
    stop,
  };
}

/** What the Engine left mounted would keep its directory from being removed. */
function unmountBelow(directory: string): void {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounts.reverse()) execFileSync('umount', ['--lazy', path]);
}

function pathOf(name: string): string {
  const found = (process.env.PATH ?? '').split(delimiter).find((folder) => existsSync(join(folder, name)));
  if (!found) throw new Error(`${name} is not on the path`);
  return join(found, name);
}
