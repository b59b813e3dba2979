import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, scratchDirectory, startProgram } from './program.ts';

export interface Systemd {
  /** What stands before a program so that it runs beside this systemd. */
  readonly enter: readonly string[];
  /** Its XDG_RUNTIME_DIR, for whoever talks to it from outside. */
  readonly runtimeDirectory: string;
  /** Runs `systemctl --user` with these arguments and gives what it wrote. */
  readonly control: (...args: readonly string[]) => string;
  /** Stops it and all its units, and removes its files. */
  readonly stop: () => Promise<void>;
}

/** A manager of user units may not start where no systemd has booted, and wants a hierarchy of groups: it gets both to itself. What it mounts for a unit, that unit sees, and this machine does not. */
const START = `set -e
mount --make-rshared /
mkdir -p /run/systemd
mount -t tmpfs tmpfs /run/systemd
mkdir /run/systemd/system
mount -t tmpfs tmpfs /sys/fs/cgroup
mkdir /sys/fs/cgroup/systemd
mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
own=/sys/fs/cgroup/systemd/$NAME
mkdir "$own"
sh -c 'echo $$ >"$0/cgroup.procs"; exec /lib/systemd/systemd --user --unit=quiet.target --log-target=console' "$own" &
trap 'kill -KILL $!' TERM
wait $! || true
wait $! || true
find "$own" -depth -type d -exec rmdir {} +
`;

/**
 * Starts a systemd that manages units of a user, in a mount namespace of its own: none of this machine's units run, and nothing of this
 * machine is changed. `units` are the texts of its unit files by name; each should have `DefaultDependencies=no`.
 */
export async function startSystemd(units: Readonly<Record<string, string>>): Promise<Systemd> {
  const { path: home, remove } = scratchDirectory();
  const runtimeDirectory = join(home, 'run');
  const unitDirectory = join(home, '.config/systemd/user');
  mkdirSync(runtimeDirectory, { mode: 0o700 });
  mkdirSync(unitDirectory, { recursive: true });
  for (const [name, text] of Object.entries({ 'quiet.target': '[Unit]\nDefaultDependencies=no\n', ...units }))
    writeFileSync(join(unitDirectory, name), text);
  const env = {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: home,
    XDG_RUNTIME_DIR: runtimeDirectory,
    SYSTEMD_UNIT_PATH: unitDirectory,
    NAME: `nightshift-test-${process.pid}`,
  };
  const program = await startProgram('unshare', ['--mount', '--propagation=private', 'sh', '-c', START], {
    directory: home,
    env,
  });
  const enter = ['nsenter', `--target=${program.pid}`, '--mount', 'env', `HOME=${home}`];
  const control = (...args: readonly string[]) => {
    const [command = '', ...rest] = [...enter, 'systemctl', '--user', ...args];
    const { stdout, stderr } = spawnSync(command, rest, { env, encoding: 'utf8', timeout: 20_000 });
    return `${stdout}${stderr}`.trim();
  };
  const stop = async () => {
    // Asked to end, it would start a target that these units do not have.
    control('stop', ...Object.keys(units));
    await program.stop();
    remove();
  };
  try {
    await eventually(
      () => `systemd to listen; it said:\n${program.output()}`,
      async () => (existsSync(join(runtimeDirectory, 'systemd/private')) ? true : undefined),
    );
    await eventually('systemd to answer', async () =>
      control('is-active', 'quiet.target') === 'active' ? true : undefined,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return { enter, runtimeDirectory, control, stop };
}
