/** Whoever talks to the replicas of a run from outside: senders of alerts, who try again, and the API's clients, who go to another replica. */
import { createHmac } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../attacks/random.ts';
import type { AcceptedAlert } from './judge.ts';
import type { Replica } from './replica.ts';

export const PAGERDUTY_SECRET = ['chaos-pagerduty', '7d4e2f9a6b1c'].join('-');
const ATTEMPT_MS = 8000;
const AGAIN_MS = 700;
const API_MS = 8000;

export interface Clients {
  /** Sends an alert as its sender would: again and again, to whichever replica, until it got a 2xx or `until` is over. */
  deliver(alert: AlertToSend): Promise<AcceptedAlert | null>;
  /** Asks whichever replica serves, or the one of this number; null where none answers. */
  api(
    path: string,
    options?: { body?: unknown; token?: string; replica?: number },
  ): Promise<{ status: number; body: unknown } | null>;
}

export interface AlertToSend extends AcceptedAlert {
  readonly alertname: string;
  readonly from: 'alertmanager' | 'pagerduty';
}

/** Makes the clients of a run. `isOver` ends what is tried again. */
export function createClients(options: {
  replicas: readonly Replica[];
  webhookToken: string;
  adminToken: string;
  random: Random;
  isOver: () => boolean;
  /** Told of an answer that a sender takes for its own fault, after which it drops what it had to say. */
  onRefused: (words: string) => void;
}): Clients {
  const { replicas, webhookToken, adminToken, random, isOver, onRefused } = options;
  const serving = () => replicas.filter((replica) => replica.serving());

  return {
    async deliver(alert) {
      const { path, body, headers } =
        alert.from === 'pagerduty' ? pagerDutyEvent(alert) : alertmanagerBody(alert, webhookToken);
      while (!isOver()) {
        // A load balancer goes on sending to what hangs, and stops sending to what has ended.
        const open = replicas.filter((replica) => replica.serving() || replica.frozen());
        if (open.length > 0) {
          const { url } = random.pick(open);
          const status = await fetch(`${url}${path}`, {
            method: 'POST',
            headers,
            body,
            signal: AbortSignal.timeout(ATTEMPT_MS),
          })
            .then(async (response) => {
              await response.arrayBuffer();
              return response.status;
            })
            .catch(() => 0);
          if (status >= 400 && status < 500) {
            onRefused(`${alert.service}: its alert was answered with ${status}`);
            return null;
          }
          if (status >= 200 && status < 300) {
            const { service, round, status: said, startsAt } = alert;
            return { service, round, status: said, startsAt };
          }
        }
        await sleep(AGAIN_MS);
      }
      return null;
    },
    async api(path, { body, token = adminToken, replica } = {}) {
      const open = replica === undefined ? serving() : replicas.slice(replica, replica + 1);
      if (open.length === 0) return null;
      const { url } = open[random.int(open.length)] as Replica;
      try {
        const response = await fetch(`${url}/api/v1${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(API_MS),
        });
        return { status: response.status, body: (await response.json()) as unknown };
      } catch {
        return null;
      }
    },
  };
}

function alertmanagerBody({ alertname, service, status, startsAt }: AlertToSend, token: string) {
  const labels = { alertname, service, severity: 'critical' };
  const alert = {
    status,
    labels,
    annotations: { summary: `${service} is ill` },
    startsAt,
    endsAt: status === 'resolved' ? new Date().toISOString() : '0001-01-01T00:00:00Z',
    generatorURL: '',
    fingerprint: Buffer.from(service.padEnd(8)).toString('hex'),
  };
  return {
    path: '/webhooks/alertmanager',
    body: JSON.stringify({ version: '4', groupKey: `{}:{service="${service}"}`, status, alerts: [alert] }),
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  };
}

/** Gives the id of the incident that PagerDuty has for a service. */
export function pagerDutyId(service: string): string {
  return `Q${service.toUpperCase().replace('-', '')}`;
}

function pagerDutyEvent({ alertname, service, status, startsAt, round }: AlertToSend) {
  const event = {
    id: `E${pagerDutyId(service)}R${round}${status}`,
    event_type: status === 'firing' ? 'incident.triggered' : 'incident.resolved',
    resource_type: 'incident',
    occurred_at: new Date().toISOString(),
    data: {
      id: pagerDutyId(service),
      type: 'incident',
      title: alertname,
      created_at: startsAt,
      urgency: 'high',
      service: { id: 'PSVC', summary: service, type: 'service_reference' },
    },
  };
  const body = JSON.stringify({ event });
  const signature = createHmac('sha256', PAGERDUTY_SECRET).update(body).digest('hex');
  return {
    path: '/webhooks/pagerduty',
    body,
    headers: { 'content-type': 'application/json', 'x-pagerduty-signature': `v1=${signature}` },
  };
}
