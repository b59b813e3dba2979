import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { Config, SourceConfig } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { loadConfig } from './load-config.ts';
import { publicUrl } from './public-url.ts';
import { type Credential, renderAlertmanager, renderGrafana, renderPagerDuty, type Secret } from './sender-snippets.ts';
import type { Terminal } from './terminal.ts';

interface SenderOptions {
  readonly source?: string;
  readonly url?: string;
  readonly credentialsFile?: string;
  readonly showSecret?: boolean;
}

/** Adds a command for each kind of sender, which prints what that sender's own configuration needs. */
export function addSenderCommands(connect: Command, terminal: Terminal): void {
  const { out, err } = terminal;
  const sender = (name: string, description: string) =>
    connect
      .command(name)
      .description(description)
      .option('--source <name>', 'which of sources: in nightshift.yaml')
      .option('--url <url>', 'where this sender reaches Nightshift (default: where it listens)');
  const withSecret = (command: Command) =>
    command
      .option('--credentials-file <path>', 'where the credential is on the machine of this sender')
      .option('--show-secret', 'print the credential itself instead of the path of its file');

  withSecret(sender('alertmanager', 'print the routes and the receiver for alertmanager.yml'))
    .option('--hold <duration>', 'let the pager wait so long, for example 5m: what heals by then wakes nobody')
    .option(
      '--exempt <matchers>',
      `what goes to the pager at once all the same, for example 'severity="critical"'; repeatable`,
      collect,
      [],
    )
    .option('--receiver <name>', 'the name of your receiver that pages people', 'pager')
    .action((options: SenderOptions & { hold?: string; exempt: string[]; receiver: string }) => {
      const config = loadConfig(terminal);
      const { name, source } = sourceFor('alertmanager', options.source, config);
      if (options.exempt.length > 0 && options.hold === undefined)
        throw wrong('--exempt', 'exempts from a hold, and there is none', 'add --hold 5m');
      const credential = source?.type === 'alertmanager' ? credentialOf(source, { name, config, options }) : null;
      out(
        renderAlertmanager({
          url: doorOf(name, options.url ?? listeningAt(config)),
          credential: credential ?? { kind: 'bearer', secret: webhookToken(config, options) },
          hold: options.hold === undefined ? null : durationOf(options.hold),
          exempt: options.exempt,
          receiver: options.receiver,
          groupBy: config.correlation.by,
        }).trimEnd(),
      );
      err(nextSteps(name, source, 'alertmanager', NEXT_ALERTMANAGER));
    });

  withSecret(sender('grafana', 'print a contact point for Grafana’s provisioning')).action((options: SenderOptions) => {
    const config = loadConfig(terminal);
    const { name, source } = sourceFor('grafana', options.source, config);
    const grafana = source?.type === 'grafana' ? source : null;
    const credential = grafana ? credentialOf(grafana, { name, config, options }) : null;
    out(
      renderGrafana({
        url: doorOf(name, options.url ?? listeningAt(config)),
        credential: credential ?? { kind: 'bearer', secret: webhookToken(config, options) },
        headers: grafana ?? { signatureHeader: 'x-grafana-alerting-signature' },
      }).trimEnd(),
    );
    err(nextSteps(name, source, 'grafana', NEXT_GRAFANA));
  });

  sender('pagerduty', 'print the webhook subscription for PagerDuty’s API')
    .option('--service <id>', 'of one PagerDuty service, for example P393ZNQ (default: of the whole account)')
    .action(({ source: named, url, service }: SenderOptions & { service?: string }) => {
      const config = loadConfig(terminal);
      const { name, source } = sourceFor('pagerduty', named, config);
      out(renderPagerDuty({ url: doorOf(name, publicUrl(url ?? config.slack?.publicUrl)), service: service ?? null }));
      err(nextSteps(name, source, 'pagerduty', NEXT_PAGERDUTY));
    });
}

const NEXT_ALERTMANAGER = `Next: merge this into alertmanager.yml (your pager's receiver stays as it is), check it with amtool check-config, and reload
Alertmanager. Alertmanager must be able to read the file of the credential. Then try it with: nightshift alert send`;
const NEXT_GRAFANA = `Next: put this into provisioning/alerting/ of Grafana, let a notification policy lead to it, and restart Grafana; it must be
able to read the file of the credential. Then try it with: nightshift alert send --kind grafana`;
const NEXT_PAGERDUTY = `Next: save what stands above as subscription.json, and make the subscription with a token that may write:
  curl https://api.pagerduty.com/webhook_subscriptions -H "Authorization: Token token=$PAGERDUTY_TOKEN" \\
    -H 'Content-Type: application/json' --data @subscription.json
Its answer shows delivery_method.secret once: that is what belongs into secrets:. Then try it with: nightshift alert send --kind pagerduty`;

