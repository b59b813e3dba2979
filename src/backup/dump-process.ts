/** Writes one dump in a process of its own, so that the server neither waits for it nor shares its memory: DATA_DIR TARGET, and DATABASE_URL where that is set. */
import { writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { readEmbedded, readPostgres } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { readDataFiles } from './data-files.ts';
import { writeDumpFile } from './dump-file.ts';
import { writeDump } from './write-dump.ts';

const [dataDir = '', target = '', withFiles = ''] = process.argv.slice(2);
setPriority(constants.priority.PRIORITY_LOW);
try {
  // Where memory runs out, this goes first, and not the server.
  writeFileSync('/proc/self/oom_score_adj', '1000');
} catch {
  // Not Linux, or not allowed.
}
try {
  // Before the rows, so that no head of the audit is newer than they are.
  const files = withFiles === 'with-files' ? readDataFiles(dataDir) : [];
  const { DATABASE_URL: url } = process.env;
  const db = url ? await readPostgres(url) : await readEmbedded(dataDir);
  const { filled, bytes } = await writeDumpFile(target, { force: true }, (out) => writeDump(db, { files, out }));
  await db.close();
  process.stdout.write(JSON.stringify({ rows: filled.rows, bytes }));
} catch (error) {
  process.stderr.write(messageOf(error));
  process.exitCode = 1;
}
