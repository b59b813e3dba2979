import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetch } from 'undici';
import { z } from 'zod';
import { JOB_PATTERN, SPOOL_NAME } from './checkout.ts';
import type { Parts } from './parts.ts';
import type { SupervisorAddress } from './supervisor.ts';

const ROOT = join(import.meta.dirname, '..');
const READY_POLL_MS = 100;
const TIMEOUT_MS = 10_000;

export interface NightshiftOptions {
  readonly directory: string;
  readonly parts: Parts;
  readonly supervisor: SupervisorAddress;
  readonly checkout: { readonly url: string; readonly spool: string };
  /** Base address of the real Prometheus, or null where the demo's own monitor watches. */
  readonly prometheusUrl: string | null;
  /** Hears of each step of starting up. */
  readonly onStep: (step: string) => void;
  readonly signal: AbortSignal;
}

/** The demo's Nightshift, seen through its API. */
export interface Nightshift {
  readonly url: string;
  readonly log: string;
  readonly webhook: { readonly url: string; readonly tokenFile: string; readonly token: string };
  get<T>(path: string): Promise<T>;
  post(path: string, body: object): Promise<void>;
}

/** Writes the configuration and starts Nightshift as its own process, with its database in the demo's directory; waits until it serves. */
export async function startNightshift(options: NightshiftOptions): Promise<Nightshift> {
  const { directory, parts, onStep, signal } = options;
  const config = join(directory, 'nightshift.yaml');
  const log = join(directory, 'nightshift.log');
  writeFileSync(config, configuration(options), { mode: 0o600 });
  await parts.start({
    name: 'Nightshift',
    command: process.execPath,
    args: [join(ROOT, 'src', 'main.ts'), 'start'],
    env: environment(config, directory),
    log,
    onStderr: (line) => {
      const step = /^nightshift: (.+) …$/.exec(line)?.[1];
      if (step) onStep(step);
    },
    essential: true,
  });
  // It writes this file once it serves.
  const clientFile = join(directory, 'client.json');
  while (!existsSync(clientFile)) await sleep(READY_POLL_MS, undefined, { signal });
  const { url } = z.object({ url: z.url() }).parse(JSON.parse(readFileSync(clientFile, 'utf8')));
  const secret = (name: string) => readFileSync(join(directory, name), 'utf8').trim();
  const token = secret('admin.token');

  async function request(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    if (!response.ok)
      throw new Error(`Nightshift answered ${method} ${path} with ${response.status}: ${await response.text()}`);
    return response.json();
  }

  return {
    url,
    log,
    webhook: {
      url: `${url}/webhooks/alertmanager`,
      tokenFile: join(directory, 'webhook.token'),
      token: secret('webhook.token'),
    },
    get: async <T>(path: string) => (await request('GET', path)) as T,
    post: async (path, body) => {
      await request('POST', path, body);
    },
  };
}

/** The keys of models are passed on; what would lead this Nightshift to another configuration or database is not. */
function environment(config: string, directory: string): NodeJS.ProcessEnv {
  const foreign = ['DATABASE_URL', 'NIGHTSHIFT_URL', 'NIGHTSHIFT_TOKEN', 'NIGHTSHIFT_FAILPOINT'];
  const kept = Object.entries(process.env).filter(([name]) => !foreign.includes(name));
  return {
    ...Object.fromEntries(kept),
    NIGHTSHIFT_CONFIG: config,
    NIGHTSHIFT_DATA_DIR: directory,
    NIGHTSHIFT_HOST: '127.0.0.1',
    NIGHTSHIFT_PORT: '0',
  };
}

function configuration({ supervisor, checkout, prometheusUrl }: NightshiftOptions): string {
  const text = (value: string) => JSON.stringify(value);
  const prometheus = `
  # Prometheus, which raised the alert. Whatever a check says, an incident is closed only once the alert is gone there too.
  prometheus:
    uses: prometheus
    url: ${text(prometheusUrl ?? '')}
`;
  return `# Written by the demo. Yours goes to nightshift.yaml beside package.json, and looks the same.

# observe: look and diagnose only. ask: every change needs a person's approval. auto: safe remedies that a runbook declares run
# by themselves; what deletes something is asked for in every mode.
mode: auto

# What your team knows, as markdown. Front matter says for which alerts a page is, which steps it takes and how to check them.
runbooks:
  - ${text(join(ROOT, 'runbooks'))}

# Which calls may run unasked. What no rule allows is asked.
policies:
  - ${text(join(ROOT, 'policies'))}

# The systems that Nightshift may look at and work on; nothing else is within its reach.
toolsets:
  # supervisord, over its XML-RPC interface: the tools supervisor.status and supervisor.restart, for this process only.
  supervisor:
    uses: supervisor
    url: ${text(supervisor.url)}
    username: ${text(supervisor.username)}
    password: ${text(supervisor.password)}
    processes: [checkout]

  # HTTP endpoints that http.probe may ask.
  http:
    uses: http
    allow: [${text(checkout.url)}]

  # Directories that host.files may look into and host.purge may empty, by name. No tool takes a path.
  host:
    uses: host
    directories:
      ${SPOOL_NAME}:
        path: ${text(checkout.spool)}
        pattern: ${text(JOB_PATTERN)}
${prometheusUrl === null ? '' : prometheus}
# How often to look whether a remedy has worked, and how long that must hold. The defaults (5 s, 15 s) spare your systems and are surer; a demo
# should not be kept waiting.
verification:
  intervalSeconds: 0.5
  settleSeconds: 2
`;
}
