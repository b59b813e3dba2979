/**
 * PagerDuty for tests: an HTTP server that takes only what its documented schemas allow (https://github.com/PagerDuty/api-schema, REST and
 * events-v2), answers 4xx where it would, keeps incidents, notes and alerts, and writes down every request and every page.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { listen } from './doubles.ts';

export const FROM = 'nightshift@example.com';
/** In parts, so that nothing takes them for real ones. */
export const TOKEN = ['y_NbAkKc66', 'ryYTWUXYEu'].join('');
export const ROUTING_KEY = ['e93facc04764012d', '7bfb002500d5d1a6'].join('');

export interface PagerDutyCall {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

export interface PagerDutyIncident {
  status: 'triggered' | 'acknowledged' | 'resolved';
  /** Ids of users. */
  assignees: string[];
  readonly notes: string[];
}

/** What becomes of a request: as in `outgoing-emulator.ts` of the Slack tests. */
export type Fate = 'pass' | 'lose' | 'lose the answer' | { status: number; headers?: Record<string, string> };

export interface PagerDutyDouble {
  readonly url: string;
  readonly eventsUrl: string;
  readonly incidents: Map<string, PagerDutyIncident>;
  /** What the Events API v2 was sent and took, by `dedup_key`: whether that alert is open, and its severity. */
  readonly alerts: Map<string, { open: boolean; severity: string; summary: string }>;
  /** Every request, also those that were refused. */
  readonly calls: PagerDutyCall[];
  /** Every answer of 4xx that was not asked for by a fate. */
  readonly refusals: string[];
  /** Who was paged, by escalation or by event. */
  readonly pages: string[];
  /** Users on call by level, the first level first. */
  levels: string[][];
  fate: (call: PagerDutyCall) => Fate;
  open(id: string): PagerDutyIncident;
  writes(kind?: 'PUT' | 'POST'): PagerDutyCall[];
  stop(): Promise<void>;
}

const updateSchema = z.strictObject({
  incident: z
    .strictObject({
      type: z.enum(['incident', 'incident_reference']),
      status: z.enum(['acknowledged', 'resolved']).optional(),
      resolution: z.string().optional(),
      title: z.string().optional(),
      urgency: z.enum(['high', 'low']).optional(),
      escalation_level: z.number().int().min(1).optional(),
    })
    .refine(({ status, resolution }) => resolution === undefined || status === 'resolved'),
});
const noteSchema = z.strictObject({ note: z.strictObject({ content: z.string().min(1).max(25_000) }) });
const enqueueSchema = z.strictObject({
  routing_key: z.string().length(32),
  event_action: z.enum(['trigger', 'acknowledge', 'resolve']),
  dedup_key: z.string().max(255).optional(),
  client: z.string().optional(),
  client_url: z.url().optional(),
  links: z.array(z.strictObject({ href: z.url(), text: z.string().optional() })).optional(),
  images: z.array(z.strictObject({ src: z.url() })).optional(),
  payload: z
    .strictObject({
      summary: z.string().min(1).max(1024),
      source: z.string().min(1),
      severity: z.enum(['critical', 'warning', 'error', 'info']),
      timestamp: z.iso.datetime({ offset: true }).optional(),
      component: z.string().optional(),
      group: z.string().optional(),
      class: z.string().optional(),
      custom_details: z.record(z.string(), z.unknown()).optional(),
    })
    .optional(),
});

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const refused = (status: number, ...errors: string[]): Answer => ({
  status,
  body: { error: { code: 2001, message: 'Invalid Input Provided', errors } },
});

/** Starts it on a free loopback port. */
export async function startPagerDuty(): Promise<PagerDutyDouble> {
  const reference = (id: string, type: string) => ({ id, type, summary: id });
  const shown = (id: string, { status, assignees }: PagerDutyIncident) => ({
    incident: {
      id,
      type: 'incident',
      status,
      escalation_policy: reference('PT20YPA', 'escalation_policy_reference'),
      assignments: assignees.map((user) => ({
        at: '2026-11-01T10:00:00Z',
        assignee: reference(user, 'user_reference'),
      })),
    },
  });

  function update(id: string, incident: PagerDutyIncident, body: unknown): Answer {
    const parsed = updateSchema.safeParse(body);
    if (!parsed.success) return refused(400, parsed.error.message);
    if (incident.status === 'resolved') return refused(400, 'Incident Already Resolved');
    const { status, escalation_level: level } = parsed.data.incident;
    if (level !== undefined) {
      const users = double.levels[level - 1];
      if (!users) return refused(400, 'Escalation level is not in the policy');
      Object.assign(incident, { assignees: [...users], status: 'triggered' });
      double.pages.push(...users);
    }
    if (status !== undefined) incident.status = status;
    return { status: 200, body: shown(id, incident) };
  }

  function enqueue(body: unknown): Answer {
    const parsed = enqueueSchema.safeParse(body);
    if (!parsed.success) return { status: 400, body: { status: 'invalid event', errors: [parsed.error.message] } };
    const { event_action: action, dedup_key: key = 'new', payload, routing_key: routingKey } = parsed.data;
    if (routingKey !== ROUTING_KEY || (action === 'trigger' && !payload) || (action !== 'trigger' && key === 'new'))
      return { status: 400, body: { status: 'invalid event', errors: ['routing_key, payload or dedup_key'] } };
    const known = double.alerts.get(key);
    if (action === 'trigger' && payload) {
      if (!known?.open) double.pages.push(key);
      double.alerts.set(key, { open: true, severity: payload.severity, summary: payload.summary });
    } else if (known) known.open = action !== 'resolve';
    return { status: 202, body: { status: 'success', message: 'Event processed', dedup_key: key } };
  }

  function answer(request: IncomingMessage, { method, path, body }: PagerDutyCall): Answer {
    const { headers } = request;
    if (method !== 'GET' && headers['content-type'] !== 'application/json') return refused(415, 'Content-Type');
    if (path === '/v2/enqueue' && method === 'POST') return enqueue(body);
    if (headers.authorization !== `Token token=${TOKEN}`) return { status: 401, body: { error: { code: 2006 } } };
    if (headers.accept !== 'application/vnd.pagerduty+json;version=2') return refused(406, 'Accept');
    if (method !== 'GET' && headers.from !== FROM) return refused(400, 'Requester User Not Found');
    const url = new URL(path, 'http://pagerduty');
    if (url.pathname === '/oncalls' && method === 'GET') {
      if (url.searchParams.get('escalation_policy_ids[]') !== 'PT20YPA') return refused(400, 'policy');
      const all = double.levels.flatMap((users, index) =>
        users.map((user) => ({ escalation_level: index + 1, user: reference(user, 'user_reference'), schedule: null })),
      );
      const [offset, limit] = [Number(url.searchParams.get('offset')), Number(url.searchParams.get('limit'))];
      if (limit > 100) return refused(400, 'limit');
      return { status: 200, body: { oncalls: all.slice(offset, offset + limit), more: all.length > offset + limit } };
    }
    const [, id = '', rest = ''] = /^\/incidents\/([A-Z0-9]+)(\/notes)?$/.exec(url.pathname) ?? [];
    const incident = double.incidents.get(id);
    if (!incident) return { status: 404, body: { error: { code: 2100, message: 'Not Found' } } };
    if (rest === '' && method === 'GET') return { status: 200, body: shown(id, incident) };
    if (rest === '' && method === 'PUT') return update(id, incident, body);
    if (rest === '/notes' && method === 'GET')
      return { status: 200, body: { notes: incident.notes.map((content, n) => ({ id: `N${n}`, content })) } };
    if (rest === '/notes' && method === 'POST') {
      const parsed = noteSchema.safeParse(body);
      if (!parsed.success) return refused(400, parsed.error.message);
      incident.notes.push(parsed.data.note.content);
      return { status: 200, body: { note: { id: `N${incident.notes.length}`, ...parsed.data.note } } };
    }
    return { status: 404, body: {} };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const raw = await text(request);
    const call = { method: request.method ?? '', path: request.url ?? '', body: raw === '' ? null : parsed(raw) };
    double.calls.push(call);
    const fate = double.fate(call);
    if (fate === 'lose') return void response.destroy();
    if (typeof fate === 'object') return void response.writeHead(fate.status, fate.headers).end('{}');
    const { status, body } = answer(request, call);
    if (status >= 400) double.refusals.push(`${call.method} ${call.path}: ${JSON.stringify(body)}`);
    if (fate === 'lose the answer') return void response.destroy();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  }

  const server = createServer((request, response) => void handle(request, response));
  const address = await listen(server);
  const double: PagerDutyDouble = {
    url: `http://${address}`,
    eventsUrl: `http://${address}/v2/enqueue`,
    incidents: new Map(),
    alerts: new Map(),
    calls: [],
    refusals: [],
    pages: [],
    levels: [['PANNA1'], ['PBERT2'], ['PCARA3']],
    fate: () => 'pass',
    open(id) {
      const incident: PagerDutyIncident = { status: 'triggered', assignees: [...(double.levels[0] ?? [])], notes: [] };
      double.incidents.set(id, incident);
      return incident;
    },
    writes: (kind) => double.calls.filter(({ method }) => (kind === undefined ? method !== 'GET' : method === kind)),
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
}

function parsed(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return raw;
  }
}
