import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { RunbookRemote } from '../config/index.ts';
import type { Problem } from '../errors.ts';
import { gitRemote, withoutCredentials } from './git.ts';

// These stand above every .gitattributes of the repository: what lies in the work tree is what was committed, byte by byte.
const ATTRIBUTES = '* -text -eol -ident -filter -working-tree-encoding\n';
/** What git leaves behind when it is killed, and stops at ever after. */
const LOCKS = ['index.lock', 'HEAD.lock', 'config.lock', 'shallow.lock', 'packed-refs.lock'];
/** No work of ours takes so long, so an older lock is nobody's. */
const LOCK_MS_MAX = 120_000;

/**
 * Brings the clone of a repository to the commit that its `ref` is at now, and gives that commit. Old versions of files are not
 * fetched (where the server can leave them out) but all commits are: who changed a runbook last is read from them.
 * @throws Error in git's words, without credentials, or when `signal` gives up; what was there before stays as it was.
 */
export async function fetchRemote(remote: RunbookRemote, signal?: AbortSignal): Promise<string> {
  const { clone, url, ref, path } = remote;
  await mkdir(clone, { recursive: true, mode: 0o700 });
  await removeLocks(clone);
  // Every time: it keeps what is there, and mends a clone whose making was interrupted.
  await gitRemote(clone, ['init', '--quiet', '--template=', '--initial-branch=none'], signal);
  await mkdir(join(clone, '.git', 'info'), { recursive: true });
  await writeFile(join(clone, '.git', 'info', 'attributes'), ATTRIBUTES);
  await gitRemote(clone, ['config', 'remote.origin.url', url], signal);
  const options = ['--quiet', '--force', '--no-tags', '--no-recurse-submodules', '--no-write-commit-graph'];
  await gitRemote(clone, ['fetch', ...options, '--filter=blob:none', 'origin', ref], signal);
  const commit = (await gitRemote(clone, ['rev-parse', '--verify', 'FETCH_HEAD^{commit}'])).trim();
  if (path !== null) {
    const type = await gitRemote(clone, ['cat-file', '-t', `${commit}:${path}`]).catch(() => '');
    if (type.trim() !== 'tree') throw new Error(`there is no folder ${path} at ${ref}`);
  }
  if (commit !== (await commitOf(remote)))
    await gitRemote(clone, ['checkout', '--quiet', '--force', '--detach', commit], signal);
  await linkFolder(remote);
  return commit;
}

/** Asks a repository for its `ref`, and fetches nothing. @throws Error in git's words, without credentials. */
export async function reachRemote(
  { url, ref }: Pick<RunbookRemote, 'url' | 'ref'>,
  signal: AbortSignal,
): Promise<void> {
  const found = await gitRemote(tmpdir(), ['ls-remote', url, ref], signal);
  // A commit is named nowhere.
  if (found === '' && !/^[0-9a-f]{7,64}$/.test(ref)) throw new Error(`${withoutCredentials(url)} has no ${ref}`);
}

async function removeLocks(clone: string): Promise<void> {
  for (const name of LOCKS) {
    const lock = join(clone, '.git', name);
    const there = await stat(lock).catch(() => null);
    if (there && Date.now() - there.mtimeMs > LOCK_MS_MAX) await rm(lock, { force: true });
  }
}

/** Where a fetch that failed says why; beside the clone, which may not be there. */
const failureFile = ({ clone }: RunbookRemote) => `${clone}.failed`;

/** Records why a source could not be fetched, or with null that it was; commands that ask no server read it. */
export async function setFailure(remote: RunbookRemote, why: string | null): Promise<void> {
  if (why === null) return rm(failureFile(remote), { force: true });
  await mkdir(dirname(remote.clone), { recursive: true, mode: 0o700 });
  await writeFile(failureFile(remote), why, { mode: 0o600 });
}

/** How a source stands on this machine. */
export interface SourceState {
  /** Whether there is something of it to read. */
  readonly isFetched: boolean;
  /** Whether somebody has tried to fetch it. */
  readonly isTried: boolean;
  readonly problem: Problem | null;
}

/** Tells how a source stands, from what is on this machine; nobody is asked for it. */
export async function stateOf(remote: RunbookRemote): Promise<SourceState> {
  const isFetched = (await commitOf(remote)) !== null;
  const why = await readFile(failureFile(remote), 'utf8').catch(() => null);
  if (why !== null) return { isFetched, isTried: true, problem: unfetchable(remote, why) };
  if (isFetched) return { isFetched, isTried: true, problem: null };
  const value = withoutCredentials(remote.url);
  const fix = 'run `nightshift runbooks sync`, or start Nightshift where it does not run';
  return { isFetched, isTried: false, problem: { field: 'runbooks', value, message: 'not fetched yet', fix } };
}

/** Tells that a source could not be fetched. */
export function unfetchable({ url, ref, path }: RunbookRemote, why: string): Problem {
  const where = path === null ? '`git` and `ref`' : '`git`, `ref` and `path`';
  return {
    field: 'runbooks',
    value: `${withoutCredentials(url)} at ${ref}`,
    message: `cannot be fetched: ${why}`,
    fix: `correct ${where} of this source in nightshift.yaml, or let git of this machine reach it; what was fetched before goes on being used`,
  };
}

/** Gives the commit that a clone stands at, or null where nothing was ever fetched into it. */
export async function commitOf({ clone }: RunbookRemote): Promise<string | null> {
  if (!existsSync(join(clone, '.git'))) return null;
  return gitRemote(clone, ['rev-parse', '--verify', '--quiet', 'HEAD^{commit}']).then(
    (said) => said.trim() || null,
    () => null,
  );
}

/** Makes the folder of a source be there, empty where nothing was fetched yet, so that the others can be indexed meanwhile. */
export async function linkFolder({ clone, folder, path }: RunbookRemote): Promise<void> {
  const target = join(clone, path ?? '');
  if (!(await stat(target).catch(() => null))) await mkdir(target, { recursive: true, mode: 0o700 });
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  const there = await lstat(folder).catch(() => null);
  if (there?.isSymbolicLink() && (await readlink(folder)) === target) return;
  const fresh = `${folder}.new`;
  await rm(fresh, { force: true });
  await symlink(target, fresh);
  await rename(fresh, folder);
}
