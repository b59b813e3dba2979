import { basename } from 'node:path';
import { Router } from 'express';
import { type AuditReport, listEvents, readHeads, readPage, renderReport, verifyAudit } from '../audit/index.ts';
import type { Database } from '../database/index.ts';
import { listAuditEvents, listSeals, verifyAuditOperation } from './operations/installation.ts';
import { cut } from './page.ts';
import { incidentId } from './request.ts';
import { serve } from './serve.ts';
import type { Shared } from './shared.ts';
import { showEvent } from './show.ts';

/** Past this many the rest tells nothing new. */
const LATE_MAX = 1000;

export interface AuditRoutesDependencies {
  readonly db: Database;
  /** Where heads are kept outside the database. */
  readonly headFile: string;
  readonly shared: Shared;
}

/**
 * Makes the routes about the audit. Seals and events are handed out as they are stored, so that whoever asks computes the hashes and need not believe
 * us; who did what is listed beside that.
 */
export function createAuditRoutes({ db, headFile, shared }: AuditRoutesDependencies): Router {
  const router = Router();

  serve(router, listSeals, async ({ query: { after } }) => {
    const page = await readPage(db, after ?? null);
    return { ...page, next: page.seals.at(-1)?.id ?? null };
  });

  serve(router, listAuditEvents, async ({ query }) => {
    const { before, limit, incident = '', actor = '', type = '' } = query;
    const found = await listEvents(db, {
      ...(before === undefined ? {} : { before }),
      ...(incident.trim() === '' ? {} : { incidentId: incidentId(incident) }),
      ...(actor === '' ? {} : { actor }),
      ...(type === '' ? {} : { type }),
      limit: limit + 1,
    });
    const { items, next } = cut(found.map(showEvent), limit, ({ id }) => String(id));
    return { events: items, next };
  });

  serve(router, verifyAuditOperation, () => shared('audit', () => verify(db, headFile)));

  return router;
}

interface VerifiedAudit extends AuditReport {
  readonly whole: boolean;
  /** The same as the command says it. */
  readonly lines: readonly string[];
}

async function verify(db: Database, headFile: string): Promise<VerifiedAudit> {
  const heads = readHeads(headFile);
  const report = await verifyAudit((seal) => readPage(db, seal), heads);
  const lines = renderReport(report, heads, heads.length > 0 ? basename(headFile) : null);
  return { ...report, late: report.late.slice(0, LATE_MAX), whole: report.problems.length === 0, lines };
}
