import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { freePort, scratchDirectory, startProgram } from './program.ts';

export interface Prometheus {
  readonly url: string;
  /** Asked for where it is `guarded`. */
  readonly username: string;
  readonly password: string;
  /** Stops it and removes its data. */
  readonly stop: () => Promise<void>;
}

export interface PrometheusOptions {
  /** What it scrapes; `target` is host:port, and `labels` go onto every series. */
  readonly scrape?: readonly { job: string; target: string; labels?: Readonly<Record<string, string>> }[];
  /** The text of a rule file. */
  readonly rules?: string;
  readonly alertmanagerUrl?: string;
  readonly scrapeInterval?: string;
  readonly evaluationInterval?: string;
  /** Puts it behind a path prefix and a password; it then scrapes itself too, as the job `itself`. */
  readonly guarded?: boolean;
}

/** The bcrypt hash of the password below, at the lowest cost; it guards nothing but this test's own Prometheus. */
const PASSWORD_HASH = '$2b$04$ZIgusCZMYZTggzD4nGn6p.TZty3lCd9G2xTu0J.aKQ/HDRgqWQ5jK';
const [USERNAME, PASSWORD] = ['nightshift', 'for-tests-only'];
const PREFIX = '/metrics-of/team';

/** Starts Prometheus on a free loopback port; by default it scrapes and evaluates its rules every second. */
export async function startPrometheus(options: PrometheusOptions = {}): Promise<Prometheus> {
  const { scrape = [], rules, alertmanagerUrl, guarded = false } = options;
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}${guarded ? PREFIX : ''}`;
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  const itself = {
    job_name: 'itself',
    metrics_path: `${PREFIX}/metrics`,
    basic_auth: { username: USERNAME, password: PASSWORD },
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  };
  write('web.yml', guarded ? stringify({ basic_auth_users: { [USERNAME]: PASSWORD_HASH } }) : '');
  write('rules.yml', rules ?? '');
  write(
    'prometheus.yml',
    stringify({
      global: {
        scrape_interval: options.scrapeInterval ?? '1s',
        scrape_timeout: options.scrapeInterval ?? '1s',
        evaluation_interval: options.evaluationInterval ?? '1s',
      },
      rule_files: rules === undefined ? [] : ['rules.yml'],
      scrape_configs: [
        ...scrape.map(({ job, target, labels = {} }) => ({
          job_name: job,
          static_configs: [{ targets: [target], labels }],
        })),
        ...(guarded ? [itself] : []),
      ],
      ...(alertmanagerUrl === undefined
        ? {}
        : { alerting: { alertmanagers: [{ static_configs: [{ targets: [new URL(alertmanagerUrl).host] }] }] } }),
    }),
  );
  const program = await startProgram(
    'prometheus',
    [
      '--config.file=prometheus.yml',
      '--web.config.file=web.yml',
      '--storage.tsdb.path=data',
      '--storage.tsdb.retention.time=1h',
      `--web.listen-address=127.0.0.1:${port}`,
      `--web.external-url=${url}`,
    ],
    { directory },
  );
  const stop = async () => {
    await program.stop();
    remove();
  };
  try {
    const authorization = `Basic ${Buffer.from(`${USERNAME}:${PASSWORD}`).toString('base64')}`;
    await program.waitForUrl(`${url}/-/ready`, { headers: { authorization } });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, username: USERNAME, password: PASSWORD, stop };
}
