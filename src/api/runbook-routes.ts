import { Router } from 'express';
import type { Labels } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { type Evidence, evidenceOf } from '../diagnosis/index.ts';
import { NightshiftError } from '../errors.ts';
import { alertsOf, incidentName, loadIncident } from '../incident/index.ts';
import { actionsOf } from '../planning/index.ts';
import {
  type Embedder,
  type FailingRunbook,
  failingRunbooks,
  fileNameFor,
  newRunbook,
  type RunbookKeeper,
  rankRunbooks,
  type Shelf,
  type UncoveredAlert,
  uncoveredAlerts,
} from '../rag/index.ts';
import {
  draftRunbook,
  listFailing,
  listRunbooks,
  listUncovered,
  searchRunbooks,
  showRunbook,
  syncRunbooks,
} from './operations/runbooks.ts';
import { cut, pageOf } from './page.ts';
import { incidentId } from './request.ts';
import { serve } from './serve.ts';
import type { Shared } from './shared.ts';
import { citeAll } from './show.ts';

export interface RunbookRoutesDependencies {
  readonly db: Database;
  readonly runbooks: RunbookKeeper;
  readonly shelf: Shelf;
  readonly embedder: Embedder;
  readonly shared: Shared;
}

/** Makes the routes about runbooks: to read, search and compare them for everybody, to have them read anew and drafted for whoever may decide. */
export function createRunbookRoutes({ db, runbooks, shelf, embedder, shared }: RunbookRoutesDependencies): Router {
  const router = Router();

  serve(router, listRunbooks, async ({ query: { limit, after = '' } }) => {
    const { items, next } = cut(await shelf.list({ after, limit: limit + 1 }), limit, ({ path }) => path);
    return { runbooks: items, next };
  });

  serve(router, showRunbook, ({ query: { path } }) => shelf.file(path));

  serve(router, searchRunbooks, async ({ query: { q, limit, alert } }) => {
    const labels: Labels = alert === undefined ? {} : { alertname: alert };
    const ranked = citeAll(await rankRunbooks(db, { labels, annotations: { summary: q }, limit, embedder }));
    return { found: ranked.filter(({ fits }) => fits), others: ranked.filter(({ fits }) => !fits) };
  });

  serve(router, listUncovered, async ({ query: { days, limit, after: cursor } }) => {
    const keyOf = ({ alertname, service }: UncoveredAlert) => JSON.stringify([alertname, service]);
    const { items, next } = pageOf(
      await shared(`uncovered ${days}`, () => uncoveredAlerts(db, days)),
      { limit, cursor },
      keyOf,
    );
    return { alerts: items.map((one) => ({ ...one, incidents: one.incidents.map(incidentName) })), next };
  });

  serve(router, listFailing, async ({ query: { limit, after: cursor } }) => {
    const keyOf = ({ path, alertname }: FailingRunbook) => JSON.stringify([path, alertname]);
    const { items, next } = pageOf(await failingRunbooks(db), { limit, cursor }, keyOf);
    return { failing: items, next };
  });

  serve(router, syncRunbooks, ({ body }) => runbooks.sync(body));

  serve(router, draftRunbook, ({ body: { incident } }) => draftFor(db, incidentId(incident)));

  return router;
}

/** Writes a runbook out of what was seen in an incident: what healed it, or else what was done without failing, and what was looked at. */
async function draftFor(db: Database, id: number): Promise<{ fileName: string; text: string }> {
  const incident = await loadIncident(db, id);
  const { labels, context } = incident;
  const alertname = labels.alertname ?? '';
  if (alertname === '') {
    const fix = 'name an incident whose alert has a name';
    throw new NightshiftError('invalid_payload', `incident: ${incidentName(id)} has no label alertname. Fix: ${fix}`, {
      problems: [{ field: 'incident', value: incidentName(id), message: 'has no label alertname', fix }],
    });
  }
  const ran = (await actionsOf(db, id)).filter(({ status, undoOf }) => status === 'succeeded' && undoOf === null);
  const healed = ran.filter(({ effect }) => effect === 'healed');
  const steps = (healed.length > 0 ? healed : ran).map(({ tool, arguments: args, reason }) => ({
    tool,
    arguments: args,
    why: reason,
  }));
  const { checks, diagnosis } = context;
  const cause = diagnosis && !diagnosis.inconclusive ? { cause: diagnosis.rootCause } : {};
  const [first] = await alertsOf(db, incident);
  const said = first?.annotations.description ?? first?.annotations.summary;
  const text = newRunbook(alertname, {
    incident: incidentName(id),
    labels,
    steps,
    checks,
    looks: (await evidenceOf(db, id)).flatMap(({ kind, origin }) => (kind === 'tool' ? [callOf(origin)] : [])),
    ...(said === undefined ? {} : { summary: said }),
    ...cause,
  });
  return { fileName: fileNameFor(alertname), text };
}

/** Reads which call evidence of a tool is from. */
function callOf({ tool, arguments: args }: Evidence['origin']) {
  return { tool: String(tool), arguments: args as Readonly<Record<string, unknown>> };
}
