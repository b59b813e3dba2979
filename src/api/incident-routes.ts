import { type Response, Router } from 'express';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { listIncidents as findIncidents, incidentName, loadIncident } from '../incident/index.ts';
import { chartsOf, loadStory, postmortem } from '../insights/index.ts';
import { modelCallsOf } from '../llm/index.ts';
import type { Catalogue, Look } from '../mcp-tools/index.ts';
import type { People } from '../remediation/index.ts';
import { exportIncident } from './incident-export.ts';
import {
  exportIncidentOperation,
  listIncidents,
  listModelCalls,
  sayWord,
  showCharts,
  showIncidentOperation,
  showPostmortem,
} from './operations/incidents.ts';
import { cut } from './page.ts';
import { refusalsFor } from './refusals.ts';
import { incidentId } from './request.ts';
import { serve } from './serve.ts';
import { showIncident, showIncidentWhole } from './show.ts';

export interface IncidentRoutesDependencies {
  readonly db: Database;
  readonly services: Services;
  readonly people: Pick<People, 'say' | 'refusalOf'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
}

/** Makes the routes about incidents: lists of them, all about one, and what people say to it. */
export function createIncidentRoutes({ db, services, people, catalogue, look }: IncidentRoutesDependencies): Router {
  const router = Router();

  serve(router, listIncidents, async ({ query: { state, limit, before, q: text = '' } }) => {
    const found = await findIncidents(db, {
      ...(state ? { states: [state] } : {}),
      ...(before === undefined ? {} : { before: incidentId(before, 'before') }),
      ...(text.trim() === '' ? {} : { text: text.trim() }),
      limit: limit + 1,
    });
    const shown = found.map((one) => showIncident(one, services));
    const { items, next } = cut(shown, limit, ({ id }) => id);
    return { incidents: items, next };
  });

  serve(router, showIncidentOperation, async ({ params, by }) => {
    const refused = await refusalsFor(by, { db, people });
    return showIncidentWhole(db, incidentId(params.id), services, refused);
  });

  serve(router, listModelCalls, async ({ params }) => {
    const { id } = await loadIncident(db, incidentId(params.id));
    return modelCallsOf(db, id);
  });

  serve(router, showCharts, async ({ params }) => {
    const incident = await loadIncident(db, incidentId(params.id));
    return { charts: await chartsOf(incident, { db, catalogue, look }) };
  });

  serve(router, exportIncidentOperation, async ({ params, response }) => {
    const id = incidentId(params.id);
    const whole = await exportIncident(db, id, services);
    attach(response, `${incidentName(id)}.json`)
      .type('json')
      .send(JSON.stringify(whole, null, 2));
  });

  serve(router, showPostmortem, async ({ params, response }) => {
    const id = incidentId(params.id);
    const text = postmortem(await loadStory(db, id, services));
    attach(response, `${incidentName(id)}-postmortem.md`);
    return text;
  });

  serve(router, sayWord, async ({ params: { id }, body: { word, did }, by }) => {
    await people.say(incidentId(id), word, by.name, did);
    return { incident: id, word };
  });

  return router;
}

function attach(response: Response, name: string): Response {
  return response.set('content-disposition', `attachment; filename="${name}"`);
}
