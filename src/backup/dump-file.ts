import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { messageOf, NightshiftError } from '../errors.ts';
import { syncFolder } from './data-files.ts';
import { type Header, invalid, readEntries, type Trailer } from './dump-lines.ts';
import { checkMigrations } from './restore-dump.ts';

/**
 * Writes a dump into a file that only its owner can read (mode 0600). It gets its name once it is whole and on the disk; what a crash leaves
 * ends in `.part`.
 * @throws NightshiftError `conflict` where the file is there and `force` is not set, or whatever `fill` or the file system throws.
 */
export async function writeDumpFile<T>(
  path: string,
  { force }: { readonly force: boolean },
  fill: (out: Writable) => Promise<T>,
): Promise<{ filled: T; bytes: number }> {
  const refuse = () => {
    if (force || !existsSync(path)) return;
    throw new NightshiftError('conflict', `${path} exists. Fix: choose another name, or overwrite it with --force`);
  };
  refuse();
  const part = `${path}.${process.pid}.part`;
  try {
    const out = new PassThrough();
    const written = pipeline(out, createGzip(), createWriteStream(part, { mode: 0o600, flags: 'wx', flush: true }));
    const filling = fill(out).catch((error: Error) => {
      out.destroy(error);
      throw error;
    });
    // Both have ended before anything is taken away; the first failure is the cause of the other.
    const [filled, ended] = await Promise.allSettled([filling, written]);
    if (filled.status === 'rejected') throw filled.reason;
    if (ended.status === 'rejected') throw ended.reason;
    refuse();
    await rename(part, path);
    await syncFolder(dirname(path));
    return { filled: filled.value, bytes: (await stat(path)).size };
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

/** Reads a dump file as the lines that it holds. @throws NightshiftError `not_found`, or `invalid_backup` where it is no gzip, or truncated. */
export async function* readDumpFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* unzipDump(createReadStream(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new NightshiftError('not_found', `there is no file ${path}. Fix: correct the path`);
  }
}

/** Gives the lines in the bytes of a dump file. @throws NightshiftError `invalid_backup` where they are no gzip, or truncated. */
export async function* unzipDump(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const reading = pipeline(bytes, gunzip);
  reading.catch(() => {});
  try {
    for await (const chunk of gunzip) yield chunk as Uint8Array;
    await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_'))
      throw invalid(`it is truncated, or no gzip: ${messageOf(error)}`, error);
    throw error;
  }
}

/** Reads a dump to its end and believes nothing before; gives what is in it. @throws NightshiftError as `readDumpFile` and `readEntries` do. */
export async function checkDumpFile(path: string): Promise<{ header: Header; rows: Trailer['rows']; files: string[] }> {
  let [header, rows]: [Header | null, Trailer['rows']] = [null, {}];
  const files: string[] = [];
  for await (const entry of readEntries(readDumpFile(path))) {
    if (entry.kind === 'header') {
      header = entry.header;
      await checkMigrations(header);
    }
    if (entry.kind === 'file') files.push(entry.file.file);
    if (entry.kind === 'trailer') ({ rows } = entry.trailer);
  }
  if (!header) throw invalid('it is empty');
  return { header, rows, files };
}
