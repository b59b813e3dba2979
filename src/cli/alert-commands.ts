import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { fetch } from 'undici';
import type { Labels } from '../alert/index.ts';
import type { Config, SourceConfig } from '../config/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import type { TestAlert } from '../ingest/index.ts';
import { findServer, type NightshiftClient } from './client.ts';
import { collectLabel } from './label-option.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';
import { bodyOf, proofOf } from './test-alert.ts';

const KINDS = ['alertmanager', 'grafana', 'pagerduty', 'json'] as const;
const TIMEOUT_MS = 30_000;
const SUMMARY = 'A test of Nightshift, sent with: nightshift alert send';
const USUAL_LABELS = { alertname: 'NightshiftTest', service: 'nightshift-test', severity: 'info' };

interface SendOptions {
  readonly source?: string;
  readonly kind?: (typeof KINDS)[number];
  readonly resolved?: boolean;
  readonly label: Labels;
  readonly body?: string;
}

interface ShownIncident {
  readonly id: string;
  readonly state: string;
  readonly title: string;
  readonly alerts: readonly { source: string; fingerprint: string; status: string; startsAt: string; labels: Labels }[];
}

/** Adds the command that sends a test alert to the running Nightshift as one of its senders would: over HTTP, signed or authenticated. */
export function addAlertCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;

  program
    .command('alert')
    .description('test alerts')
    .command('send')
    .description('send a test alert through the door of a source; it is worked on like any other')
    .option('--source <name>', 'which of sources: in nightshift.yaml')
    .addOption(new Option('--kind <kind>', 'the first source of this kind').choices(KINDS))
    .option('--resolved', 'say that the alert with these labels is over')
    .option('--label <name=value>', 'a label of the alert; repeatable', collectLabel, {})
    .option(
      '--body <file>',
      'what to send instead, as it is; where the mapping of the source has no test there is no other way',
    )
    .action(async (options: SendOptions) => {
      const client = findServer(terminal);
      const config = loadConfig(terminal);
      const { name, source } = sourceFor(options, config);
      const now = new Date();
      const about = { source: name, labels: { ...USUAL_LABELS, ...options.label } };
      const firing = options.resolved && options.body === undefined ? await firingAlert(client, about) : null;
      const alert: TestAlert = {
        labels: about.labels,
        fingerprint: firing?.fingerprint ?? fingerprintOf(about),
        startsAt: firing ? new Date(firing.startsAt) : now,
        resolved: options.resolved === true,
        summary: SUMMARY,
      };
      const body = await textOf(options, source, { alert, now, terminal });
      const token = () => webhookToken(client.dataDir ?? config.dataDir);
      const answer = await post(`${client.url}/webhooks/${name}`, body, proofOf(source, body, token, now));
      const told = firing?.incident ?? (await incidentOf(client, answer, { ...about, fingerprint: alert.fingerprint }));
      out(
        told === null
          ? `sent to ${name}; it leads to no incident (the answer was ${plain(answer)})`
          : `sent to ${name}: ${told.id} ${plain(told.title)} stands for it; follow it with: nightshift incident ${told.id}`,
      );
    });
}

function sourceFor({ source: named, kind }: SendOptions, { sources }: Config): { name: string; source: SourceConfig } {
  const found = Object.entries(sources).find(([name, { type }]) =>
    named === undefined ? type === (kind ?? 'alertmanager') : name === named && (kind === undefined || kind === type),
  );
  if (found) return { name: found[0], source: found[1] };
  const known = Object.entries(sources).map(([name, { type }]) => `${name} (${type})`);
  const fix = `use one of ${known.join(', ')}, or add it to sources: in nightshift.yaml`;
  throw wrong(named === undefined ? '--kind' : '--source', 'there is no such source', fix);
}

/** A resolved alert is known by fingerprint and start, so both are those of the alert that fires. */
async function firingAlert(
  client: NightshiftClient,
  { source, labels }: { source: string; labels: Labels },
): Promise<{ fingerprint: string; startsAt: string; incident: ShownIncident }> {
  const { alertname = '', service = '' } = labels;
  for (const incident of await latest(client)) {
    const alert = incident.alerts.find(
      (one) =>
        one.source === source &&
        one.status === 'firing' &&
        one.labels.alertname === alertname &&
        (one.labels.service ?? '') === service,
    );
    if (alert) return { ...alert, incident };
  }
  throw wrong('--resolved', `no alert ${alertname} of ${source} fires`, 'send it first, with the same labels');
}

async function incidentOf(
  client: NightshiftClient,
  answer: string,
  { source, fingerprint }: { source: string; fingerprint: string },
): Promise<Pick<ShownIncident, 'id' | 'title'> | null> {
  const [touched] = answeredIncidents(answer);
  if (touched !== undefined) return client.request<ShownIncident>('GET', `/incidents/${touched}`);
  const isIt = (one: ShownIncident['alerts'][number]) => one.source === source && one.fingerprint === fingerprint;
  return (await latest(client)).find(({ alerts }) => alerts.some(isIt)) ?? null;
}

function answeredIncidents(answer: string): number[] {
  try {
    const { incidents } = JSON.parse(answer) as { incidents?: unknown };
    return Array.isArray(incidents) ? incidents.filter((id) => typeof id === 'number') : [];
  } catch {
    return [];
  }
}

async function latest(client: NightshiftClient): Promise<ShownIncident[]> {
  const { incidents } = await client.request<{ incidents: { id: string }[] }>('GET', '/incidents?limit=50');
  return Promise.all(incidents.map(({ id }) => client.request<ShownIncident>('GET', `/incidents/${id}`)));
}

function fingerprintOf({ source, labels }: { source: string; labels: Labels }): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([source, sorted]))
    .digest('hex')
    .slice(0, 16);
}

async function textOf(
  { body }: SendOptions,
  source: SourceConfig,
  { alert, now, terminal }: { alert: TestAlert; now: Date; terminal: Terminal },
): Promise<string> {
  if (body === undefined) {
    const words = await bodyOf(source, alert, now);
    if (words !== null) return words;
    throw wrong(
      '--body',
      'is missing, and the mapping of this source has no test',
      'add --body FILE, or test: to the mapping',
    );
  }
  try {
    return readFileSync(resolve(terminal.directory, body), 'utf8');
  } catch (error) {
    throw wrong('--body', `cannot read ${body}: ${messageOf(error)}`, 'name a file that can be read');
  }
}

function webhookToken(dataDir: string): string {
  const file = join(dataDir, 'webhook.token');
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const fix = 'run this where Nightshift runs, as its user, or set a token of its own under sources:';
    throw wrong('--source', `cannot read its token from ${file}: ${messageOf(error)}`, fix);
  }
}

async function post(url: string, body: string, headers: Readonly<Record<string, string>>): Promise<string> {
  let response: Awaited<ReturnType<typeof fetch>>;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch (cause) {
    throw new NightshiftError(
      'server_unreachable',
      `Nightshift at ${url} does not answer: ${messageOf(cause)}. Fix: see whether it runs`,
      {
        cause,
      },
    );
  }
  const answer = await response.text();
  if (response.ok) return answer;
  throw new NightshiftError('conflict', `it was not taken (${response.status}): ${plain(answer)} (asked ${url})`);
}

function wrong(field: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('invalid_payload', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, message, fix }],
  });
}
