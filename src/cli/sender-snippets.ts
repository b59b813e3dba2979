import { parseMatchers } from '../alert/index.ts';
import type { GrafanaSource } from '../config/index.ts';

/** How a sender shows who it is; what is secret is the path of a file, or the secret itself where that was asked for. */
export type Credential =
  | { readonly kind: 'bearer' | 'signature'; readonly secret: Secret }
  | { readonly kind: 'basic'; readonly username: string; readonly secret: Secret }
  | { readonly kind: 'certificate' };
export type Secret = { readonly file: string } | { readonly clear: string };

export interface AlertmanagerSnippet {
  readonly url: string;
  readonly credential: Credential;
  /** How long the pager waits, as Alertmanager writes it, for example 5m; null where it does not wait. */
  readonly hold: string | null;
  /** Matchers in Alertmanager's syntax; what one of them selects goes to the pager at once, too. */
  readonly exempt: readonly string[];
  /** Name of the receiver that pages people. */
  readonly receiver: string;
  /** The labels by which Nightshift correlates: alerts of one incident may come together. */
  readonly groupBy: readonly string[];
}

/** More alerts than this are refused; what Alertmanager leaves out, it counts. */
const ALERTS_MAX = 500;

/**
 * Renders a whole alertmanager.yml in which only the pager is missing. `continue: true` goes on to the routes beside it, never to the
 * parent's receiver, so the pager needs a route of its own. A hold only holds for a group that is new, so the pager's route makes
 * every alert a group; and an alert that resolved before its group was first told is never told.
 * @see https://prometheus.io/docs/alerting/latest/configuration/#route
 */
export function renderAlertmanager(snippet: AlertmanagerSnippet): string {
  const { url, credential, hold, exempt, receiver, groupBy } = snippet;
  const pager = yaml(receiver);
  const exempted = exempt.map(
    (text) => `    # At once, as if Nightshift were not there.
    - receiver: ${pager}
      matchers: [${matchersOf(text).join(', ')}]
      group_by: ['...']
      group_wait: 0s
`,
  );
  const paging =
    hold === null
      ? `    # Whatever led to your pager before: put your own routes here.
    - receiver: ${pager}
`
      : `    # Everything else ${hold} later, unless it is over by then. Every alert is a group of its own, or this would hold only the first.
    - receiver: ${pager}
      group_by: ['...']
      group_wait: ${hold}
      group_interval: ${hold}
`;
  return `route:
  receiver: ${pager}
  routes:
    # Nightshift hears of everything at once. This stays the first route; to the parent, \`continue\` does not lead.
    - receiver: nightshift
      continue: true
      group_by: [${groupBy.map(yaml).join(', ')}]
      group_wait: 1s
      group_interval: 10s
      repeat_interval: 5m
${exempted.join('')}${paging}
receivers:
  - name: ${pager} # yours: keep what stands there
  - name: nightshift
    webhook_configs:
      - url: ${yaml(url)}
        send_resolved: true
        max_alerts: ${ALERTS_MAX}
        http_config:
${indent(httpConfig(credential), 10)}
`;
}

function httpConfig(credential: Credential): string {
  if (credential.kind === 'certificate')
    return `# The certificate that your proxy asks for.
tls_config:
  cert_file: /etc/alertmanager/nightshift.crt
  key_file: /etc/alertmanager/nightshift.key`;
  const { secret } = credential;
  if (credential.kind === 'basic') {
    const password = 'file' in secret ? `password_file: ${yaml(secret.file)}` : `password: ${yaml(secret.clear)}`;
    return `basic_auth:
  username: ${yaml(credential.username)}
  ${password}`;
  }
  const credentials =
    'file' in secret ? `credentials_file: ${yaml(secret.file)}` : `credentials: ${yaml(secret.clear)}`;
  return `authorization:
  type: Bearer
  ${credentials}`;
}

/** Writes each matcher of a text on its own, in the form that old and new versions read alike. */
function matchersOf(text: string): string[] {
  return parseMatchers(text).map(
    ({ label, operator, value }) => `'${`${label}${operator}${JSON.stringify(value)}`.replaceAll("'", "''")}'`,
  );
}

/**
 * Renders a contact point for Grafana's provisioning (provisioning/alerting/*.yaml).
 * @see https://grafana.com/docs/grafana/latest/alerting/set-up/provision-alerting-resources/file-provisioning/
 */
export function renderGrafana(snippet: {
  readonly url: string;
  readonly credential: Credential;
  readonly headers: Pick<GrafanaSource, 'signatureHeader' | 'timestampHeader'>;
}): string {
  const { url, credential, headers } = snippet;
  return `apiVersion: 1
contactPoints:
  - orgId: 1
    name: nightshift
    receivers:
      - uid: nightshift
        type: webhook
        disableResolveMessage: false
        settings:
          url: ${yaml(url)}
          httpMethod: POST
          maxAlerts: '${ALERTS_MAX}'
${indent(grafanaCredential(credential, headers), 10)}
`;
}

function grafanaCredential(
  credential: Credential,
  { signatureHeader, timestampHeader }: Pick<GrafanaSource, 'signatureHeader' | 'timestampHeader'>,
): string {
  if (credential.kind === 'certificate') throw new TypeError('Grafana shows no certificate');
  const { secret } = credential;
  // Grafana reads the file when it starts.
  const value = yaml('file' in secret ? `$__file{${secret.file}}` : secret.clear);
  if (credential.kind === 'bearer') return `authorization_scheme: Bearer\nauthorization_credentials: ${value}`;
  if (credential.kind === 'basic') return `username: ${yaml(credential.username)}\npassword: ${value}`;
  const timestamp = timestampHeader === undefined ? '' : `\n  timestampHeader: ${yaml(timestampHeader)}`;
  return `hmacConfig:\n  secret: ${value}\n  header: ${yaml(signatureHeader)}${timestamp}`;
}

/**
 * Renders the body that makes a PagerDuty webhook subscription, of the whole account or of one service.
 * @see https://developer.pagerduty.com/docs/webhooks-v3-overview
 */
export function renderPagerDuty({ url, service }: { readonly url: string; readonly service: string | null }): string {
  const filter = service === null ? { type: 'account_reference' } : { type: 'service_reference', id: service };
  const subscription = {
    type: 'webhook_subscription',
    active: true,
    description: 'Nightshift',
    delivery_method: { type: 'http_delivery_method', url },
    events: PAGERDUTY_EVENTS,
    filter,
  };
  return JSON.stringify({ webhook_subscription: subscription }, null, 2);
}

const PAGERDUTY_EVENTS = ['incident.triggered', 'incident.unacknowledged', 'incident.reopened', 'incident.resolved'];

/** JSON's strings are YAML's; what needs no quotes gets none. */
function yaml(text: string): string {
  return /^[A-Za-z_/][\w/.-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

function indent(text: string, spaces: number): string {
  return text.replace(/^/gm, ' '.repeat(spaces));
}
