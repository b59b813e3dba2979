import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import type { Command } from 'commander';
import { Agent, fetch } from 'undici';
import {
  checkDumpFile,
  copyDump,
  placeDataFiles,
  type Restored,
  readDataFiles,
  readDumpFile,
  restoreDump,
  unzipDump,
  writeDump,
  writeDumpFile,
} from '../backup/index.ts';
import { type Database, fillEmbedded, fillPostgres, readEmbedded, readPostgres } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { locateServer } from './client.ts';
import { dataDirOf, secretOf } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** A large database takes its time before the first byte comes. */
const ANSWER_MS_MAX = 3_600_000;
const SILENCE_MS_MAX = 60_000;
const TARGET = 'NIGHTSHIFT_MIGRATE_TO';

/** Adds the commands that put everything into a file, take it out again, and move from the embedded database to a served one. */
export function addBackupCommands(program: Command, terminal: Terminal): void {
  const { out, err } = terminal;

  program
    .command('backup <file>')
    .description('write everything into one file, while Nightshift runs or while it is stopped')
    .option('--force', 'overwrite the file if it exists')
    .action(async (file: string, { force }: { force?: boolean }) => {
      const path = resolve(terminal.directory, file);
      const { rows, bytes, files } = await backUp(terminal, path, force === true);
      out(`${path}: ${sum(rows)} rows of ${Object.keys(rows).length} tables, ${size(bytes)}`);
      if (files.length > 0) out(`  with ${files.join(', ')}: whoever reads this file can act as an administrator`);
      else out('  without the files of the data directory (tokens, keys), which stay on its host');
    });

  program
    .command('restore <file>')
    .description('put a backup into an empty database: a new data directory, or the Postgres of DATABASE_URL')
    .option('--accept-broken-audit', 'restore it though the audit in it was changed')
    .action(async (file: string, { acceptBrokenAudit }: { acceptBrokenAudit?: boolean }) => {
      const path = resolve(terminal.directory, file);
      // Read to its end first: nothing is begun with a file that is not whole.
      const { header } = await checkDumpFile(path);
      err(`nightshift: ${path} is whole; taken ${header.at} by Nightshift ${header.version}`);
      const dataDir = dataDirOf(terminal);
      const url = secretOf(terminal, 'DATABASE_URL');
      let restored: Restored | undefined;
      const fill = async (db: Database) => {
        restored = await restoreDump(db, {
          bytes: readDumpFile(path),
          dataDir,
          event: 'backup.restored',
          acceptBrokenAudit: acceptBrokenAudit === true,
        });
      };
      await (url ? fillPostgres(url, fill) : fillEmbedded(dataDir, fill));
      if (restored) {
        for (const line of render(restored)) out(line);
        const kept = await placeDataFiles(dataDir, restored.sha256);
        if (kept !== null)
          out(`  the audit here was newer than the backup; its heads are kept in ${kept}, as proof of what is lost`);
      }
      out(
        `restored into ${url ? 'the Postgres of DATABASE_URL' : join(dataDir, 'postgres')}; start it with: nightshift start`,
      );
    });

  program
    .command('migrate')
    .description('copy everything from the embedded database into an empty Postgres; Nightshift must be stopped')
    .option(
      '--to <url>',
      `postgres://… of the empty database (default: the environment variable ${TARGET}, which no list of processes shows)`,
    )
    .action(async ({ to = secretOf(terminal, TARGET) }: { to?: string }) => {
      const served = secretOf(terminal, 'DATABASE_URL');
      const fix = `export ${TARGET}=postgres://user:password@host:5432/database, or give --to`;
      if (!to) throw new NightshiftError('invalid_payload', `where to? Fix: ${fix}`);
      if (!/^postgres(ql)?:\/\//.test(to) || !URL.canParse(to))
        throw new NightshiftError('invalid_payload', `--to: is no URL that starts with postgres://. Fix: ${fix}`);
      if (served && served !== to)
        throw new NightshiftError(
          'conflict',
          'DATABASE_URL is set to another Postgres, so what is in use is there, and not in the embedded database that would be copied. Fix: unset DATABASE_URL if the embedded one is what you want; to copy a Postgres: nightshift backup FILE, then DATABASE_URL=… nightshift restore FILE',
        );
      const dataDir = dataDirOf(terminal);
      const restored = await moveTo(to, dataDir);
      for (const line of render(restored)) out(line);
      out(
        `${sum(restored.rows)} rows are in both, table by table. The embedded database in ${dataDir} was left as it is.`,
      );
      out(
        `Next: set DATABASE_URL to that database, keep ${dataDir} (its tokens and keys go on being used), and start Nightshift.`,
      );
    });
}

async function backUp(terminal: Terminal, path: string, force: boolean) {
  const server = locateIfRunning(terminal);
  // Before the rows, so that no head of the audit is newer than they are.
  const dataDir = server ? server.dataDir : dataDirOf(terminal);
  const files = dataDir === null ? [] : readDataFiles(dataDir);
  const named = files.map(({ file }) => file);
  if (server) {
    const { filled, bytes } = await writeDumpFile(path, { force }, async (out) => {
      const body = await askFor(server);
      return copyDump(body, { files, out });
    });
    return { rows: filled.rows, bytes, files: named };
  }
  const url = secretOf(terminal, 'DATABASE_URL');
  const db = url ? await readPostgres(url) : await readEmbedded(dataDirOf(terminal));
  try {
    const { filled, bytes } = await writeDumpFile(path, { force }, (out) => writeDump(db, { files, out }));
    return { rows: filled.rows, bytes, files: named };
  } finally {
    await db.close();
  }
}

async function askFor({ url, token }: { url: string; token: string }): Promise<AsyncIterable<Uint8Array>> {
  const dispatcher = new Agent({ headersTimeout: ANSWER_MS_MAX, bodyTimeout: SILENCE_MS_MAX });
  const response = await fetch(`${url}/api/v1/backups`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'x-nightshift-client': 'cli' },
    dispatcher,
  }).catch((cause: unknown) => {
    throw new NightshiftError(
      'server_unreachable',
      `Nightshift at ${url} does not answer: ${messageOf(cause)}. Fix: see whether it runs`,
      { cause },
    );
  });
  if (!response.ok || !response.body) {
    const answer = (await response.json().catch(() => null)) as { detail?: string } | null;
    throw new NightshiftError('conflict', `${answer?.detail ?? `it answered ${response.status}`} (asked ${url})`);
  }
  return unzipDump(response.body);
}

