import { createHash } from 'node:crypto';
import type { ConsoleScene } from './console-scene.ts';

/** Where alerts are sent, and what they are about. */
export type Addressed = Pick<ConsoleScene, 'url' | 'webhookToken' | 'victim'>;

const SUMMARIES: Readonly<Record<string, string>> = {
  ServiceDown: 'checkout does not answer',
  JobSpoolStuck: 'jobs pile up in the spool of checkout',
  CertificateExpiresSoon: 'the certificate of checkout ends within 14 days',
};

interface Told {
  readonly severity: string;
  readonly expr: string;
  /** Whose it is; alerts of one name and one service are of one incident. */
  readonly service?: string;
  /** When it began, where it is over; it fires from now on where this is left out. */
  readonly over?: string;
}

/** Sends one alert about the service as Alertmanager would, with the link to the expression that Prometheus evaluates; gives when it began. */
export async function sendAlert(
  { url, webhookToken, victim }: Addressed,
  alertname: string,
  { severity, expr, service = 'checkout', over }: Told,
): Promise<string> {
  const now = new Date().toISOString();
  const [status, startsAt] = over === undefined ? ['firing', now] : ['resolved', over];
  const alert = {
    status,
    labels: {
      alertname,
      severity,
      process: 'checkout',
      service,
      spool: 'checkout',
      instance: victim.target,
    },
    annotations: { summary: SUMMARIES[alertname] ?? alertname },
    startsAt,
    endsAt: over === undefined ? '0001-01-01T00:00:00Z' : now,
    generatorURL: `http://prometheus.test/graph?${new URLSearchParams({ 'g0.expr': expr })}`,
    fingerprint: createHash('sha256').update(`${alertname} ${service}`).digest('hex').slice(0, 16),
  };
  const response = await fetch(`${url}/webhooks/alertmanager`, {
    method: 'POST',
    headers: { authorization: `Bearer ${webhookToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ version: '4', groupKey: alertname, status, receiver: 'nightshift', alerts: [alert] }),
  });
  if (!response.ok) throw new Error(`the alert was answered with ${response.status}: ${await response.text()}`);
  return startsAt;
}
