/** What people decide, and what they want run by hand. */
import { z } from 'zod';
import { approvalPage, opened } from '../answers/incident.ts';
import { killSwitch, killSwitchAnswer } from '../answers/installation.ts';
import { cursor, json, limit, operation } from '../operation.ts';
import { labelsSchema } from '../request.ts';

export const listApprovalsOperation = operation({
  id: 'listApprovals',
  method: 'get',
  path: '/approvals',
  tag: 'approvals',
  summary: 'List what waits for a decision, the oldest first',
  role: 'viewer',
  scope: 'approvals:read',
  query: z.object({ limit: limit(100, 500), after: cursor }),
  errors: ['conflict'],
  answer: approvalPage,
});

export const decideApproval = operation({
  id: 'decideApproval',
  method: 'post',
  path: '/approvals/{id}/decision',
  tag: 'approvals',
  summary: 'Approve or deny exactly one action',
  role: 'approver',
  scope: 'approvals:decide',
  params: z.object({ id: z.string() }),
  body: z.strictObject({
    decision: z.enum(['approve', 'deny']),
    reason: z.string().max(1000).default(''),
    digest: z.string().optional().describe('That of the question, as it was shown to whoever decides.'),
  }),
  repeat: 'keyed',
  errors: ['not_found', 'conflict'],
  answer: z.object({ approval: z.string(), status: z.string() }),
  example: { path: { id: 'k3v9x2abcd' }, body: { decision: 'deny', reason: 'not during the sale' } },
});

export const runByHand = operation({
  id: 'runByHand',
  method: 'post',
  path: '/runs',
  tag: 'tools',
  summary: 'Ask for one tool, or the remedy of a runbook, to be run',
  description:
    'It passes the same policy as ever; what must be asked, somebody else approves. Nothing has run when this answers.',
  role: 'approver',
  scope: 'tools:run',
  body: z.strictObject({
    what: z.union([
      z.strictObject({ runbook: z.string().min(1).max(512) }),
      z.strictObject({ tool: z.string().min(1).max(128), arguments: z.record(z.string(), z.unknown()).default({}) }),
    ]),
    labels: labelsSchema,
    reason: z.string().min(1).max(1000),
  }),
  repeat: 'keyed',
  errors: ['not_found'],
  answer: json(202, opened, 'The incident that stands for it.'),
  example: {
    body: {
      what: { tool: 'supervisor.restart', arguments: { process: 'checkout' } },
      labels: { region: 'eu' },
      reason: 'it hangs again',
    },
  },
});

export const showKillSwitch = operation({
  id: 'showKillSwitch',
  method: 'get',
  path: '/kill-switch',
  tag: 'kill switch',
  summary: 'Show whether everything is stopped',
  role: 'viewer',
  scope: 'incidents:read',
  answer: killSwitch,
});

export const setKillSwitch = operation({
  id: 'setKillSwitch',
  method: 'post',
  path: '/kill-switch',
  tag: 'kill switch',
  summary: 'Stop everything, or ask for its release',
  role: 'approver',
  scope: 'kill-switch:write',
  body: z.strictObject({ engaged: z.boolean(), reason: z.string().max(1000).default('') }),
  repeat: 'keyed',
  errors: ['conflict'],
  answer: killSwitchAnswer,
  example: { body: { engaged: true, reason: 'the database is being moved' } },
});
