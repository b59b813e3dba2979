import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, scratchDirectory, startProgram } from './program.ts';

export interface Supervisord {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly directory: string;
  readonly stop: () => Promise<void>;
}

/** Starts supervisord on a free loopback port with these `[program:…]` sections; they may use its own directory as DIRECTORY. */
export async function startSupervisord(programs: string, { rpc = true } = {}): Promise<Supervisord> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const [username, password] = ['nightshift', 'pass:word €'];
  const file = join(directory, 'supervisord.conf');
  const rpcSection = '[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n';
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

${rpc ? rpcSection : ''}
${programs.replaceAll('DIRECTORY', directory)}`,
  );
  const program = startProgram('supervisord', ['-c', file], directory);
  const url = `http://127.0.0.1:${port}`;
  await eventually(`supervisord answers: ${program.output()}`, async () => (await fetch(url)).status || undefined);
  return {
    url,
    username,
    password,
    directory,
    stop: async () => {
      await program.stop();
      remove();
    },
  };
}
