import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { messageOf, NightshiftError, type Problem } from '../errors.ts';

/** A markdown file: the path under which it is known, and where it is. */
export interface FoundFile {
  readonly path: string;
  readonly file: string;
  /** Changes whenever the file is written, replaced or given another time, without its being read. */
  readonly stamp: string;
  /** When that was, in milliseconds since 1970 by the file system's clock. */
  readonly changedMs: number;
}

/** A file that was left out, and why. */
export interface LeftOut {
  readonly path: string;
  readonly problems: readonly Problem[];
}

const FILES_MAX = 20_000;
const FILE_BYTES_MAX = 1_048_576;
const DEPTH_MAX = 32;

interface Walk {
  readonly root: string;
  readonly found: FoundFile[];
  readonly leftOut: LeftOut[];
  readonly visited: Set<string>;
}

/** A folder that is not there, or cannot be read; it may come. */
export interface Away {
  readonly folder: string;
  readonly problem: Problem;
}

/**
 * Finds every .md file in the folders, hidden ones left out. Paths are relative to their folder, with the folder's own name
 * in front where there are several. Links are followed inside their folder only, since whoever may write a link there could
 * otherwise have any file of the machine read. Folders that are `away` are told; `mayAllBeAway` where that is no failure either.
 * @throws NightshiftError `invalid_config` naming every folder that is no folder or shares its name, all of them where every one is away,
 * and one that holds more than 20,000 files.
 */
export async function findRunbookFiles(
  folders: readonly string[],
  { mayAllBeAway = false }: { mayAllBeAway?: boolean } = {},
): Promise<{ found: FoundFile[]; leftOut: LeftOut[]; away: Away[] }> {
  const { roots, away } = await rootsOf(folders);
  if (roots.length === 0 && away.length > 0 && !mayAllBeAway) throw invalid(away.map(({ problem }) => problem));
  const found: FoundFile[] = [];
  const leftOut: LeftOut[] = [];
  for (const { root, prefix } of roots) {
    const walk: Walk = { root, found: [], leftOut: [], visited: new Set() };
    await walkFolder(walk, root, prefix, 0);
    if (walk.found.length > FILES_MAX) {
      throw invalid([
        {
          field: 'runbooks',
          value: root,
          message: `holds more than ${FILES_MAX} runbooks`,
          fix: 'name the folder that holds yours',
        },
      ]);
    }
    found.push(...walk.found);
    leftOut.push(...walk.leftOut);
  }
  return { found, leftOut, away };
}

async function rootsOf(
  folders: readonly string[],
): Promise<{ roots: { root: string; prefix: string }[]; away: Away[] }> {
  const problems: Problem[] = [];
  const away: Away[] = [];
  const roots = new Map<string, string>();
  for (const folder of folders) {
    const problem = (message: string, fix: string) => ({ field: 'runbooks', value: folder, message, fix });
    try {
      const root = await realpath(folder);
      if (!(await stat(root)).isDirectory())
        problems.push(problem('is not a folder', 'name the folder that the file is in'));
      roots.set(root, basename(folder));
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      const message = missing ? 'there is no such folder' : messageOf(error);
      away.push({ folder, problem: problem(message, 'create the folder, or correct `runbooks` in nightshift.yaml') });
    }
  }
  const names = [...roots.values(), ...away.map(({ folder }) => basename(folder))];
  for (const [root, name] of roots) {
    if (names.filter((other) => other === name).length === 1) continue;
    problems.push({
      field: 'runbooks',
      value: root,
      message: `shares its name ${name} with another folder`,
      fix: 'rename one of them, or give a git source another `name`',
    });
  }
  if (problems.length > 0) throw invalid([...away.map(({ problem }) => problem), ...problems]);
  // As they are named and not as they are there, so that a path stays the same while another folder is away.
  const isAlone = roots.size + away.length === 1;
  return { roots: [...roots].map(([root, name]) => ({ root, prefix: isAlone ? '' : `${name}/` })), away };
}

function invalid(problems: readonly Problem[]): NightshiftError {
  const told = problems.map(({ value, message, fix }) => `${value}: ${message}. Fix: ${fix}`).join('\n');
  return new NightshiftError('invalid_config', `the runbooks cannot be read:\n${told}`, { problems });
}

async function walkFolder(walk: Walk, folder: string, prefix: string, depth: number): Promise<void> {
  const leaveOut = (path: string, message: string, fix: string) =>
    walk.leftOut.push({ path, problems: [{ field: 'file', message, fix }] });
  const real = await realpath(folder);
  // A link back up would never end.
  if (walk.visited.has(real)) return;
  walk.visited.add(real);
  let entries: Dirent[];
  try {
    entries = (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    leaveOut(prefix, messageOf(error), 'let Nightshift read this folder');
    return;
  }
  // Kubernetes mounts a ConfigMap's files as links into a hidden folder beside them.
  const shown = entries.filter(
    (entry) => !entry.name.startsWith('.') && (isMarkdown(entry.name) || entry.isDirectory() || entry.isSymbolicLink()),
  );
  // All at once, since this is done several times a second.
  const looks = await Promise.all(
    shown.map(async (entry) => {
      try {
        const place = join(real, entry.name);
        const file = entry.isSymbolicLink() ? await realpath(place) : place;
        return { name: entry.name, file, facts: await stat(file) };
      } catch (error) {
        return { name: entry.name, error };
      }
    }),
  );
  for (const { name, file, facts, error } of looks) {
    if (walk.found.length > FILES_MAX) break;
    const path = `${prefix}${name}`;
    if (file === undefined) leaveOut(path, messageOf(error), 'let Nightshift read it, or remove it');
    else if (file !== walk.root && !file.startsWith(walk.root + sep)) {
      if (isMarkdown(name) || facts.isDirectory())
        leaveOut(path, 'is a link that leaves the folder', 'put a copy in its place');
    } else if (facts.isDirectory()) {
      if (depth < DEPTH_MAX) await walkFolder(walk, join(folder, name), `${path}/`, depth + 1);
      else leaveOut(path, `lies more than ${DEPTH_MAX} folders deep`, 'move it up');
    } else if (isMarkdown(name) && facts.isFile() && !walk.visited.has(file)) {
      walk.visited.add(file);
      const { ino, size, ctimeMs, mtimeMs } = facts;
      if (size <= FILE_BYTES_MAX)
        walk.found.push({ path, file, stamp: `${ino} ${size} ${ctimeMs} ${mtimeMs}`, changedMs: ctimeMs });
      else leaveOut(path, `is ${size} bytes long, more than ${FILE_BYTES_MAX}`, 'split it into several runbooks');
    }
  }
}

function isMarkdown(name: string): boolean {
  return /\.md$/i.test(name);
}

/** Tells which of the folders a path as `findRunbookFiles` writes it lies in, and where in there; null where in none. */
export function locate(folders: readonly string[], path: string): { folder: string; rest: string } | null {
  const [only, ...others] = folders;
  if (only !== undefined && others.length === 0) return { folder: only, rest: path };
  const folder = folders.find((one) => path.startsWith(`${basename(one)}/`));
  return folder === undefined ? null : { folder, rest: path.slice(basename(folder).length + 1) };
}
