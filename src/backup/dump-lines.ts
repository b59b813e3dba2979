import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { z } from 'zod';
import { NightshiftError } from '../errors.ts';

/** The first line of a dump: what it is, and what may read it. */
export const headerSchema = z.strictObject({
  nightshift: z.literal('dump'),
  format: z.literal(1),
  version: z.string(),
  /** Names of the migrations that its database had, in order. */
  migrations: z.array(z.string()).min(1),
  at: z.iso.datetime(),
  installation: z.uuid(),
  database: z.enum(['embedded', 'postgres']),
});
export type Header = z.infer<typeof headerSchema>;

/** A small file of the data directory; `mode` is its permissions as a number. */
const fileSchema = z.strictObject({ file: z.string(), mode: z.int().min(0).max(0o777), base64: z.base64() });
export type DataFile = z.infer<typeof fileSchema>;

/** A table, whose rows follow: each an array of the database's own text of every column, since JavaScript rounds numbers and times. */
const tableSchema = z.strictObject({
  table: z.string(),
  columns: z.array(z.string()).min(1),
  /** The last number that each column's sequence gave out; null where none was, or where the login may not look. */
  sequences: z.record(
    z.string(),
    z
      .string()
      .regex(/^\d{1,19}$/)
      .nullable(),
  ),
});
export type DumpedTable = z.infer<typeof tableSchema>;

/** The last line: how many rows each table had, and the SHA-256 over all lines before it with their ends. */
const trailerSchema = z.strictObject({ rows: z.record(z.string(), z.int().min(0)), sha256: z.string() });
export type Trailer = z.infer<typeof trailerSchema>;

export type Entry =
  | { readonly kind: 'header'; readonly header: Header }
  | { readonly kind: 'file'; readonly file: DataFile }
  | { readonly kind: 'table'; readonly table: DumpedTable }
  | { readonly kind: 'row'; readonly text: string }
  | { readonly kind: 'trailer'; readonly trailer: Trailer };

export interface DumpWriter {
  /** Writes one line, and waits where the other side is slower. */
  line(text: string): Promise<void>;
  /** Writes the last line and ends the stream. */
  end(rows: Trailer['rows']): Promise<void>;
}

/** Makes what writes the lines of a dump and hashes them. */
export function createDumpWriter(out: Writable): DumpWriter {
  const hash = createHash('sha256');
  const put = async (text: string) => {
    const bytes = Buffer.from(`${text}\n`);
    hash.update(bytes);
    if (out.destroyed) throw out.errored ?? new Error('nobody takes the dump any more');
    if (!out.write(bytes)) await once(out, 'drain');
  };
  return {
    line: put,
    async end(rows) {
      const trailer: Trailer = { rows, sha256: hash.copy().digest('hex') };
      await put(JSON.stringify(trailer));
      out.end();
    },
  };
}

/**
 * Reads a dump entry by entry, and at its end proves that it is whole: nothing is missing, nothing changed, nothing follows. Rows are given as
 * the text that they are. Whoever acts on a dump must have read it to its end.
 * @throws NightshiftError `invalid_backup` where it is truncated, altered, or no dump that this version reads.
 */
export async function* readEntries(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Entry> {
  const hash = createHash('sha256');
  const rows: Record<string, number> = {};
  let [current, trailer]: [string | null, Trailer | null] = [null, null];
  let isFirst = true;
  for await (const line of linesOf(bytes)) {
    if (trailer) throw invalid('something follows its last line');
    const sha256 = hash.copy().digest('hex');
    hash.update(line).update('\n');
    const text = line.toString('utf8');
    if (text.startsWith('[')) {
      if (current === null) throw invalid('a row belongs to no table');
      rows[current] = (rows[current] ?? 0) + 1;
      yield { kind: 'row', text };
      continue;
    }
    const value = parse(text);
    if (isFirst) {
      isFirst = false;
      yield { kind: 'header', header: readHeader(value) };
      continue;
    }
    const file = fileSchema.safeParse(value);
    const table = tableSchema.safeParse(value);
    const last = trailerSchema.safeParse(value);
    if (file.success && current === null) yield { kind: 'file', file: file.data };
    else if (table.success) {
      current = table.data.table;
      if (Object.hasOwn(rows, current)) throw invalid(`the table ${current} is in it twice`);
      rows[current] = 0;
      yield { kind: 'table', table: table.data };
    } else if (last.success) {
      trailer = last.data;
      if (trailer.sha256 !== sha256) throw invalid('it is not what was written: its SHA-256 does not fit');
      if (!isSame(trailer.rows, rows)) throw invalid('it does not hold as many rows as were written');
    } else throw invalid('it holds a line that no dump has');
  }
  if (!trailer) throw invalid('it is truncated: its last line is missing');
  yield { kind: 'trailer', trailer };
}

function readHeader(value: unknown): Header {
  const header = headerSchema.safeParse(value);
  if (header.success) return header.data;
  const { nightshift, format, version } = (value ?? {}) as Record<string, unknown>;
  if (nightshift !== 'dump') throw invalid('it is no backup of Nightshift');
  if (typeof format === 'number' && format > 1)
    throw new NightshiftError(
      'invalid_backup',
      `this backup was made by Nightshift ${String(version)}, whose form this one does not read. Fix: restore it with that version`,
    );
  throw invalid('its first line cannot be read');
}

/** Cuts at line feeds only; readline would also cut at U+2028, which JSON leaves as it is. */
async function* linesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = [];
  for await (const chunk of bytes) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      yield Buffer.concat([...parts, chunk.subarray(from, end)]);
      parts = [];
      from = end + 1;
    }
    if (from < chunk.length) parts.push(chunk.subarray(from));
  }
  if (parts.length > 0) throw invalid('it is truncated: its last line has no end');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid('it holds a line that is no JSON');
  }
}

function isSame(told: Trailer['rows'], seen: Readonly<Record<string, number>>): boolean {
  const names = Object.keys(told);
  return names.length === Object.keys(seen).length && names.every((name) => told[name] === seen[name]);
}

/** Makes the error about a dump that cannot be believed. */
export function invalid(why: string, cause?: unknown): NightshiftError {
  const fix = 'nothing was changed; take another backup';
  return new NightshiftError('invalid_backup', `this backup cannot be used: ${why}. Fix: ${fix}`, { cause });
}
