import { createHash } from 'node:crypto';
import { realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import type { Database } from '../database/index.ts';
import { git, isInGit, topOf, withoutCredentials } from './git.ts';

/** Where exactly the text of a runbook stands, as far as git knows; all null outside git. */
export interface Origin {
  /** URL of the repository without credentials, or null where it has no remote. */
  readonly repository: string | null;
  /** The commit that HEAD was, where its file equals the indexed one; null where it differs or was never committed. */
  readonly commit: string | null;
  /** Path inside the repository. */
  readonly repositoryPath: string | null;
}

const NOWHERE: Origin = { repository: null, commit: null, repositoryPath: null };

interface WorkTree {
  readonly folder: string;
  readonly top: string;
  readonly repository: string | null;
  readonly head: string | null;
  /** Ids of the committed blobs below the folder by their paths in the repository. */
  readonly blobs: ReadonlyMap<string, string>;
}

/** What git knows about the files of some folders, as their commits are now. */
export interface Origins {
  /** Gives what git calls these bytes, or would call them where the file is in no repository. */
  idOf(file: string, bytes: Uint8Array): string;
  /** Gives where a file comes from, by its real path and the id of its bytes. */
  originOf(file: string, id: string): Origin;
}

/**
 * Reads the commits that the folders stand at. What git cannot tell is null; nothing is thrown. A file counts as committed by the
 * same measure as for its pin: byte by byte.
 */
export async function readOrigins(folders: readonly string[]): Promise<Origins> {
  const trees = (await Promise.all(folders.map((folder) => workTreeOf(folder).catch(() => null)))).filter(
    (tree) => tree !== null,
  );
  const treeOf = (file: string) => trees.find(({ folder }) => file.startsWith(folder + sep));
  return {
    idOf: (file, bytes) => blobId(bytes, treeOf(file)?.head?.length ?? 40),
    originOf: (file, id) => {
      const tree = treeOf(file);
      if (!tree) return NOWHERE;
      const repositoryPath = relative(tree.top, file).replaceAll(sep, '/');
      const isCommitted = tree.head !== null && tree.blobs.get(repositoryPath) === id;
      return { repository: tree.repository, commit: isCommitted ? tree.head : null, repositoryPath };
    },
  };
}

async function workTreeOf(named: string): Promise<WorkTree | null> {
  const folder = await realpath(named);
  if (!isInGit(folder)) return null;
  const top = await topOf(folder);
  const ask = (...args: string[]) =>
    git(top, args).then(
      (said) => said.replace(/\n$/, ''),
      () => null,
    );
  const head = await ask('rev-parse', '--verify', 'HEAD^{commit}');
  const url = await ask('config', '--get', 'remote.origin.url');
  const below = relative(top, folder).replaceAll(sep, '/');
  const listed = head ? await ask('ls-tree', '-r', '-z', '--full-tree', head, ...(below ? [`${below}/`] : [])) : null;
  const blobs = new Map<string, string>();
  for (const entry of (listed ?? '').split('\0')) {
    const [, id, path] = /^\d+ blob ([0-9a-f]+)\t(.+)$/s.exec(entry) ?? [];
    if (id !== undefined && path !== undefined) blobs.set(path, id);
  }
  return { folder, top, repository: url ? withoutCredentials(url) : null, head, blobs };
}

/** @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects (a blob's id; 64 digits long where the repository uses SHA-256) */
function blobId(bytes: Uint8Array, digits: number): string {
  return createHash(digits === 64 ? 'sha256' : 'sha1')
    .update(`blob ${bytes.length}\0`)
    .update(bytes)
    .digest('hex');
}

/** Gives, for each folder, what changes whenever its work tree is put to another commit; reads a few file times and asks no git. */
export async function readHeads(folders: readonly string[]): Promise<string[]> {
  return Promise.all(
    folders.map(async (named) => {
      const folder = await realpath(named).catch(() => null);
      if (folder === null) return 'away';
      for (let at = folder; ; at = dirname(at)) {
        const names = ['.git', '.git/HEAD', '.git/logs/HEAD'];
        const [entry, ...heads] = await Promise.all(names.map((name) => stat(join(at, name)).catch(() => null)));
        if (entry) return heads.map((head) => (head ? `${head.ino} ${head.ctimeMs}` : '')).join(' ');
        if (dirname(at) === at) return '';
      }
    }),
  );
}

/** Records where an indexed runbook comes from. */
export async function setOrigin(db: Database, path: string, origin: Origin): Promise<void> {
  await db.q
    .updateTable('runbook')
    .set({ repository: origin.repository, git_commit: origin.commit, repository_path: origin.repositoryPath })
    .where('path', '=', path)
    .execute();
}

/** Gives where the indexed runbooks come from, by their paths. */
export async function originsOf(db: Database): Promise<Map<string, Origin>> {
  const rows = await db.q
    .selectFrom('runbook')
    .select(['path', 'repository', 'git_commit', 'repository_path'])
    .execute();
  return new Map(
    rows.map(({ path, repository, git_commit: commit, repository_path: repositoryPath }) => [
      path,
      { repository, commit, repositoryPath },
    ]),
  );
}

/** Tells whether two origins are the same. */
export function isSameOrigin(a: Origin, b: Origin): boolean {
  return a.repository === b.repository && a.commit === b.commit && a.repositoryPath === b.repositoryPath;
}

/** Writes the place that a citation opens, for example `shop/down.md:12-30 @ 1a2b3c4`; without the commit where none holds it. */
export function citeLines(
  { path, startLine, endLine }: { readonly path: string; readonly startLine: number; readonly endLine: number },
  { commit }: Pick<Origin, 'commit'>,
): string {
  return `${path}:${startLine}-${endLine}${commit ? ` @ ${commit.slice(0, 7)}` : ''}`;
}