function locateIfRunning(terminal: Terminal) {
  try {
    return locateServer(terminal);
  } catch (error) {
    if (error instanceof NightshiftError && error.code === 'server_unreachable') return null;
    throw error;
  }
}

async function moveTo(url: string, dataDir: string): Promise<Restored> {
  const source = await readEmbedded(dataDir).catch((error: unknown) => {
    if (!(error instanceof NightshiftError && error.code === 'data_dir_locked')) throw error;
    const fix = 'stop Nightshift first; what came in while it moves would be lost';
    throw new NightshiftError('data_dir_locked', error.message.replace(/Fix: .*$/s, `Fix: ${fix}`), { cause: error });
  });
  let restored: Restored | undefined;
  try {
    await fillPostgres(url, async (target) => {
      const pipe = new PassThrough();
      // Either side ends the other with its own error, and nobody else need hear of it.
      const endPipe = (error: Error) => {
        pipe.destroy(error);
        throw error;
      };
      pipe.on('error', () => {});
      const into = { bytes: pipe, dataDir: null, event: 'database.moved', acceptBrokenAudit: false } as const;
      const [read, written] = await Promise.allSettled([
        restoreDump(target, into).catch(endPipe),
        writeDump(source, { files: [], out: pipe }).catch(endPipe),
      ]);
      if (read.status === 'rejected') throw read.reason;
      if (written.status === 'rejected') throw written.reason;
      restored = read.value;
    });
  } catch (error) {
    if (!(error instanceof NightshiftError && error.code === 'database_unavailable')) throw error;
    throw new NightshiftError(error.code, error.message.replace('in DATABASE_URL', 'in --to'), { cause: error });
  } finally {
    await source.close();
  }
  if (!restored) throw new Error('filled without a result');
  return restored;
}

function render({ rows, audit, header }: Restored): string[] {
  const tables = Object.entries(rows).filter(([, count]) => count > 0);
  return [
    `taken ${header.at}: ${tables.map(([name, count]) => `${name} ${count}`).join(', ')}`,
    `  audit: ${audit.events} event(s), ${audit.problems.length === 0 ? 'whole' : `BROKEN: ${audit.problems.slice(0, 3).join('; ')}`}`,
  ];
}

function sum(rows: Readonly<Record<string, number>>): number {
  return Object.values(rows).reduce((total, count) => total + count, 0);
}

function size(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
