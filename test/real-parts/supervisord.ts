import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, scratchDirectory, startProgram } from './program.ts';

/** A program that supervisord runs. */
export interface SupervisedProgram {
  readonly name: string;
  /** The command line; it may use supervisord's own directory as DIRECTORY. */
  readonly command: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly autostart?: boolean;
  /** How long it must run to count as started, in seconds. */
  readonly startSeconds?: number;
}

export interface Supervisord {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly directory: string;
  /** Runs `supervisorctl` with these arguments. */
  readonly control: (...args: string[]) => { code: number | null; output: string };
  /** What a program has written so far, standard error included. */
  readonly log: (name: string) => string;
  /** Stops it and all its programs, and removes its directory. */
  readonly stop: () => Promise<void>;
}

/**
 * Starts supervisord on a free loopback port with these programs, none of which it restarts by itself, or with the text of
 * `[program:…]` sections, which may use its own directory as DIRECTORY.
 */
export async function startSupervisord(
  programs: string | readonly SupervisedProgram[],
  { rpc = true } = {},
): Promise<Supervisord> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const [username, password] = ['nightshift', 'pass:word €'];
  const file = join(directory, 'supervisord.conf');
  const rpcSection = `[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n`;
  const sections = typeof programs === 'string' ? programs : programs.map(sectionOf).join('\n');
  writeFileSync(
    file,
    `[supervisord]
nodaemon=true
logfile=${directory}/supervisord.log
pidfile=${directory}/supervisord.pid
childlogdir=${directory}

[inet_http_server]
port=127.0.0.1:${port}
username=${username}
password=${password}

[supervisorctl]
serverurl=${url}
username=${username}
password=${password}

${rpc ? rpcSection : ''}
${sections.replaceAll('DIRECTORY', directory)}`,
  );
  // Its messages and those of supervisorctl are UTF-8 whatever the machine's locale.
  const env = { ...definedOnly(process.env), LC_ALL: 'C.UTF-8' };
  const program = await startProgram('supervisord', ['-c', file], { directory, env });
  const stop = async () => {
    await program.stop();
    remove();
  };
  try {
    // It says so after it has opened its port.
    await program.waitForLine(/supervisord started with pid/);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url,
    username,
    password,
    directory,
    control: (...args) => {
      const { status, stdout, stderr } = spawnSync('supervisorctl', ['-c', file, ...args], {
        encoding: 'utf8',
        timeout: 30_000,
        env,
      });
      return { code: status, output: `${stdout}${stderr}` };
    },
    log: (name) => readFileSync(join(directory, `${name}.log`), 'utf8'),
    stop,
  };
}

function sectionOf({ name, command, environment = {}, autostart = true, startSeconds = 1 }: SupervisedProgram): string {
  // A percent sign starts one of supervisord's own substitutions, and a value is quoted as a shell would.
  const plain = (text: string) => text.replaceAll('%', '%%');
  const quoted = (text: string) => `"${plain(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  return `[program:${name}]
command=${plain(command)}
environment=${Object.entries(environment)
    .map(([key, value]) => `${key}=${quoted(value)}`)
    .join(',')}
autostart=${autostart}
autorestart=false
startsecs=${startSeconds}
startretries=0
stopwaitsecs=5
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile=DIRECTORY/${name}.log
`;
}

function definedOnly(env: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
