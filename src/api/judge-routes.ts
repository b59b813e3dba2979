import { Router } from 'express';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { incidentName } from '../incident/index.ts';
import { agreementOf, countAgreement, foundGood, scoredIncidents } from '../learning/index.ts';
import type { People } from '../remediation/index.ts';
import { allow, incidentId, read } from './request.ts';

/** So many of the newest count for the agreement. */
const COUNTED_MAX = 5000;

const pageSchema = z.object({ limit: z.coerce.number().int().min(0).max(500).default(50) });
const feedbackSchema = z.strictObject({
  verdict: z.enum(['good', 'bad']),
  why: z.string().trim().max(500).default(''),
});

/** Makes the routes about how good the handling of incidents was: what a model says, what people say, and how far the two agree. */
export function createJudgeRoutes({ db, people }: { db: Database; people: Pick<People, 'rate'> }): Router {
  const router = Router();

  router.get('/judge', async (request, response) => {
    const { limit } = read(pageSchema, request.query);
    const scored = await scoredIncidents(db, COUNTED_MAX);
    const scores = scored.slice(0, limit).map(({ incidentId: id, ...one }) => ({
      incident: incidentName(id),
      ...one,
      good: foundGood(one),
    }));
    response.json({ agreement: agreementOf(countAgreement(scored)), scores });
  });

  router.post('/incidents/:id/feedback', async (request, response) => {
    const principal = allow(response, 'approver');
    const { verdict, why } = read(feedbackSchema, request.body);
    await people.rate(incidentId(request.params.id), verdict === 'good', principal.name, why);
    response.json({ incident: request.params.id, verdict });
  });

  return router;
}
