import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../errors.ts';

const run = promisify(execFile);

const LOOK_MS_MAX = 5000;
const FETCH_MS_MAX = 60_000;
const OUTPUT_BYTES_MAX = 32 * 1024 * 1024;
/** What reaching a remote may take from our environment: the way out, the certificates and the keys. */
const NETWORK_VARIABLES = [
  'SSH_AUTH_SOCK',
  'SSL_CERT_FILE',
  'GIT_SSL_CAINFO',
  ...['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [name, name.toUpperCase()]),
];

/**
 * Asks git about a folder, without any program that the folder's configuration may name and without the network; gives what it printed.
 * @throws Error with git's own `stderr` when it fails or takes more than 5 seconds.
 */
export async function git(folder: string, args: readonly string[]): Promise<string> {
  return runGit(
    folder,
    ['--literal-pathspecs', '-c', 'log.showSignature=false', ...args],
    { timeout: LOOK_MS_MAX, killSignal: 'SIGKILL' },
    {
      GIT_NO_LAZY_FETCH: '1',
      GIT_ALLOW_PROTOCOL: '',
    },
  );
}

/**
 * Has git work in a clone of ours, where it may reach the clone's remote by https, ssh or file. Nothing that comes from there runs:
 * no hooks, no submodules, no filters, no links; nobody is asked for a password. `signal` gives up sooner.
 * @throws Error in git's words without what stands for a password in URLs, when it fails or takes more than a minute.
 */
export async function gitRemote(clone: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const safe = ['core.hooksPath=/dev/null', 'core.symlinks=false', 'core.fsmonitor=false', 'submodule.recurse=false'];
  const network = NETWORK_VARIABLES.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  try {
    const env = {
      ...Object.fromEntries(network),
      // Where the clone is broken, git would look for another repository above it, and find the operator's own.
      GIT_DIR: join(clone, '.git'),
      GIT_ALLOW_PROTOCOL: 'https:ssh:file',
      GIT_ASKPASS: 'true',
      GIT_SSH_COMMAND: 'ssh -oBatchMode=yes',
    };
    // Asked to end, git takes its locks away first.
    const how = { timeout: FETCH_MS_MAX, killSignal: 'SIGTERM', ...(signal ? { signal } : {}) } as const;
    return await runGit(clone, [...safe.flatMap((one) => ['-c', one]), ...args], how, env);
  } catch (error) {
    const { stderr = '', killed = false } = error as { stderr?: string; killed?: boolean };
    const lines = stderr.split('\n').filter((line) => line.trim() !== '');
    const telling = lines.filter((line) => /^(?:fatal|error): /.test(line));
    const said = (telling.length > 0 ? telling : lines.slice(-1)).join('; ') || messageOf(error);
    throw new Error(withoutCredentials(killed ? `no answer within ${FETCH_MS_MAX / 1000} s` : said));
  }
}

async function runGit(
  folder: string,
  args: readonly string[],
  how: { readonly timeout: number; readonly killSignal: NodeJS.Signals; readonly signal?: AbortSignal },
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const { PATH = '', HOME = '' } = process.env;
  const fixed = { LC_ALL: 'C', GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0', GIT_NO_REPLACE_OBJECTS: '1' };
  const { stdout } = await run('git', ['-C', folder, ...args], {
    env: { PATH, HOME, ...fixed, ...env },
    ...how,
    maxBuffer: OUTPUT_BYTES_MAX,
    encoding: 'utf8',
  });
  return stdout;
}

/** Takes user names and passwords out of every URL in a text. */
export function withoutCredentials(text: string): string {
  // A password may hold an @ itself: the last one counts.
  return text.replace(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/]*@/gi, '$1');
}

/** Tells whether a folder, given by its real path, lies in a git work tree. */
export function isInGit(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return true;
    if (dirname(at) === at) return false;
  }
}

/** Gives the real path of the work tree that a folder lies in. @throws Error where git cannot tell. */
export async function topOf(folder: string): Promise<string> {
  return realpath((await git(folder, ['rev-parse', '--show-toplevel'])).replace(/\n$/, ''));
}
