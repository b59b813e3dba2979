import type { Command } from 'commander';
import { z } from 'zod';
import {
  type AuditPage,
  auditPageSchema,
  headFileIn,
  readHeads,
  readPage,
  renderReport,
  verifyAudit,
} from '../audit/index.ts';
import { readEmbedded, readPostgres } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { findServer, type NightshiftClient } from './client.ts';
import { dataDirOf, secretOf } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** What the server hands out says as well what to ask for next; here that is known already. */
const sealedPageSchema = auditPageSchema.extend({ next: z.string().nullable() });

/** Where the audit is read: the running server hands out the rows, and every hash is computed here. */
interface Source {
  readonly pageAfter: (seal: string | null) => Promise<AuditPage>;
  /** The data directory whose file of heads is to be believed; null where the server is elsewhere. */
  readonly dataDir: string | null;
  readonly close: () => Promise<void>;
}

/** Adds the commands about the audit. */
export function addAuditCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  program
    .command('audit')
    .description('the sealed record of everything that happened')
    .command('verify')
    .description('recompute every hash of the record; exit code 1 when something in it was changed')
    .option('--head <sha256>', 'a head that was kept elsewhere: it must be in the chain')
    .option('--direct', 'read the database itself, not through the running Nightshift')
    .action(async ({ head, direct }: { head?: string; direct?: boolean }) => {
      if (head !== undefined && !/^[0-9a-f]{64}$/i.test(head))
        throw new NightshiftError(
          'invalid_payload',
          `--head ${head} is no SHA-256. Fix: give its 64 hexadecimal digits`,
        );
      const source = await openSource(terminal, direct === true);
      try {
        const file = source.dataDir === null ? null : headFileIn(source.dataDir);
        const kept = file === null ? [] : readHeads(file);
        const heads = [...kept, ...(head === undefined ? [] : [head.toLowerCase()])];
        const report = await verifyAudit(source.pageAfter, heads);
        for (const line of renderReport(report, heads, kept.length > 0 ? file : null)) out(line);
        if (report.problems.length > 0)
          throw new NightshiftError(
            'audit_broken',
            `the audit was changed: ${report.problems.length} problem(s). Fix: keep this database as evidence, and see docs/audit.md`,
          );
      } finally {
        await source.close();
      }
    });
}

async function openSource(terminal: Terminal, direct: boolean): Promise<Source> {
  const client = direct ? null : findIfRunning(terminal);
  if (client) {
    return {
      pageAfter: async (seal) =>
        sealedPageSchema.parse(await client.request('GET', `/audit/seals${seal === null ? '' : `?after=${seal}`}`)),
      dataDir: client.dataDir,
      close: async () => {},
    };
  }
  const dataDir = dataDirOf(terminal);
  const url = secretOf(terminal, 'DATABASE_URL');
  const db = url ? await readPostgres(url) : await readEmbedded(dataDir);
  const { rows } = await db.executeSql(`select to_regclass('seal') is not null as there`);
  if (!(rows[0] as { there: boolean }).there) {
    await db.close();
    throw new NightshiftError(
      'not_found',
      'this database holds no audit. Fix: start this version of Nightshift on it once',
    );
  }
  return { pageAfter: (seal) => readPage(db, seal), dataDir, close: () => db.close() };
}

function findIfRunning(terminal: Terminal): NightshiftClient | null {
  try {
    return findServer(terminal);
  } catch (error) {
    if (error instanceof NightshiftError && error.code === 'server_unreachable') return null;
    throw error;
  }
}
