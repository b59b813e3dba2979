/** Incidents and all that belongs to them, as the API shows them. */
import { z } from 'zod';
import { STATES } from '../../incident/index.ts';
import { anything, decision, labels, moment, named, next } from './component.ts';

const words = z.string().min(1);
const incidentName = z.string().regex(/^INC-\d+$/);

export const incident = named(
  'Incident',
  z.object({
    id: incidentName,
    state: z
      .string()
      .describe(`${STATES.join(', ')}; or one that a newer version has set, which this one leaves alone.`),
    title: z.string(),
    severity: z.string(),
    labels,
    service: z.string().nullable().describe('As services.yaml names it.'),
    team: z.string().nullable(),
    cycle: z.int().describe('How many times it was opened.'),
    attempt: z.int(),
    foldedUnder: incidentName.nullable(),
    held: z.string().nullable().describe('Why nothing is done for now.'),
    flapping: z.boolean(),
    needs: z.string().nullable().describe('Why a person is needed.'),
    traceId: z.string(),
    openedAt: moment,
    updatedAt: moment,
    closedAt: moment.nullable(),
  }),
);

export const incidentPage = z.object({ incidents: z.array(incident), next });

export const nowIncident = named(
  'NowIncident',
  incident.extend({
    doing: z.object({ type: z.string(), at: moment, actor: z.string(), words }).nullable(),
    alerts: z.int(),
    target: z.string().nullable(),
    action: z.object({ tool: z.string(), target: z.string(), status: z.string() }).nullable(),
  }),
);

const keptApproval = named(
  'KeptApproval',
  z.object({
    id: z.string(),
    incident: incidentName,
    action: z.string(),
    digest: z.string().describe('Of exactly what is asked; send it with a decision so that nothing else is approved.'),
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
    card: z.array(z.string()).describe('The words that people decide by.'),
  }),
);

/** As whoever asks sees it. */
export const approval = named(
  'Approval',
  keptApproval.extend({
    refused: z
      .object({ approve: z.string().nullable(), deny: z.string().nullable() })
      .describe('Why an answer of whoever asks would be refused now; null where it would count.'),
  }),
);

export const approvalPage = z.object({ approvals: z.array(approval), next });

export const event = named(
  'Event',
  z.object({
    id: z.int(),
    incident: incidentName.nullable(),
    at: moment,
    type: z.string(),
    actor: z.string(),
    data: anything,
    words,
  }),
);

export const eventPage = z.object({ events: z.array(event), next });

const alert = named(
  'Alert',
  z.object({
    source: z.string(),
    fingerprint: z.string(),
    status: z.enum(['firing', 'resolved']),
    labels,
    annotations: labels,
    startsAt: moment,
    endsAt: moment.nullable(),
    generatorUrl: z.string().nullable(),
    receivedAt: moment,
  }),
);

const evidence = named(
  'Evidence',
  z.object({
    ref: z.string(),
    kind: z.enum(['runbook', 'past_incident', 'tool']),
    title: z.string(),
    content: z.string(),
    origin: anything,
    full: z.string().optional(),
  }),
);

const diagnosis = named(
  'Diagnosis',
  z.looseObject({
    mode: z.enum(['runbook', 'model']),
    model: z.string().nullable(),
    rootCause: z.string(),
    confidence: z.enum(['high', 'medium', 'low']),
    inconclusive: z.boolean(),
    citations: z.array(z.looseObject({ evidence: z.string(), quote: z.string() })),
    ruledOut: z.array(z.looseObject({ hypothesis: z.string(), why: z.string() })),
    unknowns: z.array(z.string()),
    components: z
      .array(z.looseObject({ kind: z.string(), name: z.string(), evidence: z.string().nullable() }))
      .optional(),
    review: z.enum(['passed', 'rejected', 'unavailable', 'none']).optional(),
  }),
);

const check = z.looseObject({
  instance: z.string(),
  tool: z.string(),
  arguments: anything,
  expect: z.string(),
  withinSeconds: z.number(),
});

/** What versions before have kept is shown as they kept it. */
export const verdict = named(
  'Verdict',
  z.looseObject({
    decision,
    risk: z.string().optional(),
    approvals: z.int(),
    approvers: z.array(z.string()).nullable().optional(),
    expirySeconds: z.number().nullable().optional(),
    spoke: z.array(z.looseObject({ rule: z.string(), decision, why: z.string() })),
  }),
);

const action = named(
  'Action',
  z.object({
    id: z.string(),
    incidentId: z.int(),
    cycle: z.int(),
    attempt: z.int(),
    ordinal: z.int(),
    instance: z.string(),
    tool: z.string(),
    arguments: anything,
    target: z.string(),
    risk: z.string(),
    undo: z.string(),
    definitionSha256: z.string(),
    labels,
    fingerprint: z.string(),
    origin: z.string(),
    reason: z.string(),
    expectedEffect: z.string(),
    status: z.string(),
    decision: verdict.nullable(),
    result: z.unknown(),
    requestedBy: z.string().nullable(),
    inspection: z
      .looseObject({ preview: z.array(z.string()).nullable().optional(), before: z.unknown().optional() })
      .nullable(),
    undoOf: z.string().nullable(),
    effect: z.string().nullable(),
    createdAt: moment,
    sentAt: moment.nullable(),
  }),
);

export const wholeIncident = named(
  'WholeIncident',
  incident.extend({
    incidents: z.array(incidentName).describe('What is folded under it.'),
    alerts: z.array(alert),
    diagnosis: diagnosis.nullable(),
    checks: z.array(check),
    costUsd: z.number(),
    evidence: z.array(evidence),
    actions: z.array(action),
    approvals: z.array(approval),
    events: z.array(event).describe('The first 5,000; GET /api/v1/events has all.'),
  }),
);

const modelCall = named(
  'ModelCall',
  z.object({
    id: z.int(),
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
  }),
);

export const modelCalls = z.object({
  calls: z.array(modelCall),
  leftOut: z.int().describe('How many more there were than are shown.'),
});

export const charts = z.object({
  charts: z.array(
    named(
      'Chart',
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
      }),
    ),
  ),
});

export const judgement = named(
  'Judgement',
  z.object({
    action: z.string(),
    incident: incidentName,
    tool: z.string(),
    target: z.string(),
    questions: z.array(z.looseObject({})),
    verdict,
  }),
);

export const exported = z.object({
  form: z.literal('nightshift-incident/1'),
  exportedAt: moment,
  incident: incident.extend({ incidents: z.array(incidentName), checks: z.array(check), costUsd: z.number() }),
  alerts: z.array(alert),
  evidence: z.array(evidence),
  diagnosis: diagnosis.nullable(),
  modelCalls: z.array(modelCall),
  modelCallsLeftOut: z.int(),
  actions: z.array(action),
  approvals: z.array(keptApproval),
  judgements: z.array(judgement),
  events: z.array(event),
});

export const opened = z.object({ incident: incidentName });
export const said = z.object({ incident: z.string(), word: z.string() });