const DECLARATIONS: Readonly<Record<'alertmanager' | 'grafana' | 'pagerduty', string>> = {
  alertmanager: '{type: alertmanager}',
  grafana: '{type: grafana}',
  pagerduty: `{type: pagerduty, secrets: ['\${PAGERDUTY_WEBHOOK_SECRET}']}`,
};

function nextSteps(name: string, source: SourceConfig | null, kind: keyof typeof DECLARATIONS, next: string): string {
  const declare = `\nNightshift does not know this sender yet. Write into nightshift.yaml, beside what stands under sources: already
(without that section there is one source, alertmanager), and start it again:
  sources:
    ${name}: ${DECLARATIONS[kind]}\n`;
  return `${source === null ? declare : ''}\n${next}`;
}

/** Gives the declared source of this type, or the name that a new one would have. */
function sourceFor(
  type: keyof typeof DECLARATIONS,
  named: string | undefined,
  { sources }: Config,
): { name: string; source: SourceConfig | null } {
  if (named !== undefined) {
    const source = Object.hasOwn(sources, named) ? sources[named] : undefined;
    if (source && source.type !== type)
      throw wrong(
        '--source',
        `${named} is a source of type ${source.type}`,
        source.type === 'json'
          ? 'see docs/sources.md for what a source of JSON wants'
          : `use: nightshift connect ${source.type}`,
      );
    return { name: named, source: source ?? null };
  }
  const fitting = Object.entries(sources).filter(([, source]) => source.type === type);
  if (fitting.length > 1)
    throw wrong('--source', 'is missing', `name one of ${fitting.map(([name]) => name).join(', ')}`);
  const [found] = fitting;
  return found ? { name: found[0], source: found[1] } : { name: type, source: null };
}

interface Asked {
  readonly name: string;
  readonly config: Config;
  readonly options: SenderOptions;
}

/** What a source goes by, the strongest first: a signature, a password, a bearer token. */
function credentialOf(source: Extract<SourceConfig, { type: 'alertmanager' | 'grafana' }>, asked: Asked): Credential {
  const { name, options } = asked;
  const own = (clear: string): Secret =>
    options.showSecret
      ? { clear }
      : { file: options.credentialsFile ?? `/etc/${source.type}/nightshift-${name}.secret` };
  if (source.type === 'grafana' && source.secret !== undefined)
    return { kind: 'signature', secret: own(source.secret) };
  if (source.basic) return { kind: 'basic', username: source.basic.username, secret: own(source.basic.password) };
  if (source.token !== undefined) return { kind: 'bearer', secret: own(source.token) };
  if (source.type === 'alertmanager' && source.clientCertificate) return { kind: 'certificate' };
  return { kind: 'bearer', secret: webhookToken(asked.config, options) };
}

function webhookToken({ dataDir }: Config, { credentialsFile, showSecret }: SenderOptions): Secret {
  const file = join(dataDir, 'webhook.token');
  if (!showSecret) return { file: credentialsFile ?? file };
  try {
    return { clear: readFileSync(file, 'utf8').trim() };
  } catch (cause) {
    throw wrong('--show-secret', `cannot read ${file}: ${messageOf(cause)}`, 'start Nightshift once, which makes it');
  }
}

function listeningAt({ server: { host, port } }: Config): string {
  const reached = host === '0.0.0.0' || host === '::' ? hostname() : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

function doorOf(name: string, url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw wrong(
      '--url',
      `${JSON.stringify(url)} is no http:// or https:// address`,
      'write --url https://nightshift.example.com',
    );
  return `${url.replace(/\/+$/, '')}/webhooks/${name}`;
}

/** Reads a duration as Alertmanager does. @see https://prometheus.io/docs/alerting/latest/configuration/#configuration-file */
function durationOf(text: string): string {
  if (/^(?=[1-9])(?:\d+h)?(?:\d+m)?(?:\d+s)?$/.test(text)) return text;
  throw wrong('--hold', `${JSON.stringify(text)} is no duration`, 'write --hold 5m, or 90s, or 1h30m');
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function wrong(field: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('invalid_config', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, message, fix }],
  });
}
