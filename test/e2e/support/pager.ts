/** A pager that Alertmanager tells by webhook, and a Nightshift beside it, wired by what `nightshift connect alertmanager` prints. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { runCli } from '../../../src/cli/index.ts';
import { type Alertmanager, startAlertmanagerWith } from '../../real-parts/alertmanager.ts';
import { copyEmbedded } from '../../real-parts/databases.ts';
import { startLoopback } from '../../real-parts/loopback.ts';
import { type Nightshift, startNightshift } from '../../real-parts/nightshift.ts';
import { freePort, scratchDirectory } from '../../real-parts/program.ts';

/** One page: which alert it told of, how it stands, and when it came. */
export interface Page {
  readonly alert: string;
  readonly status: string;
  readonly at: number;
}

export interface ShownIncident {
  readonly id: string;
  readonly alerts: readonly { status: string; labels: Record<string, string>; fingerprint: string }[];
  readonly events: readonly { type: string; data: Record<string, unknown> }[];
}

export interface PagerScene {
  readonly pages: Page[];
  nightshift(): Nightshift;
  start(): Promise<void>;
  /** Tells Alertmanager of alerts as Prometheus does; each begins, or is over, now. */
  send(alerts: readonly Record<string, string>[], status?: 'firing' | 'resolved'): Promise<void>;
  incidents(): Promise<ShownIncident[]>;
  stop(): Promise<void>;
}

export interface PagerOptions {
  readonly program: string;
  /** What is asked of `nightshift connect alertmanager`. */
  readonly argv: readonly string[];
  /** Shorter times for the route to Nightshift than those that are printed. */
  readonly route?: Readonly<Record<string, string>>;
}

/** Sets the scene: Nightshift as its own process, which only observes, and Alertmanager with the printed configuration. */
export async function setPagerScene({ program, argv, route = {} }: PagerOptions): Promise<PagerScene> {
  const { path: dataDir, remove } = scratchDirectory();
  const closers: (() => unknown)[] = [remove];
  await copyEmbedded(dataDir);
  mkdirSync(join(dataDir, 'runbooks'));
  writeFileSync(join(dataDir, 'webhook.token'), randomBytes(32).toString('hex'), { mode: 0o600 });
  const port = String(await freePort());
  const env = { NIGHTSHIFT_PORT: port };
  const config = { mode: 'observe', runbooks: [join(dataDir, 'runbooks')] };
  let nightshift: Nightshift;
  const start = async () => {
    nightshift = await startNightshift({ dataDir, config, env });
  };
  await start();
  closers.push(() => nightshift.stop());

  const pages: Page[] = [];
  const pager = await startLoopback(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { alerts } = JSON.parse(Buffer.concat(chunks).toString()) as { alerts: ShownIncident['alerts'] };
    for (const { labels, status } of alerts) pages.push({ alert: labels.alertname ?? '', status, at: Date.now() });
    response.writeHead(200).end();
  });
  closers.push(pager.close);
  const printed = await printedConfig(argv, { ...env, NIGHTSHIFT_DATA_DIR: dataDir });
  const alertmanager = await startAlertmanagerWith(withPager(printed, `${pager.origin}/`, route), program);
  closers.push(alertmanager.stop);

  const startedAt = new Map<string, string>();
  return {
    pages,
    nightshift: () => nightshift,
    start,
    send: (alerts, status = 'firing') => post(alertmanager, alerts, { status, startedAt }),
    async incidents() {
      const { incidents } = await nightshift.api<{ incidents: { id: string }[] }>('/api/v1/incidents?limit=500');
      return Promise.all(incidents.map(({ id }) => nightshift.api<ShownIncident>(`/api/v1/incidents/${id}`)));
    },
    async stop() {
      for (const close of closers.reverse()) await close();
    },
  };
}

async function printedConfig(argv: readonly string[], env: Record<string, string>): Promise<string> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCli({
    argv: ['connect', 'alertmanager', ...argv],
    env,
    directory: env.NIGHTSHIFT_DATA_DIR ?? '',
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  if (code !== 0) throw new Error(err.join('\n'));
  return out.join('\n');
}

interface AlertmanagerConfig {
  route: { routes: Record<string, unknown>[] };
  receivers: { name: string; webhook_configs?: unknown[] }[];
}

/** Gives the pager of the printed configuration its address. */
function withPager(printed: string, url: string, route: Readonly<Record<string, string>>): string {
  const config = parse(printed) as AlertmanagerConfig;
  for (const receiver of config.receivers)
    if (receiver.name === 'pager') receiver.webhook_configs = [{ url, send_resolved: true }];
  Object.assign(config.route.routes[0] ?? {}, route);
  return stringify(config);
}

/** @see https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml */
async function post(
  { url }: Alertmanager,
  alerts: readonly Record<string, string>[],
  { status, startedAt }: { status: string; startedAt: Map<string, string> },
): Promise<void> {
  const now = new Date().toISOString();
  const body = alerts.map((labels) => {
    const key = JSON.stringify(labels);
    const startsAt = (status === 'resolved' ? startedAt.get(key) : undefined) ?? now;
    startedAt.set(key, startsAt);
    return { labels, startsAt, ...(status === 'resolved' ? { endsAt: now } : {}) };
  });
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/v2/alerts`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`Alertmanager answered ${response.status}: ${await response.text()}`);
}
