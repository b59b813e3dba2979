/** Figures over many incidents, as the API shows them. */
import { z } from 'zod';
import { moment, named, next, percentiles } from './component.ts';

const outcomes = z.object({
  healedAlone: z.int(),
  healedAfterApproval: z.int(),
  healedByPeople: z.int(),
  resolvedByItself: z.int(),
  escalated: z.int(),
  stopped: z.int(),
  open: z.int(),
});

export const insights = named(
  'Insights',
  z.object({
    from: moment,
    to: moment,
    incidents: z.int(),
    mtta: percentiles.describe('Seconds.'),
    mttr: percentiles.describe('Seconds.'),
    outcomes,
    byAlert: z.array(
      outcomes.extend({
        alertname: z.string(),
        service: z.string().nullable(),
        incidents: z.int(),
        mttaP50: z.number().nullable(),
        mttrP50: z.number().nullable(),
      }),
    ),
    approvalLatency: percentiles.extend({ count: z.int() }),
    cost: z.object({
      totalUsd: z.number(),
      perIncidentUsd: z.number().nullable(),
      byModel: z.array(z.object({ model: z.string(), calls: z.int(), usd: z.number().nullable(), tokens: z.int() })),
      byIncident: z
        .array(z.object({ incident: z.string(), title: z.string(), calls: z.int(), usd: z.number(), tokens: z.int() }))
        .describe('The costliest first, 10 at most.'),
    }),
    noise: z.object({
      deliveries: z.int(),
      alerts: z.int(),
      repeated: z.int(),
      incidents: z.int(),
      folded: z.int(),
      shed: z.int(),
      flapping: z.int(),
    }),
    trend: z.array(
      z.object({
        day: z.string().regex(/^\d{4}-\d{2}-\d{2}$/),
        incidents: z.int(),
        healed: z.int(),
        escalated: z.int(),
        mttrP50: z.number().nullable(),
        approvalP50: z.number().nullable(),
        alerts: z.int(),
        repeated: z.int(),
        usd: z.number(),
      }),
    ),
  }),
);

export const judged = z.object({
  agreement: z.object({
    bothGood: z.int(),
    judgeGood: z.int(),
    peopleGood: z.int(),
    bothBad: z.int(),
    incidents: z.int(),
    share: z.number().nullable(),
    kappa: z.number().nullable().describe("Cohen's kappa, from -1 to 1."),
  }),
  scores: z.array(
    z.object({
      incident: z.string(),
      cycle: z.int(),
      status: z.string(),
      model: z.string().nullable(),
      cause: z.number().nullable(),
      grounded: z.number().nullable(),
      outcome: z.number().nullable(),
      reason: z.string(),
      scoredAt: moment.nullable(),
      helpful: z.int(),
      unhelpful: z.int(),
      good: z.boolean().nullable(),
    }),
  ),
  next,
});
