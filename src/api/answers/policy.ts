/** What may be done, what was decided and why, and how much of what is limited is used up, as the API shows it. */
import { z } from 'zod';
import { decision, moment, named, next } from './component.ts';
import { judgement } from './incident.ts';

const ruled = { id: z.string(), origin: z.string().min(1).describe('A file, or `built in`.') };

export const policy = named(
  'Policy',
  z.object({
    mode: z.string(),
    autonomy: z.array(z.object({ match: z.union([z.string(), z.array(z.string())]), mode: z.string() })),
    rules: z.array(z.object({ ...ruled, decision: z.string(), when: z.string(), why: z.string() })),
    limits: z.record(z.string(), z.number()),
    risks: z.array(z.object({ ...ruled, risk: z.string(), when: z.string(), why: z.string() })),
    windows: z.array(z.object({ ...ruled, when: z.string() })),
    secrets: z.array(z.object({ ...ruled, tool: z.string(), argument: z.string(), why: z.string() })),
  }),
);

export const explanation = named(
  'Explanation',
  z.object({
    tool: z.string(),
    instance: z.string(),
    target: z.string(),
    arguments: z.record(z.string(), z.unknown()),
    risk: z.string(),
    decision,
    approvals: z.int(),
    approvers: z.array(z.string()).nullable(),
    expirySeconds: z.number().nullable(),
    spoke: z.array(z.object({ rule: z.string(), decision, why: z.string() })),
    mode: z.string(),
    origin: z.string(),
    stopped: z.string().nullable().describe('Why nothing is sent in any case.'),
    alsoConsidered: z.array(z.object({ rule: z.string(), why: z.array(z.string()) })),
  }),
);

export const budgets = z.object({
  models: z.object({
    dayUsd: z.object({ limit: z.number().nullable(), spent: z.number() }),
    incidentUsd: z.number().nullable(),
  }),
  actions: z.array(z.object({ scope: z.string(), limit: z.number(), used: z.number(), windowSeconds: z.int() })),
});

export const judgementPage = z.object({ judgements: z.array(judgement), next });
export const judgements = z.object({ judgements: z.array(judgement) });

export const trackRecordPage = z.object({
  records: z.array(
    named(
      'TrackRecord',
      z.object({
        alertname: z.string(),
        service: z.string(),
        tool: z.string(),
        risk: z.string(),
        proposed: z.int(),
        approved: z.int(),
        denied: z.int(),
        ran: z.int(),
        healed: z.int(),
        worse: z.int(),
        lowerBound: z.number(),
        askedBy: z.array(z.string()),
        suggestion: z.string().nullable().describe('A rule that this record has earned, as YAML.'),
      }),
    ),
  ),
  next,
});

export const shadowReport = z.object({
  tools: z.array(
    z.object({
      tool: z.string(),
      proposed: z.int(),
      same: z.int(),
      other: z.int(),
      nothing: z.int(),
      unsaid: z.int(),
    }),
  ),
  incidents: z.int(),
});

export const models = z.object({
  models: z.array(
    z.object({
      name: z.string(),
      provider: z.string(),
      model: z.string(),
      host: z.string(),
      tier: z.string(),
      contextTokens: z.int(),
      price: z
        .object({ input: z.number(), output: z.number(), asOf: z.string().nullable(), assumed: z.boolean() })
        .nullable(),
      limits: z.object({ requestsPerMinute: z.number().nullable(), tokensPerMinute: z.number().nullable() }),
      breaker: z.string(),
      openUntil: moment.nullable(),
      restsUntil: moment.nullable(),
      p50Ms: z.number().nullable(),
      roles: z.array(z.string()),
    }),
  ),
  ceilings: z.array(z.object({ scope: z.string(), field: z.string(), ceilingUsd: z.number(), spentUsd: z.number() })),
  incidentCeilingUsd: z.number(),
});
