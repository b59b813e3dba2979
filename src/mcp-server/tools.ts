import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { citeAll, showIncident, showIncidentWhole } from '../api/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { storedJudgements } from '../gate/index.ts';
import { type Principal, reaches } from '../identity/index.ts';
import { incidentName, listIncidents, parseIncidentName, STATES } from '../incident/index.ts';
import type { CallToolResult, RequestHandlerExtra, ServerNotification, ServerRequest } from '../mcp-sdk/index.ts';
import type { McpServer } from '../mcp-sdk/server-http.ts';
import { retrievePastIncidents, retrieveRunbooks } from '../rag/index.ts';
import { redactValue } from '../telemetry/index.ts';
import { offerTo } from './offer.ts';
import type { McpPorts } from './ports.ts';

const WAIT_POLL_MS = 500;
const WAIT_SECONDS_MAX = 120;
const FOUND_MAX = 10;

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

const incident = z.string().min(1).max(20).describe('The incident, as INC-7.');
const labels = z
  .record(z.string().min(1).max(128), z.string().max(1024))
  .default({})
  .describe('Labels as of an alert: they choose the system, and are what the policy goes by.');

/** Adds the tools: five that look, one that proposes, one that says why something was decided. */
export function addTools(server: McpServer, ports: McpPorts, principal: Principal): void {
  const { db, services, people, catalogue, look, embedder } = ports;
  const reads = { readOnlyHint: true, openWorldHint: false };
  const offer = offerTo(principal);

  offer(
    'incidents:read',
    server.registerTool(
      'list_incidents',
      {
        title: 'List incidents',
        description: 'Lists incidents, the newest first, with state, severity, service and who is next.',
        inputSchema: {
          state: z.enum(STATES).optional().describe('Only incidents in this state.'),
          limit: z.number().int().min(1).max(100).default(20).describe('How many at most.'),
        },
        annotations: reads,
      },
      ({ state, limit }) =>
        answer(async () => {
          const incidents = await listIncidents(db, { limit, ...(state ? { states: [state] } : {}) });
          return { incidents: incidents.map((one) => showIncident(one, services)) };
        }),
    ),
  );

  offer(
    'incidents:read',
    server.registerTool(
      'get_incident',
      {
        title: 'Show an incident',
        description:
          'Shows one incident whole: alerts, evidence, diagnosis, actions, approvals, timeline. With waitSeconds it answers as soon as the state changes.',
        inputSchema: {
          incident,
          waitSeconds: z
            .number()
            .int()
            .min(0)
            .max(WAIT_SECONDS_MAX)
            .default(0)
            .describe('Wait this long for another state.'),
        },
        annotations: reads,
      },
      ({ incident: name, waitSeconds }, extra) =>
        answer(async () => {
          const id = idOf(name);
          if (waitSeconds > 0) await untilChanged(() => showIncidentWhole(db, id, services), waitSeconds, extra);
          return { ...(await showIncidentWhole(db, id, services)) };
        }),
    ),
  );

  offer(
    'runbooks:read',
    server.registerTool(
      'search_runbooks',
      {
        title: 'Search runbooks',
        description:
          'Finds the runbooks that fit a text or an alert, with lines to cite and why each was found; none where no runbook fits.',
        inputSchema: {
          query: z.string().min(1).max(2000).describe('What is the matter, in words.'),
          alertname: z.string().max(200).optional().describe('The name of the alert, where there is one.'),
          limit: z.number().int().min(1).max(FOUND_MAX).default(5),
        },
        annotations: reads,
      },
      ({ query, alertname, limit }) =>
        answer(async () => {
          const found = await retrieveRunbooks(db, {
            labels: named(alertname),
            annotations: { summary: query },
            limit,
            embedder,
          });
          return { found: citeAll(found), fits: found.length > 0 };
        }),
    ),
  );

  offer(
    'incidents:read',
    server.registerTool(
      'search_past_incidents',
      {
        title: 'Search past incidents',
        description: 'Finds closed incidents that resemble this: what it was, what was tried, whether that worked.',
        inputSchema: {
          query: z.string().min(1).max(2000).describe('What is the matter, in words.'),
          alertname: z.string().max(200).optional(),
          limit: z.number().int().min(1).max(FOUND_MAX).default(5),
        },
        annotations: reads,
      },
      ({ query, alertname, limit }) =>
        answer(async () => {
          const found = await retrievePastIncidents(db, {
            labels: named(alertname),
            annotations: { summary: query },
            limit,
            embedder,
          });
          return { found: found.map(({ incidentId, ...one }) => ({ incident: incidentName(incidentId), ...one })) };
        }),
    ),
  );

  offer(
    'incidents:read',
    server.registerTool(
      'query_metrics',
      {
        title: 'Query metrics',
        description: 'Evaluates a PromQL expression in the Prometheus that is configured for these labels.',
        inputSchema: {
          query: z.string().min(1).max(4096),
          time: z.string().optional().describe('RFC 3339; now otherwise.'),
          labels,
        },
        annotations: reads,
      },
      ({ query, time, labels: set }, { signal }) =>
        answer(async () => {
          const resolution = catalogue.resolve('prometheus.query', { query, ...(time ? { time } : {}) }, set);
          if (!resolution.ok) throw new NightshiftError('invalid_payload', resolution.message);
          const result = await look(resolution.call, signal);
          if (result.outcome !== 'succeeded') throw new NightshiftError('tool_failed', result.error);
          return { ...result.result };
        }),
    ),
  );

  offer(
    'tools:run',
    server.registerTool(
      'propose_action',
      {
        title: 'Propose an action',
        description:
          'Asks Nightshift to run one tool, or the first remedy of a runbook. It opens an incident; the policy decides, and where it asks, a person approves elsewhere. Nothing has run when this answers.',
        inputSchema: {
          tool: z.string().max(128).optional().describe('TOOLSET.VERB; or give runbook.'),
          arguments: z.record(z.string(), z.unknown()).default({}),
          runbook: z.string().max(512).optional().describe('Path of a runbook; or give tool.'),
          labels,
          reason: z.string().min(1).max(1000).describe('Why, for the person who decides.'),
        },
        annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
      },
      ({ tool, arguments: args, runbook, labels: set, reason }) =>
        answer(async () => {
          if (!reaches(principal.role, 'approver'))
            throw new NightshiftError('forbidden', `${principal.name} is ${principal.role}; proposing needs approver`);
          if ((tool === undefined) === (runbook === undefined))
            throw new NightshiftError('invalid_payload', 'tool, runbook: give exactly one of them');
          const what = tool === undefined ? { runbook: runbook ?? '' } : { tool, arguments: args };
          const { incidentId } = await people.run({ what, labels: set, reason, by: principal.name, via: 'mcp' });
          return { incident: incidentName(incidentId), next: 'get_incident with waitSeconds tells what was decided' };
        }),
    ),
  );

  offer(
    'policy:read',
    server.registerTool(
      'explain_policy',
      {
        title: 'Explain a decision',
        description:
          'Says what the policy decided about the actions of an incident, or about one action, and which rules said so.',
        inputSchema: { of: z.string().min(1).max(40).describe('An incident as INC-7, or an action as act-….') },
        annotations: reads,
      },
      ({ of }) =>
        answer(async () => {
          const judgements = await storedJudgements(
            db,
            of.startsWith('act-') ? { action: of } : { incidentId: idOf(of) },
          );
          return {
            judgements: judgements.map(({ incidentId, ...one }) => ({ ...one, incident: incidentName(incidentId) })),
          };
        }),
    ),
  );
}

