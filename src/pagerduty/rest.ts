/**
 * PagerDuty's REST API v2, as far as it is used here. Its schema: https://github.com/PagerDuty/api-schema/blob/main/reference/REST/openapiv3.json;
 * updating an incident: https://developer.pagerduty.com/api-reference/8a0e1aa2ec666-update-an-incident; who is on call:
 * https://developer.pagerduty.com/api-reference/3a6b910f11050-list-all-of-the-on-calls; its limits: https://developer.pagerduty.com/docs/rest-api-rate-limits
 */
import { z } from 'zod';
import { SendFailed, sendRequest } from '../notify/index.ts';

const PAGE = 100;
const PAGES_MAX = 10;

const assigneeSchema = z.looseObject({ assignee: z.looseObject({ id: z.string() }) });
const incidentSchema = z.looseObject({
  incident: z.looseObject({
    status: z.enum(['triggered', 'acknowledged', 'resolved']),
    assignments: z.array(assigneeSchema).default([]),
    escalation_policy: z.looseObject({ id: z.string() }).nullish(),
  }),
});
const notesSchema = z.looseObject({ notes: z.array(z.looseObject({ content: z.string().nullish() })) });
const onCallsSchema = z.looseObject({
  oncalls: z.array(
    z.looseObject({ escalation_level: z.number().int(), user: z.looseObject({ id: z.string() }).nullish() }),
  ),
  more: z.boolean().nullish(),
});

export interface SeenIncident {
  readonly status: 'triggered' | 'acknowledged' | 'resolved';
  /** Ids of the users it is assigned to. */
  readonly assignees: readonly string[];
  readonly policyId: string | null;
}

export interface OnCall {
  readonly level: number;
  readonly userId: string;
}

/** What this part of the API can be asked; every method throws SendFailed where it was not done, or may not have been. */
export interface RestApi {
  incident(id: string): Promise<SeenIncident>;
  update(
    id: string,
    change: { status: 'acknowledged' } | { status: 'resolved'; resolution: string } | { escalation_level: number },
  ): Promise<void>;
  addNote(id: string, content: string): Promise<void>;
  /** Gives the text of every note of an incident. */
  notes(id: string): Promise<string[]>;
  /** Gives who is on call now on each level of an escalation policy; levels begin with 1. */
  onCalls(policyId: string): Promise<OnCall[]>;
}

/** Makes the client; `from` is the PagerDuty user in whose name it writes. It never tries again by itself. */
export function createRestApi({ token, from, url }: { token: string; from: string; url: string }): RestApi {
  const headers = { authorization: `Token token=${token}`, accept: 'application/vnd.pagerduty+json;version=2' };
  const base = url.replace(/\/+$/, '');
  const ask = async <T>(path: string, schema: z.ZodType<T>): Promise<T> =>
    read(await sendRequest(`${base}${path}`, { method: 'GET', headers }), schema);
  const write = async (method: 'PUT' | 'POST', path: string, body: unknown) => {
    await sendRequest(`${base}${path}`, { method, headers: { ...headers, from }, body });
  };
  const at = (id: string) => `/incidents/${encodeURIComponent(id)}`;
  return {
    async incident(id) {
      const { incident } = await ask(at(id), incidentSchema);
      return {
        status: incident.status,
        assignees: incident.assignments.map(({ assignee }) => assignee.id),
        policyId: incident.escalation_policy?.id ?? null,
      };
    },
    update: (id, change) => write('PUT', at(id), { incident: { type: 'incident_reference', ...change } }),
    addNote: (id, content) => write('POST', `${at(id)}/notes`, { note: { content } }),
    async notes(id) {
      return (await ask(`${at(id)}/notes`, notesSchema)).notes.map(({ content }) => content ?? '');
    },
    async onCalls(policyId) {
      const found: OnCall[] = [];
      for (let page = 0; page < PAGES_MAX; page += 1) {
        const query = new URLSearchParams([
          ['escalation_policy_ids[]', policyId],
          ['limit', String(PAGE)],
          ['offset', String(page * PAGE)],
        ]);
        const { oncalls, more } = await ask(`/oncalls?${query}`, onCallsSchema);
        for (const { escalation_level: level, user } of oncalls) if (user) found.push({ level, userId: user.id });
        if (!more) break;
      }
      return found;
    },
  };
}

function read<T>(text: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new SendFailed('its answer is not that of the REST API v2', { perhapsDone: false });
  }
}
