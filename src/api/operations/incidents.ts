/** What can be asked about incidents, and said to them. */
import { z } from 'zod';
import { matchSchema } from '../../config/index.ts';
import { STATES } from '../../incident/index.ts';
import { PERSON_DID } from '../../remediation/index.ts';
import {
  charts,
  eventPage,
  exported,
  incidentPage,
  modelCalls,
  opened,
  said,
  wholeIncident,
} from '../answers/incident.ts';
import { maintenance, maintenancePage } from '../answers/installation.ts';
import { cursor, json, limit, operation, text } from '../operation.ts';
import { labelsSchema, textSchema } from '../request.ts';

const tag = 'incidents';
const read = { method: 'get', tag, role: 'viewer', scope: 'incidents:read', errors: ['not_found'] } as const;
const write = { method: 'post', tag, role: 'approver', scope: 'incidents:write', repeat: 'keyed' } as const;
const params = z.object({ id: z.string().max(20).describe('An incident, as INC-7 or 7.') });
const example = { path: { id: 'INC-1' } };
const time = z.iso.datetime({ offset: true });

export const listIncidents = operation({
  ...read,
  id: 'listIncidents',
  path: '/incidents',
  summary: 'List incidents, the newest first',
  query: z.object({
    state: z.enum(STATES).optional().describe('Only those in this state.'),
    limit: limit(50, 500),
    before: cursor,
    q: textSchema.optional().describe('Only those that hold this text in title, labels or number.'),
  }),
  fixes: {
    state: `write one of ${STATES.join(', ')}`,
    limit: 'write a whole number from 1 to 500',
    q: 'write at most 200 characters, without NUL',
  },
  errors: [],
  answer: incidentPage,
  example: { query: 'state=resolved&limit=10' },
});

export const showIncidentOperation = operation({
  ...read,
  id: 'showIncident',
  path: '/incidents/{id}',
  summary: 'Show an incident whole: alerts, evidence, diagnosis, actions, approvals, timeline',
  params,
  answer: wholeIncident,
  example,
});

export const listModelCalls = operation({
  ...read,
  id: 'listModelCalls',
  path: '/incidents/{id}/model-calls',
  summary: 'Show what models were asked about an incident, and what they answered; the first 200',
  params,
  answer: modelCalls,
  example,
});

export const showCharts = operation({
  ...read,
  id: 'showCharts',
  path: '/incidents/{id}/charts',
  summary: 'Show the metrics around an incident; Prometheus is asked for them each time',
  params,
  answer: charts,
  example,
});

export const exportIncidentOperation = operation({
  ...read,
  id: 'exportIncident',
  path: '/incidents/{id}/export',
  summary: 'Hand out all that is stored about an incident as one document',
  params,
  answer: json(200, exported, 'As an attachment.'),
  example,
});

export const showPostmortem = operation({
  ...read,
  id: 'showPostmortem',
  path: '/incidents/{id}/postmortem',
  summary: 'Write the story of an incident as a post-mortem',
  params,
  answer: text('text/markdown', 'As an attachment.'),
  example,
});

export const openIncident = operation({
  ...write,
  id: 'openIncident',
  path: '/incidents',
  summary: 'Have something looked into',
  body: z.strictObject({
    text: z.string().trim().min(1).max(1000).describe('What is the matter.'),
    labels: labelsSchema,
  }),
  errors: ['forbidden'],
  answer: json(202, opened, 'It is opened and will be worked on.'),
  example: { body: { text: 'orders hang', labels: { service: 'checkout' } } },
});

export const sayWord = operation({
  ...write,
  id: 'sayWord',
  path: '/incidents/{id}/words',
  summary: 'Say that an incident is over, is to be given up, or that it shall ask again',
  params,
  body: z.strictObject({
    word: z.enum(['close', 'ask_again', 'stop']),
    did: z.enum(PERSON_DID).optional().describe('What the person who closes it did about it.'),
  }),
  errors: ['not_found', 'conflict'],
  answer: json(202, said, 'It will be heard.'),
  example: { ...example, body: { word: 'close', did: 'other' } },
});

export const rateIncident = operation({
  ...write,
  id: 'rateIncident',
  path: '/incidents/{id}/rating',
  summary: 'Say whether the handling of an incident was helpful',
  params,
  body: z.strictObject({ helpful: z.boolean() }),
  errors: ['not_found'],
  answer: z.object({ incident: z.string(), helpful: z.boolean() }),
  example: { ...example, body: { helpful: true } },
});

export const giveFeedback = operation({
  ...write,
  id: 'giveFeedback',
  path: '/incidents/{id}/feedback',
  summary: 'Say how good the handling of an incident was, and why',
  params,
  body: z.strictObject({ verdict: z.enum(['good', 'bad']), why: z.string().trim().max(500).default('') }),
  errors: ['not_found'],
  answer: z.object({ incident: z.string(), verdict: z.enum(['good', 'bad']) }),
  example: { ...example, body: { verdict: 'good', why: 'it found the cause' } },
});

export const mergeIncident = operation({
  ...write,
  id: 'mergeIncident',
  path: '/incidents/{id}/merge',
  summary: 'Fold an incident under another',
  params,
  body: z.strictObject({ under: z.string() }),
  errors: ['not_found', 'conflict'],
  answer: z.object({ incident: z.string(), under: z.string() }),
  example: { ...example, body: { under: 'INC-2' } },
});

export const splitIncident = operation({
  ...write,
  id: 'splitIncident',
  path: '/incidents/{id}/split',
  summary: 'Take an incident out from under another',
  params,
  errors: ['not_found', 'conflict'],
  answer: z.object({ incident: z.string() }),
  example,
});

export const listEventsOperation = operation({
  ...read,
  id: 'followEvents',
  path: '/events',
  summary: 'Read timelines, the oldest event first, in an order in which nothing comes late',
  description: 'To follow, ask again with `after` set to the id of the last event that you have seen.',
  query: z.object({
    after: z.coerce.number().int().min(0).default(0).describe('Only what followed this event.'),
    limit: limit(200, 1000),
    incident: z.string().optional().describe('Only that of this incident.'),
  }),
  errors: [],
  answer: eventPage,
  example: { query: 'after=0&limit=20' },
});

export const listMaintenance = operation({
  ...read,
  id: 'listMaintenance',
  path: '/maintenance',
  summary: 'List the times in which nothing is done, the earliest end first',
  query: z.object({ limit: limit(200, 1000), after: cursor }),
  errors: ['conflict'],
  answer: maintenancePage,
});

export const beginMaintenance = operation({
  ...write,
  id: 'beginMaintenance',
  path: '/maintenance',
  summary: 'Begin a time in which nothing is done about alerts that match',
  body: z.strictObject({
    match: matchSchema.min(1).max(20),
    reason: z.string().trim().min(1).max(300),
    from: time.nullable().default(null).describe('Null is now.'),
    until: time,
  }),
  answer: json(201, maintenance, 'It is begun.'),
  example: {
    body: {
      match: ['service="checkout"'],
      reason: 'the database is moved',
      from: '2100-01-01T02:00:00Z',
      until: '2100-01-01T04:00:00Z',
    },
  },
});

export const endMaintenance = operation({
  ...write,
  id: 'endMaintenance',
  method: 'delete',
  path: '/maintenance/{id}',
  summary: 'End such a time before it is over',
  params: z.object({ id: z.string() }),
  repeat: { because: 'A repeat finds nothing to end.' },
  errors: ['not_found', 'conflict'],
  answer: z.object({ maintenance: z.string() }),
  example: { path: { id: 'mnt-0a1b2c3d' } },
});
