import { KEY_VARIABLES } from '../config/index.ts';

/** What `nightshift init` was told, with what it found. */
export interface Answers {
  readonly mode: string;
  /** Base URL, or null where there is none. */
  readonly prometheus: string | null;
  readonly alertmanager: string | null;
  readonly runbooks: string;
  readonly approvers: readonly string[];
  /** Where the JSON Schema is, as the file shall name it. */
  readonly schema: string;
}

const text = (value: string) => JSON.stringify(value);

/** Writes a nightshift.yaml with comments; whatever needs a decision that nobody made stands in it as a comment. */
export function renderNightshiftYaml({ mode, prometheus, alertmanager, runbooks, approvers, schema }: Answers): string {
  const toolsets = [
    ...(prometheus === null ? [] : [`  metrics: { uses: prometheus, url: ${text(prometheus)} }`]),
    ...(alertmanager === null ? [] : [`  silences: { uses: alertmanager, url: ${text(alertmanager)} }`]),
  ];
  return `# yaml-language-server: $schema=${schema}
#
# Every setting is in docs/configuration.md; what is left out has its default. After a change: nightshift config check
# Write no secret here: \${NAME} is the environment variable NAME, or what is in the file that NAME_FILE names.

# How far Nightshift may go. observe: diagnose only. ask: a person approves every change. auto: safe ones run by
# themselves where a runbook declares them, and the policy decides about the rest.
mode: ${mode}
# The most cautious of those that match, and of \`mode\`, holds:
# autonomy:
#   - match: ['env="prod"']
#     mode: ask

# Who may send alerts; each at POST /webhooks/NAME. Without a token of its own it is the one in DATADIR/webhook.token.
sources:
  alertmanager:
    type: alertmanager
${alertmanager === null ? '    # url: http://127.0.0.1:9093   # its API, for silences\n' : `    url: ${text(alertmanager)}\n`}
# Folders of markdown, and git repositories: { git: URL, ref: main }
runbooks: [${text(runbooks)}]
policies: [policies]

# The systems that it may look at and mend; docs/tools.md lists all toolsets with their settings.
${toolsets.length > 0 ? `toolsets:\n${toolsets.join('\n')}` : '# toolsets:\n#   metrics: { uses: prometheus, url: http://127.0.0.1:9090 }'}
#   web: { uses: http, allow: ['http://127.0.0.1:8080'] }
#   shop: { uses: supervisor, match: ['service="shop"'], url: http://127.0.0.1:9001, username: nightshift, password: '\${SUPERVISOR_PASSWORD}' }

# Who may approve, each with a token of their own (nightshift tokens create NAME --role approver).
# As long as nobody stands here, whoever has the administrator's token may.
${approvers.length > 0 ? `people:\n${approvers.map((name) => `  - { name: ${text(name)} }`).join('\n')}` : '# people:\n#   - { name: ada, role: admin, email: ada@example.org }'}

# Models: without this, those of ${KEY_VARIABLES.join(' and ')}; without those, none, and runbooks alone are followed.
# models:
#   - { provider: openai, model: NAME, apiKey: '\${OPENAI_API_KEY}' }

# Who is told when a person is needed (docs/escalation.md, docs/slack.md):
# escalation:
#   pagerduty: { routingKey: '\${PAGERDUTY_ROUTING_KEY}' }
`;
}
