import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, scratchDirectory, startProgram } from './program.ts';

export interface Prometheus {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  readonly stop: () => Promise<void>;
}

/** The bcrypt hash of the password below, at the lowest cost; it guards nothing but this test's own Prometheus. */
const PASSWORD_HASH = '$2b$04$ZIgusCZMYZTggzD4nGn6p.TZty3lCd9G2xTu0J.aKQ/HDRgqWQ5jK';

/** Starts Prometheus on a free loopback port, behind a path prefix and a password; it scrapes itself and evaluates these rules each second. */
export async function startPrometheus(rules: string): Promise<Prometheus> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const [username, password] = ['nightshift', 'for-tests-only'];
  const write = (name: string, text: string) => writeFileSync(join(directory, name), text);
  write('web.yml', `basic_auth_users:\n  ${username}: ${PASSWORD_HASH}\n`);
  write('rules.yml', rules);
  write(
    'prometheus.yml',
    `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yml]
scrape_configs:
  - job_name: itself
    metrics_path: /metrics-of/team/metrics
    basic_auth: { username: ${username}, password: ${password} }
    static_configs: [{ targets: ['127.0.0.1:${port}'] }]
`,
  );
  const url = `http://127.0.0.1:${port}/metrics-of/team`;
  const program = startProgram(
    'prometheus',
    [
      '--config.file=prometheus.yml',
      '--web.config.file=web.yml',
      '--storage.tsdb.path=data',
      `--web.listen-address=127.0.0.1:${port}`,
      `--web.external-url=${url}`,
    ],
    directory,
  );
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  await eventually(`Prometheus is ready: ${program.output()}`, async () => {
    const { status } = await fetch(`${url}/-/ready`, { headers: { authorization } });
    return status === 200 || undefined;
  });
  return {
    url,
    username,
    password,
    stop: async () => {
      await program.stop();
      remove();
    },
  };
}
