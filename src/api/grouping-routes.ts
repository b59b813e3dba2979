import { Router } from 'express';
import { parseMatcherList } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { incidentName, listMaintenance, type Maintenance, writeMatcher } from '../incident/index.ts';
import type { Grouping } from '../remediation/index.ts';
import {
  beginMaintenance,
  endMaintenance,
  listMaintenance as listMaintenanceOperation,
  mergeIncident,
  splitIncident,
} from './operations/incidents.ts';
import { pageOf } from './page.ts';
import { incidentId } from './request.ts';
import { serve } from './serve.ts';

/** Makes the routes about which incidents belong together, and about when nothing is to be done. */
export function createGroupingRoutes({ db, grouping }: { db: Database; grouping: Grouping }): Router {
  const router = Router();

  serve(router, mergeIncident, async ({ params: { id }, body: { under }, by }) => {
    const parent = await grouping.merge(incidentId(id), incidentId(under), by.name);
    return { incident: id, under: incidentName(parent) };
  });

  serve(router, splitIncident, async ({ params: { id }, by }) => {
    await grouping.split(incidentId(id), by.name);
    return { incident: id };
  });

  serve(router, listMaintenanceOperation, async ({ query: { limit, after: cursor } }) => {
    const { items, next } = pageOf(await listMaintenance(db), { limit, cursor }, ({ origin, id }) => `${origin}/${id}`);
    return { maintenance: items.map(show), next };
  });

  serve(router, beginMaintenance, async ({ body: { match, reason, from, until }, by }) => {
    const begun = await grouping.beginMaintenance({
      matchers: parseMatcherList(match),
      reason,
      from: from === null ? null : new Date(from),
      until: new Date(until),
      by: by.name,
    });
    return show(begun);
  });

  serve(router, endMaintenance, async ({ params: { id }, by }) => {
    await grouping.endMaintenance(id, by.name);
    return { maintenance: id };
  });

  return router;
}

function show({ id, origin, matchers, reason, madeBy, startsAt, endsAt }: Maintenance) {
  return { id, origin, match: matchers.map(writeMatcher), reason, by: madeBy, from: startsAt, until: endsAt };
}
