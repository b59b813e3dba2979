import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { sql } from 'kysely';
import type { RunbookRemote } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf, type Problem } from '../errors.ts';
import { type Chunk, chunkMarkdown } from './chunk.ts';
import type { Embedder } from './embed.ts';
import { hashOfText, textOfChunk } from './embed-missing.ts';
import { embedderNamed, readServing, type Space, stored } from './embed-space.ts';
import { findRunbookFiles, locate } from './find-files.ts';
import { splitFrontMatter } from './front-matter.ts';
import { withoutCredentials } from './git.ts';
import { isSameOrigin, type Origin, originsOf, readOrigins, setOrigin } from './origin.ts';
import { parseRunbook, type Runbook, sha256Of } from './runbook.ts';
import { deleteRunbook, type Indexed, type IndexedChunk, listIndexed, writeRunbook } from './store.ts';

/** Counts up whenever parsing, chunking or terms change, so that an upgrade indexes everything anew. */
const FORMAT = 2;

/** What a synchronisation did; paths as they are known, problems of every file that has any. */
export interface Sync {
  readonly added: string[];
  readonly changed: string[];
  readonly removed: string[];
  readonly unchanged: number;
  readonly problems: { readonly path: string; readonly problems: readonly Problem[] }[];
  /** Sources that could not be fetched, and folders that are away; what is indexed of them stays. */
  readonly failed: readonly Problem[];
}

export interface SyncOptions {
  readonly folders: readonly string[];
  readonly embedder: Embedder;
  /** Those of the sources of which nothing was ever fetched. */
  readonly unfetched?: readonly RunbookRemote[];
  /** What the same caller's earlier calls read; files that nobody touched since are not read again. */
  readonly memory?: Map<string, Remembered>;
}

/** What a file held when it was read. */
interface Remembered {
  readonly stamp: string;
  readonly sha256: string;
  readonly id: string;
}

/** A file changed so shortly before it was read might change again without getting another time. */
const TICK_MS = 100;

/**
 * Makes the index the same as the folders: what is gone is removed first, what is new or changed is read, and each
 * file is one transaction, so that a search meanwhile finds it either as it was or as it is. May run in several processes at once.
 * Where the vectors that serve are made in this process they are written with the text; a provider is never waited for here.
 * What the index holds of `unfetched` sources and of folders that are away stays there, since nothing is known about them now.
 * @throws NightshiftError `invalid_config` as `findRunbookFiles` does; nothing has been changed then.
 */
export async function syncRunbooks(
  db: Database,
  { folders, embedder, unfetched = [], memory = new Map() }: SyncOptions,
): Promise<Sync> {
  const indexer = `format ${FORMAT}`;
  // Before the folders are listed, so that what another process adds in between is not taken for gone.
  const before = new Map((await listIndexed(db)).map((indexed) => [indexed.path, indexed]));
  const origins = await originsOf(db);
  const { found, leftOut, away } = await findRunbookFiles(folders);
  const { idOf, originOf } = await readOrigins(folders);
  const sync = {
    added: [] as string[],
    changed: [] as string[],
    removed: [] as string[],
    unchanged: 0,
    problems: [...leftOut],
    failed: away.map(({ problem }) => problem),
  };
  const there = new Set(found.map(({ path }) => path));
  const remove = async (path: string) => {
    await deleteRunbook(db, path);
    sync.removed.push(path);
  };
  const mayComeAgain = (path: string): boolean => {
    const place = locate(folders, path);
    if (place && away.some(({ folder }) => folder === place.folder)) return true;
    const remote = place && unfetched.find(({ folder }) => folder === place.folder);
    const origin = origins.get(path);
    // Its name says little: without a folder in front, every path has the name of a single source.
    return (
      remote != null &&
      origin?.repository === withoutCredentials(remote.url) &&
      origin.repositoryPath === posix.join(remote.path ?? '', place?.rest ?? '')
    );
  };
  for (const path of before.keys()) if (!there.has(path) && !mayComeAgain(path)) await remove(path);
  const keep = async (path: string, known: Indexed, origin: Origin) => {
    sync.unchanged += 1;
    if (known.problems.length > 0) sync.problems.push({ path, problems: known.problems });
    // It may have been committed since, or the commit moved on and it did not.
    const stored = origins.get(path);
    if (!stored || !isSameOrigin(stored, origin)) await setOrigin(db, path, origin);
  };
  for (const { path, file, stamp, changedMs } of found) {
    const known = before.get(path);
    const isAsIndexed = (sha256: string) => known?.indexer === indexer && known.sha256 === sha256;
    const remembered = memory.get(file);
    if (known && remembered?.stamp === stamp && isAsIndexed(remembered.sha256)) {
      await keep(path, known, originOf(file, remembered.id));
      continue;
    }
    let bytes: Buffer;
    try {
      bytes = await readFile(file);
    } catch (error) {
      sync.problems.push({
        path,
        problems: [{ field: 'file', message: messageOf(error), fix: 'let Nightshift read it' }],
      });
      if (known) await remove(path);
      continue;
    }
    const text = bytes.toString('utf8');
    const id = idOf(file, bytes);
    const origin = originOf(file, id);
    if (Date.now() - changedMs > TICK_MS) memory.set(file, { stamp, sha256: sha256Of(text), id });
    if (known && isAsIndexed(sha256Of(text))) {
      await keep(path, known, origin);
      continue;
    }
    const runbook = parseRunbook(path, text);
    const space = await readServing(db);
    const chunks = await indexedChunks(runbook, chunksOf(runbook, text), { embedder, space });
    const written = await db.transaction(async () => {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`nightshift runbook ${path}`}, 0))`.execute(db.q);
      // Whoever embedded an older text for longer must not put it over a newer one.
      const now = await readFile(file, 'utf8').catch(() => null);
      if (now !== text) return false;
      await writeRunbook(db, runbook, { indexer, chunks, space });
      await setOrigin(db, path, origin);
      return true;
    });
    if (!written) continue;
    sync[known ? 'changed' : 'added'].push(path);
    if (runbook.problems.length > 0) sync.problems.push({ path, problems: runbook.problems });
  }
  return sync;
}

function chunksOf({ body, title }: Runbook, text: string): Chunk[] {
  const { bodyLine } = splitFrontMatter(text);
  const chunks = chunkMarkdown(body, bodyLine, title);
  // Front matter alone has no passage, but what it declares is found by the runbook's name.
  if (chunks.length > 0 || bodyLine === 1) return chunks;
  return [{ breadcrumb: title, content: title, startLine: 1, endLine: bodyLine - 1 }];
}

async function indexedChunks(
  { path, title, service }: Runbook,
  chunks: readonly Chunk[],
  { embedder, space }: { embedder: Embedder; space: Space },
): Promise<IndexedChunk[]> {
  const texts = chunks.map((chunk) => textOfChunk({ path, title, service, ...chunk }));
  const local = embedderNamed(space.name, embedder);
  const vectors = local?.isLocal ? await local.embed(texts) : null;
  return chunks.map((chunk, index) => ({
    ...chunk,
    textSha256: hashOfText(texts[index] ?? ''),
    vector: vectors && stored(vectors[index] ?? [], space),
  }));
}
