import { type Response, Router } from 'express';
import { z } from 'zod';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { incidentName, listIncidents, loadIncident, STATES } from '../incident/index.ts';
import { chartsOf, loadStory, postmortem } from '../insights/index.ts';
import { modelCallsOf } from '../llm/index.ts';
import type { Catalogue, Look } from '../mcp-tools/index.ts';
import { PERSON_DID, type People } from '../remediation/index.ts';
import { exportIncident } from './incident-export.ts';
import { refusalsFor } from './refusals.ts';
import { allow, incidentId, read, textSchema } from './request.ts';
import { showIncident, showIncidentWhole } from './show.ts';

const listSchema = z.object({
  state: z.enum(STATES).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
  before: z.string().optional(),
  q: textSchema.optional(),
});
const LIST_FIXES = {
  state: `write one of ${STATES.join(', ')}`,
  limit: 'write a whole number from 1 to 500',
  q: 'write at most 200 characters, without NUL',
};
const wordSchema = z.strictObject({ word: z.enum(['close', 'ask_again', 'stop']), did: z.enum(PERSON_DID).optional() });

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

  router.get('/', async (request, response) => {
    const { state, limit, before, q: text = '' } = read(listSchema, request.query, LIST_FIXES);
    const found = await listIncidents(db, {
      ...(state ? { states: [state] } : {}),
      ...(before === undefined ? {} : { before: incidentId(before, 'before') }),
      ...(text.trim() === '' ? {} : { text: text.trim() }),
      limit: limit + 1,
    });
    const incidents = found.slice(0, limit).map((one) => showIncident(one, services));
    response.json({ incidents, next: found.length > limit ? incidents.at(-1)?.id : null });
  });

  router.get('/:id', async (request, response) => {
    const refused = await refusalsFor(response, { db, people });
    response.json(await showIncidentWhole(db, incidentId(request.params.id), services, refused));
  });

  router.get('/:id/model-calls', async (request, response) => {
    const { id } = await loadIncident(db, incidentId(request.params.id));
    response.json(await modelCallsOf(db, id));
  });

  router.get('/:id/charts', async (request, response) => {
    const incident = await loadIncident(db, incidentId(request.params.id));
    response.json({ charts: await chartsOf(incident, { db, catalogue, look }) });
  });

  router.get('/:id/export', async (request, response) => {
    const id = incidentId(request.params.id);
    const whole = await exportIncident(db, id, services);
    attach(response, `${incidentName(id)}.json`)
      .type('json')
      .send(JSON.stringify(whole, null, 2));
  });

  router.get('/:id/postmortem', async (request, response) => {
    const id = incidentId(request.params.id);
    const text = postmortem(await loadStory(db, id, services));
    attach(response, `${incidentName(id)}-postmortem.md`)
      .type('text/markdown')
      .send(text);
  });

  router.post('/:id/words', async (request, response) => {
    const principal = allow(response, 'approver');
    const { word, did } = read(wordSchema, request.body);
    const id = incidentId(request.params.id);
    await people.say(id, word, principal.name, did);
    response.status(202).json({ incident: request.params.id, word });
  });

  return router;
}

function attach(response: Response, name: string): Response {
  return response.set('content-disposition', `attachment; filename="${name}"`);
}
