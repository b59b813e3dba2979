/** Everything that Nightshift keeps, as one file: written while it runs, proven whole, and put into an empty database. Never overwrites anything, and knows no table's meaning. */
export { copyDump } from './copy-dump.ts';
export { placeDataFiles, readDataFiles } from './data-files.ts';
export { checkDumpFile, readDumpFile, unzipDump, writeDumpFile } from './dump-file.ts';
export { createDumper, type Dumper } from './dumper.ts';
export { explainDamage } from './explain-damage.ts';
export { finishRestore } from './finish-restore.ts';
export { type Restored, restoreDump } from './restore-dump.ts';
export { createSnapshots, type Snapshots } from './snapshots.ts';
export { VERSION } from './version.ts';
export { writeDump } from './write-dump.ts';
