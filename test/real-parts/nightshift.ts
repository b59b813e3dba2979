import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { type Exit, startProgram } from './program.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface NightshiftOptions {
  /** Its data directory, which outlives it: a second start on the same one goes on where the first was killed. */
  readonly dataDir: string;
  /** What nightshift.yaml says. Relative paths in it start at the repository. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Another checkout to start; this one where it is left out. */
  readonly checkout?: string;
  /** Added to an environment that has nothing but the search path and the locale. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it kills itself: NAME, or NAME:2 for the second time. */
  readonly failpoint?: string;
}

export interface ApiRequest {
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  /** Another personal token than the administrator's. */
  readonly token?: string;
}

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

/** A Nightshift in a process of its own. */
export interface Nightshift {
  readonly url: string;
  readonly pid: number;
  readonly adminToken: string;
  readonly webhookToken: string;
  /** Sends a request to a path under the origin, `/api/v1/incidents` say. @throws Error with the answer when it is not a 2xx. */
  readonly api: <T>(path: string, request?: ApiRequest) => Promise<T>;
  /** Its log so far, one object a line. */
  readonly logs: () => LogLine[];
  /** Everything it has written so far. */
  readonly output: () => string;
  readonly exited: Promise<Exit>;
  /** Ends it by SIGTERM; gives how it ended. */
  readonly stop: () => Promise<Exit>;
  readonly kill9: () => Promise<void>;
}

/** Starts Nightshift as its own process, as `npm start` does, and waits until it listens. */
export async function startNightshift(options: NightshiftOptions): Promise<Nightshift> {
  const { dataDir, config, checkout = ROOT, env, failpoint } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const file = join(dataDir, 'nightshift.yaml');
  writeFileSync(file, stringify(config));
  const program = await startProgram(process.execPath, ['src/main.ts', 'start'], {
    directory: checkout,
    env: {
      PATH: process.env.PATH ?? '',
      LANG: 'C.UTF-8',
      NIGHTSHIFT_CONFIG: file,
      NIGHTSHIFT_DATA_DIR: dataDir,
      NIGHTSHIFT_PORT: '0',
      ...(failpoint === undefined ? {} : { NIGHTSHIFT_FAILPOINT: failpoint }),
      ...env,
    },
  });
  const logs = () =>
    program
      .output()
      .split('\n')
      // What it tells the operator on standard error is not JSON.
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as LogLine);
  let url: string;
  try {
    // The first start on an embedded database makes the database.
    await program.waitForLine(/"message":"listening".*\n/, 60);
    url = String(logs().findLast(({ message }) => message === 'listening')?.url);
  } catch (error) {
    await program.kill9();
    throw error;
  }
  const token = (name: string) => readFileSync(join(dataDir, `${name}.token`), 'utf8').trim();
  const adminToken = token('admin');
  return {
    url,
    pid: program.pid,
    adminToken,
    webhookToken: token('webhook'),
    api: async <T>(path: string, request: ApiRequest = {}) => {
      const { body, method = body === undefined ? 'GET' : 'POST' } = request;
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${request.token ?? adminToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(30_000),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path} was answered with ${response.status}: ${text}`);
      return JSON.parse(text) as T;
    },
    logs,
    output: program.output,
    exited: program.exited,
    stop: async () => {
      await program.stop();
      return program.exited;
    },
    kill9: program.kill9,
  };
}
