import { Router } from 'express';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { type StoredJudgement, shadowReport, storedJudgements, type TrackRecord, trackRecords } from '../gate/index.ts';
import { incidentName, loadIncident } from '../incident/index.ts';
import type { People } from '../remediation/index.ts';
import { runByHand } from './operations/decisions.ts';
import { openIncident, rateIncident } from './operations/incidents.ts';
import { listJudgements, listTrackRecords, showJudgements, showShadowReport } from './operations/policy.ts';
import { cut, pageOf } from './page.ts';
import { clientOf, incidentId } from './request.ts';
import { serve } from './serve.ts';

/** Makes the routes about the gate: why something was decided, what the record says, and what a person wants run or looked into by hand. */
export function createGateRoutes({ db, people }: { db: Database; people: People }): Router {
  const router = Router();

  serve(router, listJudgements, async ({ query: { after = '', limit } }) => {
    const found = await storedJudgements(db, { after, limit: limit + 1 });
    const { items, next } = cut(found.map(show), limit, ({ action }) => action);
    return { judgements: items, next };
  });

  serve(router, showJudgements, async ({ params: { id } }) => {
    const of = id.startsWith('act-') ? { action: id } : { incidentId: incidentId(id) };
    if (of.incidentId !== undefined) await loadIncident(db, of.incidentId);
    const judgements = await storedJudgements(db, of);
    if (judgements.length === 0) {
      const fix = 'look at its timeline: an action that was refused before the policy was asked says why there';
      throw new NightshiftError('not_found', `nothing was judged for ${id}. Fix: ${fix}`);
    }
    return { judgements: judgements.map(show) };
  });

  serve(router, listTrackRecords, async ({ query: { limit, after: cursor } }) => {
    const keyOf = ({ alertname, service, tool }: TrackRecord) => JSON.stringify([alertname, service, tool]);
    const { items, next } = pageOf(await trackRecords(db), { limit, cursor }, keyOf);
    return { records: items, next };
  });

  serve(router, showShadowReport, () => shadowReport(db));

  serve(router, runByHand, async ({ body: { what, labels, reason }, by, request }) => {
    const opened = await people.run({ what, labels, reason, by: by.name, via: clientOf(request) });
    return { incident: incidentName(opened.incidentId) };
  });

  serve(router, openIncident, async ({ body: { text, labels }, by, request }) => {
    const opened = await people.investigate({ text, labels, by: by.name, via: clientOf(request) });
    return { incident: incidentName(opened.incidentId) };
  });

  serve(router, rateIncident, async ({ params: { id }, body: { helpful }, by }) => {
    await people.rate(incidentId(id), helpful, by.name);
    return { incident: id, helpful };
  });

  return router;
}

function show({ incidentId: id, ...judgement }: StoredJudgement) {
  return { ...judgement, incident: incidentName(id) };
}
