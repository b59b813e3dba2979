import type { Writable } from 'node:stream';
import { createDumpWriter, type DataFile, type Header, invalid, readEntries, type Trailer } from './dump-lines.ts';

/** Writes a dump anew with files of a data directory in it, having proven that it came whole. @throws NightshiftError as `readEntries` does. */
export async function copyDump(
  bytes: AsyncIterable<Uint8Array>,
  { files, out }: { readonly files: readonly DataFile[]; readonly out: Writable },
): Promise<{ header: Header; rows: Trailer['rows'] }> {
  const writer = createDumpWriter(out);
  let header: Header | null = null;
  for await (const entry of readEntries(bytes)) {
    if (entry.kind === 'header') {
      header = entry.header;
      await writer.line(JSON.stringify(header));
      for (const file of files) await writer.line(JSON.stringify(file));
    } else if (entry.kind === 'file') await writer.line(JSON.stringify(entry.file));
    else if (entry.kind === 'table') await writer.line(JSON.stringify(entry.table));
    else if (entry.kind === 'row') await writer.line(entry.text);
    else if (header) {
      await writer.end(entry.trailer.rows);
      return { header, rows: entry.trailer.rows };
    }
  }
  throw invalid('it is truncated');
}
