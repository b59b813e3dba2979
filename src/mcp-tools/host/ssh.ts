import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Ended, runProgram } from '../manifest/run.ts';
import { cutShort, toolFailed } from '../tool.ts';
import type { SshSettings } from './settings.ts';

const CONNECT_SECONDS = 5;
const IDLE_SECONDS = 60;
/** What ssh ends with when it is the connection that failed, and not what was run. */
const NO_CONNECTION = 255;
const MESSAGE_MAX = 300;
/** What ssh says before anything was sent to the other side. */
const NEVER_SENT =
  /^ssh: (?:connect to host|Could not resolve)|verification failed|key is known|Permission denied|Load key|kex_exchange/m;

/**
 * Writes one word for a POSIX shell, so that it is that word and nothing else, whatever it holds.
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_02_02
 * @throws NightshiftError `tool_failed` for a NUL character, which no argument of a program can hold.
 */
export function quoteForShell(word: string): string {
  if (word.includes('\0')) throw toolFailed('an argument holds a NUL character');
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** Writes the program that `sh -s` reads: a fixed text as a function, called with words that cannot become a part of it. */
export function shellText(script: string, words: readonly string[]): string {
  const prologue = 'PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin LC_ALL=C\nexport PATH LC_ALL\n';
  return `${prologue}main() {\n${script}\n}\nmain ${words.map(quoteForShell).join(' ')}\n`;
}

/**
 * Runs a fixed shell text with words on another host, over the system's own ssh. The host's key must be known beforehand; nobody is
 * asked anything, and no agent, display or port is passed on. The account's own shell sees only `exec sh -s`, so that it does not
 * matter which one it is.
 * @throws NightshiftError `tool_failed` where the host cannot be reached, is not the one that is known, or does not let us in;
 * OutcomeUnknown where a change (`isChange`) was sent and the connection lost.
 */
export async function runFar(
  ssh: SshSettings,
  { script, words = [], signal, bytesMax, isChange = false }: FarRequest,
): Promise<Ended> {
  const input = shellText(script, words);
  const ended = await runProgram('ssh', [...sshArguments(ssh), 'exec sh -s'], { signal, input, bytesMax, isChange });
  if (ended.status !== NO_CONNECTION) return ended;
  const said = ended.stderr.trim().split('\n').at(-1)?.slice(0, MESSAGE_MAX) ?? '';
  if (isChange && !NEVER_SENT.test(ended.stderr))
    throw cutShort(`the connection to ${ssh.host} was lost (${said || 'ssh gave no reason'})`, isChange);
  throw toolFailed(`cannot work on ${ssh.user}@${ssh.host} by ssh: ${said || 'ssh gave no reason'}`, {
    fix: fixFor(ended.stderr, ssh),
  });
}

interface FarRequest {
  readonly script: string;
  readonly words?: readonly string[];
  readonly signal: AbortSignal;
  readonly bytesMax?: number | undefined;
  readonly isChange?: boolean;
}

function sshArguments({ host, port, user, identityFile, knownHostsFile }: SshSettings): string[] {
  const options = {
    BatchMode: 'yes',
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: knownHostsFile,
    GlobalKnownHostsFile: '/dev/null',
    UpdateHostKeys: 'no',
    IdentityFile: identityFile,
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    PreferredAuthentications: 'publickey',
    ForwardAgent: 'no',
    ForwardX11: 'no',
    ClearAllForwardings: 'yes',
    PermitLocalCommand: 'no',
    EscapeChar: 'none',
    ConnectTimeout: CONNECT_SECONDS,
    ServerAliveInterval: CONNECT_SECONDS,
    ServerAliveCountMax: 2,
    ControlMaster: 'auto',
    ControlPath: join(controlDirectory(), '%C'),
    ControlPersist: IDLE_SECONDS,
    LogLevel: 'ERROR',
  };
  // ssh takes an option's value apart at blanks, and fills in what begins with a percent sign; the path of a socket alone may have one.
  const given = Object.entries(options).flatMap(([name, value]) => [
    '-o',
    `${name}="${name === 'ControlPath' ? value : String(value).replaceAll('%', '%%')}"`,
  ]);
  return ['-F', 'none', '-T', '-p', String(port), '-l', user, ...given, '--', host];
}

let controls: string | null = null;

/** A folder of this process alone, in which connections that are kept for the next call have their sockets. */
function controlDirectory(): string {
  if (controls !== null) return controls;
  const directory = mkdtempSync(join(tmpdir(), 'nightshift-ssh-'));
  controls = directory;
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Ends the connection that is kept for a host, if there is one; otherwise it ends by itself after 60 s without a call. */
export function hangUp(ssh: SshSettings): void {
  spawnSync('ssh', ['-O', 'exit', ...sshArguments(ssh)], { stdio: 'ignore', timeout: 2000 });
  if (controls !== null) rmSync(controls, { recursive: true, force: true });
  controls = null;
}

function fixFor(stderr: string, { user, identityFile, knownHostsFile }: SshSettings): string {
  if (/HOST IDENTIFICATION HAS CHANGED/.test(stderr))
    return `find out why the host has another key than ${knownHostsFile} says; correct it there only when you know that it is the same host`;
  if (/Host key verification failed|host key is known/.test(stderr))
    return `write the host's key, as you know it, into ${knownHostsFile}`;
  if (/Permission denied/.test(stderr)) return `let the key of ${identityFile} in as ${user}, in authorized_keys there`;
  if (/bad permissions|Load key|no such identity/i.test(stderr)) return `check ${identityFile} and who may read it`;
  return 'check that the host runs and lets ssh in from here, and the address in the settings of this toolset';
}
