/** What nightshift.yaml says in a run. */
import { FROM, ROUTING_KEY, TOKEN } from '../integration/support/pagerduty.ts';
import { PAGERDUTY_SECRET } from './clients.ts';
import type { MailServer } from './mail.ts';
import type { Plan } from './plan.ts';
import { BOT_TOKEN, CHANNEL, SIGNING_SECRET } from './slack.ts';
import type { Templates } from './templates.ts';

export interface SettingsOptions {
  readonly plan: Plan;
  readonly templates: Pick<Templates, 'runbooks' | 'policies'>;
  /** Where the outside is for this replica. */
  readonly outsideUrl: string;
  readonly pagerDutyUrl: string;
  readonly host: string;
  readonly port: number;
  readonly mail: MailServer;
  readonly mailbox: string;
  readonly clockOffsetMs: number;
}

/** Gives the settings of one replica; nothing in them waits long. */
export function settingsOf({
  plan,
  templates,
  outsideUrl,
  pagerDutyUrl,
  host,
  port,
  mail,
  mailbox,
  clockOffsetMs,
}: SettingsOptions): object {
  return {
    mode: 'auto',
    server: { host, port },
    dataDir: '.',
    runbooks: [templates.runbooks],
    policies: [templates.policies],
    sources: {
      alertmanager: { type: 'alertmanager' },
      pagerduty: {
        type: 'pagerduty',
        secrets: [PAGERDUTY_SECRET],
        api: { token: TOKEN, from: FROM, url: pagerDutyUrl },
      },
    },
    toolsets: { rig: { uses: 'rig', ledger: outsideUrl, clockOffsetMs } },
    models: plan.model
      ? [{ provider: 'openai', model: 'chaos', apiKey: 'chaos', baseUrl: `${outsideUrl}/model/v1`, timeoutSeconds: 2 }]
      : [],
    correlation: {
      by: ['alertname', 'service'],
      storm: { incidents: 10_000, withinSeconds: 1 },
      flapping: { times: 1000 },
    },
    people: [{ name: 'sre1', role: 'approver' }],
    verification: { intervalSeconds: 0.5, settleSeconds: 0, confirmWithinSeconds: 600 },
    limits: {
      perTargetTenMinutes: 100,
      perTargetDay: 1000,
      perNamespaceHour: 1000,
      ineffectiveSeconds: 0,
      gatherSeconds: 2,
      alertAgeSeconds: 86_400,
    },
    ...(plan.slack
      ? {
          slack: {
            botToken: BOT_TOKEN,
            channel: CHANNEL,
            signingSecret: SIGNING_SECRET,
            apiUrl: `${outsideUrl}/slack/api/`,
          },
          approval: { cardsPerHour: 100 },
        }
      : {}),
    escalation: {
      webhook: `${outsideUrl}/hook`,
      ...(plan.pages ? { pagerduty: { routingKey: ROUTING_KEY, url: `${pagerDutyUrl}/v2/enqueue` } } : {}),
      ...(plan.smtp
        ? {
            smtp: {
              host: new URL(outsideUrl).hostname,
              port: mail.port,
              from: 'nightshift@example.com',
              to: [mailbox],
            },
          }
        : {}),
    },
    backup: { everyHours: plan.snapshots ? 24 : 0 },
  };
}