function named(alertname: string | undefined): Record<string, string> {
  return alertname === undefined ? {} : { alertname };
}

function idOf(text: string): number {
  const id = parseIncidentName(text);
  if (id === null)
    throw new NightshiftError('invalid_payload', `${JSON.stringify(text)} is no incident. Fix: write it as INC-7`);
  return id;
}

/** Answers with what was found, secrets taken out; what went wrong is an answer too, in our own words. */
async function answer(find: () => Promise<Record<string, unknown>>): Promise<CallToolResult> {
  try {
    const found = redactValue(JSON.parse(JSON.stringify(await find()))) as Record<string, unknown>;
    return { content: [{ type: 'text', text: JSON.stringify(found) }], structuredContent: found };
  } catch (error) {
    const text =
      error instanceof NightshiftError ? messageOf(error) : 'this failed inside Nightshift; its log says more';
    return { isError: true, content: [{ type: 'text', text }] };
  }
}

/** Waits for another state, and tells of each new event meanwhile where the client wants to hear of progress. */
async function untilChanged(
  show: () => Promise<{ state: string; events: readonly { type: string }[] }>,
  seconds: number,
  { signal, sendNotification, _meta }: Extra,
): Promise<void> {
  const first = await show();
  const endsAt = Date.now() + seconds * 1000;
  const progressToken = _meta?.progressToken;
  let known = first.events.length;
  while (Date.now() < endsAt && !signal.aborted) {
    await sleep(WAIT_POLL_MS, undefined, { signal }).catch(() => {});
    const now = await show();
    if (progressToken !== undefined && now.events.length > known) {
      const message = now.events
        .slice(known)
        .map(({ type }) => type)
        .join(', ');
      await sendNotification({
        method: 'notifications/progress',
        params: { progressToken, progress: now.events.length, message },
      });
    }
    known = now.events.length;
    if (now.state !== first.state) return;
  }
}
