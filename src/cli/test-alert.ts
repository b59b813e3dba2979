import { createHmac, randomUUID } from 'node:crypto';
import type { SourceConfig } from '../config/index.ts';
import { type TestAlert, testBodyOf } from '../ingest/index.ts';

/** What is posted to a source's door, with the proof of who sends it. */
export interface TestRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const NEVER = '0001-01-01T00:00:00Z';

/**
 * Puts a test alert into the words of a source; null where its mapping does not tell what these are.
 * @throws NightshiftError `invalid_config` naming the mapping and the mistake.
 */
export async function bodyOf(source: SourceConfig, alert: TestAlert, now: Date): Promise<string | null> {
  if (source.type === 'json') return testBodyOf(source.mapping, alert);
  return JSON.stringify(
    source.type === 'pagerduty' ? pagerDutyEvent(alert, now) : notification(source.type, alert, now),
  );
}

/** @see https://prometheus.io/docs/alerting/latest/configuration/#webhook_config */
function notification(type: 'alertmanager' | 'grafana', alert: TestAlert, now: Date): object {
  const { labels, fingerprint, startsAt, resolved, summary } = alert;
  const status = resolved ? 'resolved' : 'firing';
  const annotations = { summary };
  return {
    version: type === 'grafana' ? '1' : '4',
    groupKey: `{}:{alertname=${JSON.stringify(labels.alertname ?? '')}}`,
    truncatedAlerts: 0,
    status,
    receiver: 'nightshift',
    groupLabels: { alertname: labels.alertname },
    commonLabels: labels,
    commonAnnotations: annotations,
    externalURL: '',
    alerts: [
      {
        status,
        labels,
        annotations,
        startsAt: startsAt.toISOString(),
        endsAt: resolved ? now.toISOString() : NEVER,
        generatorURL: '',
        fingerprint,
      },
    ],
  };
}

/** @see https://developer.pagerduty.com/docs/webhooks-v3-overview */
function pagerDutyEvent({ labels, fingerprint, startsAt, resolved }: TestAlert, now: Date): object {
  return {
    event: {
      id: randomUUID(),
      event_type: resolved ? 'incident.resolved' : 'incident.triggered',
      resource_type: 'incident',
      occurred_at: now.toISOString(),
      agent: null,
      data: {
        id: fingerprint,
        type: 'incident',
        number: 1,
        status: resolved ? 'resolved' : 'triggered',
        created_at: startsAt.toISOString(),
        title: labels.alertname,
        service: { type: 'service_reference', summary: labels.service ?? '' },
        urgency: 'low',
      },
    },
  };
}

/** Gives the headers that prove to this source that the body comes from its sender; `webhookToken` is the default credential. */
export function proofOf(
  source: SourceConfig,
  body: string,
  webhookToken: () => string,
  now: Date,
): TestRequest['headers'] {
  if (source.type === 'pagerduty')
    return { 'x-pagerduty-signature': source.secrets.map((secret) => `v1=${hmac(secret, body)}`).join(',') };
  if (source.type === 'grafana' && source.secret !== undefined) {
    const { signatureHeader, timestampHeader, secret } = source;
    if (timestampHeader === undefined) return { [signatureHeader]: hmac(secret, body) };
    const timestamp = String(Math.floor(now.getTime() / 1000));
    return { [signatureHeader]: hmac(secret, `${timestamp}:${body}`), [timestampHeader]: timestamp };
  }
  if (source.basic) {
    const { username, password } = source.basic;
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }
  return { authorization: `Bearer ${source.token ?? webhookToken()}` };
}

function hmac(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}
