import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { NightshiftError } from '../errors.ts';
import { type StoredJudgement, shadowReport, storedJudgements, trackRecords } from '../gate/index.ts';
import { incidentName, loadIncident } from '../incident/index.ts';
import type { People } from '../remediation/index.ts';
import { allow, clientOf, incidentId, read } from './request.ts';

const pageSchema = z.object({
  after: z.string().default(''),
  limit: z.coerce.number().int().min(1).max(200).default(100),
});
const labelsSchema = z.record(z.string().min(1).max(128), z.string().max(1024)).default({});
const byHandSchema = z.strictObject({
  what: z.union([
    z.strictObject({ runbook: z.string().min(1).max(512) }),
    z.strictObject({ tool: z.string().min(1).max(128), arguments: z.record(z.string(), z.unknown()).default({}) }),
  ]),
  labels: labelsSchema,
  reason: z.string().min(1).max(1000),
});
const investigationSchema = z.strictObject({ text: z.string().trim().min(1).max(1000), labels: labelsSchema });
const ratingSchema = z.strictObject({ helpful: z.boolean() });

/** Makes the routes about the gate: why something was decided, what the record says, and what a person wants run or looked into by hand. */
export function createGateRoutes({ db, people }: { db: Database; people: People }): Router {
  const router = Router();

  router.get('/judgements', async (request, response) => {
    const { after, limit } = read(pageSchema, request.query);
    response.json({ judgements: (await storedJudgements(db, { after, limit })).map(show) });
  });

  router.get('/judgements/:id', async (request, response) => {
    const { id } = request.params;
    const of = id.startsWith('act-') ? { action: id } : { incidentId: incidentId(id) };
    if (of.incidentId !== undefined) await loadIncident(db, of.incidentId);
    const judgements = await storedJudgements(db, of);
    if (judgements.length === 0) {
      const fix = 'look at its timeline: an action that was refused before the policy was asked says why there';
      throw new NightshiftError('not_found', `nothing was judged for ${id}. Fix: ${fix}`);
    }
    response.json({ judgements: judgements.map(show) });
  });

  router.get('/track-records', async (_request, response) => {
    response.json({ records: await trackRecords(db) });
  });

  router.get('/reports/shadow', async (_request, response) => {
    response.json(await shadowReport(db));
  });

  router.post('/runs', async (request, response) => {
    const principal = allow(response, 'approver');
    const { what, labels, reason } = read(byHandSchema, request.body);
    const opened = await people.run({ what, labels, reason, by: principal.name, via: clientOf(request) });
    response.status(202).json({ incident: incidentName(opened.incidentId) });
  });

  router.post('/incidents', async (request, response) => {
    const principal = allow(response, 'approver');
    const { text, labels } = read(investigationSchema, request.body);
    const opened = await people.investigate({ text, labels, by: principal.name, via: clientOf(request) });
    response.status(202).json({ incident: incidentName(opened.incidentId) });
  });

  router.post('/incidents/:id/rating', async (request, response) => {
    const principal = allow(response, 'approver');
    const { helpful } = read(ratingSchema, request.body);
    await people.rate(incidentId(request.params.id), helpful, principal.name);
    response.json({ incident: request.params.id, helpful });
  });

  return router;
}

function show({ incidentId: id, ...judgement }: StoredJudgement) {
  return { ...judgement, incident: incidentName(id) };
}
