import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Database } from '../database/index.ts';
import { messageOf, type Problem } from '../errors.ts';
import { type Chunk, chunkMarkdown } from './chunk.ts';
import type { Embedder } from './embed.ts';
import { findRunbookFiles } from './find-files.ts';
import { splitFrontMatter } from './front-matter.ts';
import { parseRunbook, type Runbook, sha256Of } from './runbook.ts';
import { deleteRunbook, type IndexedChunk, listIndexed, writeRunbook } from './store.ts';

/** Counts up whenever parsing, chunking or terms change, so that an upgrade indexes everything anew. */
const FORMAT = 1;

/** What a synchronisation did; paths as they are known, problems of every file that has any. */
export interface Sync {
  readonly added: string[];
  readonly changed: string[];
  readonly removed: string[];
  readonly unchanged: number;
  readonly problems: { readonly path: string; readonly problems: readonly Problem[] }[];
}

/** Names what made an index entry; entries of another make are not compared with a query's vector. */
export function indexerOf(embedder: Embedder): string {
  return `${embedder.id}/${FORMAT}`;
}

/**
 * Makes the index the same as the folders: what is new or changed is read and embedded, what is gone is removed, and each
 * file is one transaction, so that a search meanwhile finds it either as it was or as it is.
 * @throws NightshiftError `invalid_config` naming a folder that is missing; nothing has been changed then.
 */
export async function syncRunbooks(
  db: Database,
  { folders, embedder }: { folders: readonly string[]; embedder: Embedder },
): Promise<Sync> {
  const { found, leftOut } = await findRunbookFiles(folders);
  const indexer = indexerOf(embedder);
  const before = new Map((await listIndexed(db)).map((indexed) => [indexed.path, indexed]));
  const sync = {
    added: [] as string[],
    changed: [] as string[],
    removed: [] as string[],
    unchanged: 0,
    problems: [...leftOut],
  };
  for (const { path, file } of found) {
    const known = before.get(path);
    let text: string;
    try {
      text = await readFile(file, 'utf8');
    } catch (error) {
      sync.problems.push({
        path,
        problems: [{ field: 'file', message: messageOf(error), fix: 'let Nightshift read it' }],
      });
      continue;
    }
    before.delete(path);
    if (known?.indexer === indexer && known.sha256 === sha256Of(text)) {
      sync.unchanged += 1;
      if (known.problems.length > 0) sync.problems.push({ path, problems: known.problems });
      continue;
    }
    const runbook = parseRunbook(path, text);
    await writeRunbook(db, runbook, indexer, await embedChunks(runbook, chunksOf(runbook, text), embedder));
    sync[known ? 'changed' : 'added'].push(path);
    if (runbook.problems.length > 0) sync.problems.push({ path, problems: runbook.problems });
  }
  for (const path of before.keys()) {
    await deleteRunbook(db, path);
    sync.removed.push(path);
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

async function embedChunks(
  { path, title, service }: Runbook,
  chunks: readonly Chunk[],
  embedder: Embedder,
): Promise<IndexedChunk[]> {
  const heading = [title, basename(path).replace(/\.md$/i, ''), service ?? ''].join('\n');
  const vectors = await embedder.embed(
    chunks.map(({ breadcrumb, content }) => [heading, breadcrumb, content].join('\n')),
  );
  return chunks.map((chunk, index) => ({ ...chunk, heading, vector: vectors[index] ?? [] }));
}
