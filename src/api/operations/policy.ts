/** What can be asked about what may be done, and about how good it was. */
import { z } from 'zod';
import { insights, judged } from '../answers/figures.ts';
import {
  budgets,
  explanation,
  judgementPage,
  judgements,
  models,
  policy,
  shadowReport,
  trackRecordPage,
} from '../answers/policy.ts';
import { cursor, limit, operation } from '../operation.ts';
import { DAYS_FIXES, daysSchema, labelsSchema } from '../request.ts';

const read = { method: 'get', tag: 'policy', role: 'viewer', scope: 'policy:read' } as const;
const figures = { method: 'get', tag: 'figures', role: 'viewer', scope: 'incidents:read' } as const;

export const showPolicyOperation = operation({
  ...read,
  id: 'showPolicy',
  path: '/policy',
  summary: 'Show the policy in force',
  answer: policy,
});

export const explainPolicy = operation({
  ...read,
  id: 'explainPolicy',
  method: 'post',
  path: '/policy/explain',
  summary: 'Ask what the policy would say to a call now',
  body: z.strictObject({
    tool: z.string().min(1).max(128),
    arguments: z.record(z.string(), z.unknown()).default({}),
    labels: labelsSchema,
  }),
  fixes: {
    tool: 'name a tool, for example supervisor.restart',
    arguments: 'write an object of arguments, for example {"process": "checkout"}',
    labels: 'write an object of the alert\'s labels, each a text, for example {"service": "checkout"}',
  },
  repeat: { because: 'It changes nothing, and reaches no target.' },
  answer: explanation,
  example: { body: { tool: 'supervisor.restart', arguments: { process: 'checkout' }, labels: { region: 'eu' } } },
});

export const showBudgets = operation({
  ...read,
  id: 'showBudgets',
  path: '/budgets',
  summary: 'Show how much of what is limited is used up; the fullest 200 limits on runs',
  answer: budgets,
});

export const listJudgements = operation({
  ...read,
  id: 'listJudgements',
  path: '/judgements',
  summary: 'List what was judged, in the order of the ids of the actions',
  query: z.object({ limit: limit(100, 200), after: cursor }),
  answer: judgementPage,
});

export const showJudgements = operation({
  ...read,
  id: 'showJudgements',
  path: '/judgements/{id}',
  summary: 'Show why something was decided',
  params: z.object({ id: z.string().describe('An incident as INC-7, or an action as act-….') }),
  errors: ['not_found'],
  answer: judgements,
  example: { path: { id: 'INC-1' } },
});

export const listTrackRecords = operation({
  ...read,
  id: 'listTrackRecords',
  path: '/track-records',
  summary: 'List what came of each tool for each alert, the busiest 500 first',
  query: z.object({ limit: limit(500, 500), after: cursor }),
  errors: ['conflict'],
  answer: trackRecordPage,
});

export const showShadowReport = operation({
  ...read,
  id: 'showShadowReport',
  path: '/reports/shadow',
  summary: 'Show how often people did what Nightshift would have done',
  answer: shadowReport,
});

export const showModels = operation({
  ...read,
  id: 'showModels',
  path: '/models',
  summary: 'Show each model, whether it is asked, and what was spent today',
  answer: models,
});

export const showInsights = operation({
  ...figures,
  id: 'showInsights',
  path: '/insights',
  summary: 'Show figures over some days: how fast incidents were acted on and ended, by whom, at which cost',
  query: z.object({ days: daysSchema }),
  fixes: DAYS_FIXES,
  answer: insights,
  example: { query: 'days=7' },
});

export const listScores = operation({
  ...figures,
  id: 'listScores',
  path: '/judge',
  summary: 'List how good the handling of incidents was, the newest first, and how far model and people agree',
  query: z.object({
    limit: z.coerce.number().int().min(0).max(500).default(50).describe('How many scores at most, from 0 to 500.'),
    before: cursor,
  }),
  errors: ['conflict'],
  answer: judged,
});
