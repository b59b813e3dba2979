/** What is asked beside the API itself: by senders of alerts, and by whatever watches the process. */
import { z } from 'zod';
import { anything } from '../answers/component.ts';
import { delivered, health, readiness } from '../answers/installation.ts';
import { json, operation, text } from '../operation.ts';

const open = { method: 'get', tag: 'health', root: true, role: null, scope: null } as const;

export const showHealth = operation({
  ...open,
  id: 'showHealth',
  path: '/healthz',
  summary: 'Tell whether the process runs',
  answer: health,
});

export const showReadiness = operation({
  ...open,
  id: 'showReadiness',
  path: '/readyz',
  summary: 'Tell whether it takes work, and its database answers; 503 while it starts or stops',
  errors: ['database_unavailable'],
  answer: readiness,
});

export const showMetrics = operation({
  ...open,
  id: 'showMetrics',
  path: '/metrics',
  summary: "Show metrics in Prometheus's text format",
  errors: ['database_unavailable'],
  answer: text('text/plain', 'See docs/monitoring.md.'),
});

export const deliverAlerts = operation({
  id: 'deliverAlerts',
  method: 'post',
  path: '/webhooks/{source}',
  tag: 'webhooks',
  root: true,
  summary: 'Deliver alerts',
  description:
    'By Alertmanager, Grafana, PagerDuty or anything that sends JSON, each with a token, a signature or a password of its own, which opens nothing else: see docs/sources.md. Deliveries repeat themselves and are recognised by what is in them.',
  role: null,
  scope: null,
  params: z.object({ source: z.string().describe('alertmanager, or a source of nightshift.yaml.') }),
  body: anything,
  repeat: { because: 'What was delivered already is recognised.' },
  errors: ['unauthorized', 'unsupported_version', 'busy', 'database_unavailable'],
  answer: json(202, delivered, 'All of it is committed.'),
  example: {
    path: { source: 'alertmanager' },
    body: {
      version: '4',
      alerts: [
        {
          status: 'firing',
          startsAt: '2026-11-21T03:00:00Z',
          labels: { alertname: 'ServiceDown', service: 'checkout' },
          annotations: { summary: 'checkout does not answer' },
        },
      ],
    },
  },
});
