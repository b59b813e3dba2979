import { Router } from 'express';
import type { Database } from '../database/index.ts';
import { incidentName } from '../incident/index.ts';
import { agreementOf, countAgreement, foundGood, type Scored, scoredIncidents } from '../learning/index.ts';
import type { People } from '../remediation/index.ts';
import { giveFeedback } from './operations/incidents.ts';
import { listScores } from './operations/policy.ts';
import { pageOf } from './page.ts';
import { incidentId } from './request.ts';
import { serve } from './serve.ts';

/** So many of the newest count for the agreement. */
const COUNTED_MAX = 5000;

/** Makes the routes about how good the handling of incidents was: what a model says, what people say, and how far the two agree. */
export function createJudgeRoutes({ db, people }: { db: Database; people: Pick<People, 'rate'> }): Router {
  const router = Router();

  serve(router, listScores, async ({ query: { limit, before: cursor } }) => {
    const scored = await scoredIncidents(db, COUNTED_MAX);
    const keyOf = (one: Scored) => `${incidentName(one.incidentId)}/${one.cycle}`;
    const { items, next } = pageOf(scored, { limit, cursor }, keyOf);
    const scores = items.map(({ incidentId: id, ...one }) => ({
      incident: incidentName(id),
      ...one,
      good: foundGood(one),
    }));
    return { agreement: agreementOf(countAgreement(scored)), scores, next };
  });

  serve(router, giveFeedback, async ({ params: { id }, body: { verdict, why }, by }) => {
    await people.rate(incidentId(id), verdict === 'good', by.name, why);
    return { incident: id, verdict };
  });

  return router;
}
