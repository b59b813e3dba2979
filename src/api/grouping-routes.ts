import { Router } from 'express';
import { z } from 'zod';
import { parseMatcherList } from '../alert/index.ts';
import { matchSchema } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { incidentName, listMaintenance, type Maintenance, writeMatcher } from '../incident/index.ts';
import type { Grouping } from '../remediation/index.ts';
import { allow, incidentId, read } from './request.ts';

const mergeSchema = z.strictObject({ under: z.string() });
const time = z.iso.datetime({ offset: true });
const maintenanceSchema = z.strictObject({
  match: matchSchema.min(1).max(20),
  reason: z.string().trim().min(1).max(300),
  from: time.nullable().default(null),
  until: time,
});

/** Makes the routes about which incidents belong together, and about when nothing is to be done. */
export function createGroupingRoutes({ db, grouping }: { db: Database; grouping: Grouping }): Router {
  const router = Router();

  router.post('/incidents/:id/merge', async (request, response) => {
    const principal = allow(response, 'approver');
    const { under } = read(mergeSchema, request.body);
    const parent = await grouping.merge(incidentId(request.params.id), incidentId(under), principal.name);
    response.json({ incident: request.params.id, under: incidentName(parent) });
  });

  router.post('/incidents/:id/split', async (request, response) => {
    const principal = allow(response, 'approver');
    await grouping.split(incidentId(request.params.id), principal.name);
    response.json({ incident: request.params.id });
  });

  router.get('/maintenance', async (_request, response) => {
    response.json({ maintenance: (await listMaintenance(db)).map(show) });
  });

  router.post('/maintenance', async (request, response) => {
    const principal = allow(response, 'approver');
    const { match, reason, from, until } = read(maintenanceSchema, request.body);
    const begun = await grouping.beginMaintenance({
      matchers: parseMatcherList(match),
      reason,
      from: from === null ? null : new Date(from),
      until: new Date(until),
      by: principal.name,
    });
    response.status(201).json(show(begun));
  });

  router.delete('/maintenance/:id', async (request, response) => {
    const principal = allow(response, 'approver');
    await grouping.endMaintenance(request.params.id, principal.name);
    response.json({ maintenance: request.params.id });
  });

  return router;
}

function show({ id, origin, matchers, reason, madeBy, startsAt, endsAt }: Maintenance) {
  return { id, origin, match: matchers.map(writeMatcher), reason, by: madeBy, from: startsAt, until: endsAt };
}
