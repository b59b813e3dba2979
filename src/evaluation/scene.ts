import { readFileSync } from 'node:fs';
import { Agent, fetch } from 'undici';
import { type ShownIncident, shownIncidentSchema } from './observe.ts';

/** People of the scene, as many as the gravest call needs. */
export const PEOPLE = ['first.person', 'second.person'];
/** A connection for each request: one that was kept may be closed from the other side just when it is used again. */
const dispatcher = new Agent({ pipelining: 0 });

/** What everybody around a Nightshift does: whoever sends alerts, whoever answers, and whoever looks. */
export interface Scene {
  incident(id: number): Promise<ShownIncident>;
  deliver(alerts: readonly object[], status: 'firing' | 'resolved'): Promise<number[]>;
  decide(person: string, approval: { id: string; digest: string }, decision: 'approve' | 'deny'): Promise<void>;
}

/** Gets a token for each person of the scene. */
export async function enterScene(app: {
  url: string;
  adminTokenFile: string;
  webhookTokenFile: string;
}): Promise<Scene> {
  const [admin, webhook] = [app.adminTokenFile, app.webhookTokenFile].map((file) => readFileSync(file, 'utf8').trim());
  const request = async (path: string, token: string, body?: unknown) => {
    const response = await fetch(`${app.url}${path}`, {
      dispatcher,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${String(answer.detail)}`);
    return answer;
  };
  const tokens = new Map<string, string>();
  for (const name of PEOPLE) {
    const { secret } = await request('/api/v1/tokens', admin ?? '', { name, role: 'approver' });
    tokens.set(name, String(secret));
  }
  return {
    incident: async (id) => shownIncidentSchema.parse(await request(`/api/v1/incidents/${id}`, admin ?? '')),
    async deliver(alerts, status) {
      const body = { version: '4', groupKey: '{}:{}', status, receiver: 'nightshift', alerts };
      const { incidents } = await request('/webhooks/alertmanager', webhook ?? '', body);
      return (incidents as number[] | undefined) ?? [];
    },
    async decide(person, { id, digest }, decision) {
      await request(`/api/v1/approvals/${id}/decision`, tokens.get(person) ?? '', { decision, digest, reason: '' });
    },
  };
}
