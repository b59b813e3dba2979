import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { freePort, type Program, scratchDirectory, startProgram } from './program.ts';

export interface Sshd {
  /** What the setting `ssh` of a host toolset needs to get in. */
  readonly ssh: { host: string; port: number; user: string; identityFile: string; knownHostsFile: string };
  /** Makes a file of known hosts: with nothing in it, or with another key for this server. */
  readonly knownHosts: (kind: 'none' | 'another') => string;
  /** Makes a key that this server does not let in. */
  readonly strangersKey: () => string;
  /** How many have logged in so far. */
  readonly logins: () => number;
  readonly stop: () => Promise<void>;
}

/** Starts an sshd on a free loopback port with a host key of its own, which lets in whoever runs this, by a key of its own. */
export async function startSshd(): Promise<Sshd> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const { username: user } = userInfo();
  const key = (name: string) => {
    const path = join(directory, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path]);
    return path;
  };
  const publicKey = (path: string) => readFileSync(`${path}.pub`, 'utf8').split(' ').slice(0, 2).join(' ');
  const known = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  const [hostKey, identityFile] = [key('host-key'), key('identity')];
  known('authorized_keys', `${publicKey(identityFile)}\n`);
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${join(directory, 'authorized_keys')}`,
    `PidFile ${join(directory, 'sshd.pid')}`,
    'AuthenticationMethods publickey',
    'PermitRootLogin prohibit-password',
    'StrictModes no',
    'UsePAM no',
    'LogLevel VERBOSE',
  ];
  const config = known('sshd_config', `${lines.join('\n')}\n`);
  // Where it separates its privileges; the package makes it only where it starts sshd itself.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const program: Program = await startProgram('/usr/sbin/sshd', ['-D', '-e', '-f', config], { directory });
  const stop = async () => {
    await program.stop();
    remove();
  };
  try {
    await program.waitForLine(/Server listening/);
  } catch (error) {
    await stop();
    throw error;
  }
  const at = `[127.0.0.1]:${port}`;
  const knownHostsFile = known('known_hosts', `${at} ${publicKey(hostKey)}\n`);
  return {
    ssh: { host: '127.0.0.1', port, user, identityFile, knownHostsFile },
    knownHosts: (kind) => known(`known_hosts-${kind}`, kind === 'none' ? '' : `${at} ${publicKey(key('another'))}\n`),
    strangersKey: () => key('stranger'),
    logins: () => program.output().match(/Accepted publickey/g)?.length ?? 0,
    stop,
  };
}
