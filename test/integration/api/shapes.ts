/** The answers of the API as the console reads them; each must have the form that the console's own types say. */
import { z } from 'zod';
import type * as Shapes from '../../../web/src/api/shapes.ts';

const STATES = [
  'received',
  'triaged',
  'investigated',
  'diagnosed',
  'planned',
  'awaiting_approval',
  'acting',
  'verifying',
  'resolved',
  'escalated',
  'stopped',
] as const;
const moment = z.iso.datetime();
const labels = z.record(z.string(), z.string());
const words = z.string().min(1);
const decision = z.enum(['allow', 'ask', 'deny']);

const incident = z.object({
  id: z.string().regex(/^INC-\d+$/),
  state: z.enum(STATES),
  title: z.string(),
  severity: z.string(),
  labels,
  service: z.string().nullable(),
  team: z.string().nullable(),
  cycle: z.int(),
  attempt: z.int(),
  foldedUnder: z.string().nullable(),
  held: z.string().nullable(),
  flapping: z.boolean(),
  needs: z.string().nullable(),
  traceId: z.string(),
  openedAt: moment,
  updatedAt: moment,
  closedAt: moment.nullable(),
}) satisfies z.ZodType<Shapes.Incident>;

export const incidentsShape = z.object({ incidents: z.array(incident), next: z.string().nullable() });

const nowIncident = incident.extend({
  doing: z.object({ type: z.string(), at: moment, actor: z.string(), words }).nullable(),
  alerts: z.int(),
  target: z.string().nullable(),
  action: z.object({ tool: z.string(), target: z.string(), status: z.string() }).nullable(),
}) satisfies z.ZodType<Shapes.NowIncident>;

const approval = z.object({
  id: z.string(),
  incident: z.string(),
  action: z.string(),
  digest: z.string(),
  required: z.int(),
  status: z.enum(['pending', 'approved', 'denied', 'expired', 'superseded']),
  expiresAt: moment,
  createdAt: moment,
  decidedAt: moment.nullable(),
  votes: z.array(
    z.object({
      principal: z.string(),
      decision: z.enum(['approve', 'deny']),
      reason: z.string(),
      via: z.string(),
      at: moment,
    }),
  ),
  secrets: z.array(z.unknown()),
  card: z.array(z.string()),
  refused: z.object({ approve: words.nullable(), deny: words.nullable() }),
}) satisfies z.ZodType<Shapes.Approval>;

export const nowShape = z.object({
  mode: z.string(),
  killSwitch: z.object({
    engaged: z.boolean(),
    why: z.string(),
    by: z.string().nullable(),
    at: moment.nullable(),
    releaseVotes: z.array(z.string()),
  }),
  burning: z.array(nowIncident),
  people: z.array(nowIncident),
  recent: z.array(nowIncident),
  approvals: z.array(approval),
  queue: z.object({ waiting: z.array(z.object({ kind: z.string(), waiting: z.int(), oldestSeconds: z.int() })) }),
  counts: z.record(z.string(), z.int()),
}) satisfies z.ZodType<Shapes.Now>;

export const event = z.object({
  id: z.int(),
  incident: z.string().nullable(),
  at: moment,
  type: z.string(),
  actor: z.string(),
  data: z.record(z.string(), z.unknown()),
  words,
}) satisfies z.ZodType<Shapes.TimelineEvent>;

export const modelCallsShape = z.object({
  calls: z.array(
    z.object({
      id: z.union([z.int(), z.string()]),
      at: moment,
      role: z.string(),
      model: z.string(),
      outcome: z.string(),
      error: z.string().nullable(),
      degraded: z.string().nullable(),
      inputTokens: z.int().nullable(),
      cachedTokens: z.int().nullable(),
      outputTokens: z.int().nullable(),
      costUsd: z.number().nullable(),
      latencyMs: z.number(),
      prompts: z.array(z.string()),
      request: z.unknown(),
      answer: z.unknown(),
    }) satisfies z.ZodType<Shapes.ModelCall>,
  ),
});

export const chartsShape = z.object({
  charts: z.array(
    z.object({
      title: z.string(),
      expr: z.string(),
      threshold: z.number().nullable(),
      source: z.string(),
      from: moment,
      to: moment,
      stepSeconds: z.int(),
      series: z.array(z.object({ labels, points: z.array(z.tuple([z.number(), z.number().nullable()])) })),
      markers: z.array(
        z.object({ at: moment, label: words, kind: z.enum(['fired', 'resolved', 'action', 'verified', 'approval']) }),
      ),
      problem: z.string().nullable(),
    }) satisfies z.ZodType<Shapes.Chart>,
  ),
});

