/** The real Prometheus and Alertmanager, watching checkout each second and telling Nightshift what fires. */
import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { stringify } from 'yaml';
import { z } from 'zod';
import { ALERT_RULES, TARGET_LABELS } from './alert-rules.ts';
import type { Parts } from './parts.ts';

/** Debian names it after Prometheus, its makers do not. */
const ALERTMANAGER_NAMES = ['alertmanager', 'prometheus-alertmanager'];

/** The two programs as found on the search path. */
export interface Programs {
  readonly prometheus: string;
  readonly alertmanager: string;
}

/** Finds both programs on the PATH; null where one is missing. */
export function findPrometheus(): Programs | null {
  const prometheus = onPath('prometheus');
  const alertmanager = ALERTMANAGER_NAMES.map(onPath).find((found) => found !== undefined);
  return prometheus && alertmanager ? { prometheus, alertmanager } : null;
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export interface PrometheusOptions {
  readonly programs: Programs;
  readonly directory: string;
  readonly ports: { readonly prometheus: number; readonly alertmanager: number };
  readonly parts: Parts;
}

/** Starts Prometheus; it scrapes checkout and evaluates the alert rules every second. */
export async function startPrometheus(options: PrometheusOptions & { instance: string }): Promise<void> {
  const { programs, ports, parts, instance } = options;
  const directory = makeDirectory(options.directory, 'prometheus');
  const rules = ALERT_RULES.map(({ alertname, expr, labels, annotations }) => ({
    alert: alertname,
    expr,
    // One scrape that a busy machine was too slow for is no alert.
    for: '1s',
    labels,
    annotations,
  }));
  writeYaml(join(directory, 'rules.yml'), { groups: [{ name: 'checkout', rules }] });
  writeYaml(join(directory, 'prometheus.yml'), {
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yml'],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [`127.0.0.1:${ports.alertmanager}`] }] }] },
    scrape_configs: [
      { job_name: TARGET_LABELS.job, static_configs: [{ targets: [instance], labels: targetLabels() }] },
    ],
  });
  await parts.start({
    name: 'Prometheus',
    command: programs.prometheus,
    args: [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${ports.prometheus}`,
    ],
    log: join(directory, 'prometheus.log'),
    essential: true,
  });
}

/** Starts Alertmanager, which tells Nightshift at once what fires and what is over. */
export async function startAlertmanager(
  options: PrometheusOptions & { webhook: { url: string; tokenFile: string } },
): Promise<void> {
  const { programs, ports, parts, webhook } = options;
  const directory = makeDirectory(options.directory, 'alertmanager');
  writeYaml(join(directory, 'alertmanager.yml'), {
    route: { receiver: 'nightshift', group_by: ['...'], group_wait: '0s', group_interval: '1s', repeat_interval: '1h' },
    receivers: [
      {
        name: 'nightshift',
        webhook_configs: [
          {
            url: webhook.url,
            send_resolved: true,
            http_config: { authorization: { type: 'Bearer', credentials_file: webhook.tokenFile } },
          },
        ],
      },
    ],
  });
  await parts.start({
    name: 'Alertmanager',
    command: programs.alertmanager,
    args: [
      `--config.file=${join(directory, 'alertmanager.yml')}`,
      `--storage.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${ports.alertmanager}`,
      '--cluster.listen-address=',
    ],
    log: join(directory, 'alertmanager.log'),
    essential: true,
  });
}

/** Waits until Prometheus sees checkout up and knows Alertmanager, and Alertmanager is ready. */
export async function watching(ports: PrometheusOptions['ports'], signal: AbortSignal): Promise<void> {
  const ask = async (port: number, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal }).catch(() => null);
    return response?.ok ? ((await response.json().catch(() => null)) as unknown) : undefined;
  };
  const up = z.object({
    data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.literal('1')]) })).min(1) }),
  });
  const known = z.object({ data: z.object({ activeAlertmanagers: z.array(z.unknown()).min(1) }) });
  for (;;) {
    const [target, alertmanagers, ready] = await Promise.all([
      ask(ports.prometheus, `/api/v1/query?query=${encodeURIComponent(`up{job="${TARGET_LABELS.job}"}`)}`),
      ask(ports.prometheus, '/api/v1/alertmanagers'),
      ask(ports.alertmanager, '/-/ready'),
    ]);
    if (up.safeParse(target).success && known.safeParse(alertmanagers).success && ready !== undefined) return;
    await sleep(200, undefined, { signal });
  }
}

function targetLabels() {
  const { job: _, ...labels } = TARGET_LABELS;
  return labels;
}

function makeDirectory(parent: string, name: string): string {
  const directory = join(parent, name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

function writeYaml(path: string, value: object): void {
  writeFileSync(path, stringify(value));
}