const runbook = z.object({
  path: z.string(),
  title: z.string(),
  service: z.string().nullable(),
  steps: z.int(),
  matches: z.array(z.string()),
  pinned: z.boolean(),
  problems: z.array(z.string()),
  used: z.int(),
  healed: z.int(),
  failed: z.int(),
  lastUsed: moment.nullable(),
  stale: z.string().nullable(),
  failing: z.boolean(),
}) satisfies z.ZodType<Shapes.Runbook>;

export const runbooksShape = z.object({ runbooks: z.array(runbook) });

const declaredCall = z.object({ tool: z.string(), with: z.record(z.string(), z.unknown()) });
const declaration = z.object({
  match: z.array(z.string()),
  service: z.string().nullable(),
  remedies: z.array(
    z.object({
      name: z.string(),
      when: z.array(declaredCall.extend({ expect: z.string() })),
      steps: z.array(declaredCall.extend({ why: z.string() })),
    }),
  ),
  verify: z.array(declaredCall.extend({ expect: z.string(), withinSeconds: z.number() })),
  escalateTo: z.string().nullable(),
});

export const runbookFileShape = runbook.extend({
  body: z.string(),
  frontMatter: declaration.nullable(),
  lint: z.array(
    z.object({ severity: z.string(), line: z.int().nullable(), message: words, fix: z.string().nullable() }),
  ),
  passages: z.array(z.object({ breadcrumb: z.string(), startLine: z.int(), endLine: z.int() })),
}) satisfies z.ZodType<Shapes.RunbookFile>;

export const uncoveredShape = z.object({
  alerts: z.array(
    z.object({
      alertname: z.string(),
      service: z.string().nullable(),
      times: z.int(),
      incidents: z.array(z.string()),
      last: moment,
    }) satisfies z.ZodType<Shapes.UncoveredAlert>,
  ),
});

export const draftShape = z.object({ fileName: z.string(), text: z.string() }) satisfies z.ZodType<Shapes.RunbookDraft>;

export const policyShape = z.object({
  mode: z.string(),
  autonomy: z.array(z.object({ match: z.union([z.string(), z.array(z.string())]), mode: z.string() })),
  rules: z.array(
    z.object({
      id: z.string(),
      origin: words,
      decision: z.string(),
      when: words,
      why: words,
    }) satisfies z.ZodType<Shapes.PolicyRule>,
  ),
  limits: z.record(z.string(), z.number()),
  risks: z.array(z.object({ id: z.string(), origin: words, risk: z.string(), when: words, why: words })),
  windows: z.array(z.object({ id: z.string(), origin: words, when: words })),
}) satisfies z.ZodType<Shapes.Policy>;

export const explanationShape = z.object({
  decision,
  approvals: z.int(),
  spoke: z.array(z.object({ rule: z.string(), decision, why: words })),
  stopped: z.string().nullable(),
  alsoConsidered: z.array(z.object({ rule: z.string(), why: z.array(z.string()) })),
}) satisfies z.ZodType<Shapes.PolicyExplanation>;

export const budgetsShape = z.object({
  models: z.object({
    dayUsd: z.object({ limit: z.number().nullable(), spent: z.number() }),
    incidentUsd: z.number().nullable(),
  }),
  actions: z.array(z.object({ scope: words, limit: z.number(), used: z.number(), windowSeconds: z.int() })),
}) satisfies z.ZodType<Shapes.Budgets>;

const percentiles = z.object({ p50: z.number().nullable(), p95: z.number().nullable() });
const outcomes = z.object({
  healedAlone: z.int(),
  healedAfterApproval: z.int(),
  healedByPeople: z.int(),
  resolvedByItself: z.int(),
  escalated: z.int(),
  stopped: z.int(),
  open: z.int(),
}) satisfies z.ZodType<Shapes.Outcomes>;

export const insightsShape = z.object({
  from: moment,
  to: moment,
  incidents: z.int(),
  mtta: percentiles,
  mttr: percentiles,
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
    byIncident: z.array(
      z.object({ incident: z.string(), title: z.string(), calls: z.int(), usd: z.number(), tokens: z.int() }),
    ),
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
}) satisfies z.ZodType<Shapes.Insights>;

export const auditShape = z.object({
  events: z.array(event),
  next: z.union([z.string(), z.int()]).nullable(),
}) satisfies z.ZodType<Shapes.AuditEvents>;

export const auditReportShape = z.object({
  problems: z.array(
    z.object({ kind: z.string(), seal: z.string().optional(), event: z.string().optional(), message: z.string() }),
  ),
  late: z.array(z.string()),
  events: z.int(),
  seals: z.int(),
  head: z.string().nullable(),
  unsealed: z.int(),
  pruned: z.object({ seal: z.string(), sealedAt: z.number(), at: z.number() }).nullable(),
});
