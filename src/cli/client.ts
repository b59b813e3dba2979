import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fetch } from 'undici';
import { z } from 'zod';
import { describeProblems, messageOf, NightshiftError, type Problem } from '../errors.ts';
import { startCommand } from './invocation.ts';
import { dataDirOf, secretOf } from './load-config.ts';
import type { Terminal } from './terminal.ts';

const TIMEOUT_MS = 30_000;
const contextSchema = z.object({ url: z.url(), tokenFile: z.string(), pid: z.number() });

/** A running Nightshift as its clients see it. */
export interface NightshiftClient {
  readonly url: string;
  /** The data directory in which it was found, or null where NIGHTSHIFT_URL names it. */
  readonly dataDir: string | null;
  /** Sends one request to the API and gives its JSON answer. @throws NightshiftError with the server's own words. */
  request<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** Reads a list from the API whole, page by page; `cursor` is what its `next` is given as. @throws NightshiftError with the server's own words. */
  all<T>(path: string, list: string, cursor?: 'before' | 'after'): Promise<T[]>;
  /** Reads a document from the API as it is. @throws NightshiftError with the server's own words. */
  text(path: string): Promise<string>;
}

interface Located {
  readonly url: string;
  readonly token: string;
  readonly dataDir: string | null;
}

/**
 * Finds the running Nightshift: NIGHTSHIFT_URL, or else the client.json that a server writes into its data
 * directory (that of the data directory here, then the demo's). NIGHTSHIFT_TOKEN says who is asking; the administrator's token otherwise.
 * @throws NightshiftError `server_unreachable` saying where it looked.
 */
export function findServer(terminal: Pick<Terminal, 'env' | 'directory'>): NightshiftClient {
  const { url, token, dataDir } = locateServer(terminal);
  return createClient(url, token, dataDir);
}

/** Tells where the running server is, and with which token it is asked. @throws NightshiftError as `findServer` does. */
export function locateServer({ env, directory }: Pick<Terminal, 'env' | 'directory'>): Located {
  const token = secretOf({ env, directory }, 'NIGHTSHIFT_TOKEN');
  if (env.NIGHTSHIFT_URL) {
    if (!token)
      throw new NightshiftError(
        'unauthorized',
        'NIGHTSHIFT_URL is set, but NIGHTSHIFT_TOKEN is not. Fix: export NIGHTSHIFT_TOKEN with a personal token',
      );
    return { url: env.NIGHTSHIFT_URL.replace(/\/$/, ''), token, dataDir: null };
  }
  const dataDir = dataDirOf({ env, directory });
  const looked = [dataDir, join(dataDir, 'demo')].map((folder) => join(folder, 'client.json'));
  for (const path of looked) {
    const found = readContext(path);
    if (found) return { url: found.url, token: token || found.token, dataDir: dirname(path) };
  }
  const fix = `start one with: ${startCommand(env)}, or set NIGHTSHIFT_URL and NIGHTSHIFT_TOKEN`;
  throw new NightshiftError(
    'server_unreachable',
    `no Nightshift is running here (looked at ${looked.join(' and ')}). Fix: ${fix}`,
  );
}

function readContext(path: string): { url: string; token: string } | null {
  try {
    const { url, tokenFile, pid } = contextSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
    // Throws when no such process runs any more.
    process.kill(pid, 0);
    return { url, token: readFileSync(tokenFile, 'utf8').trim() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new NightshiftError(
        'forbidden',
        `cannot use ${path}: ${messageOf(error)}. Fix: run this as the user that runs Nightshift, or set NIGHTSHIFT_URL and NIGHTSHIFT_TOKEN`,
        { cause: error },
      );
    }
    return null;
  }
}

function createClient(url: string, token: string, dataDir: string | null): NightshiftClient {
  async function send(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'x-nightshift-client': 'cli',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).catch((cause: unknown) => {
      throw unreachable(url, cause);
    });
    if (!response.ok) throw refused(url, response.status, await response.json().catch(() => null));
    return response;
  }
  async function request<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    return (await (await send(method, path, body)).json().catch(() => null)) as T;
  }
  return {
    url,
    dataDir,
    request,
    async all<T>(path: string, list: string, cursor: 'before' | 'after' = 'after') {
      const items: T[] = [];
      for (let next: unknown = ''; next !== null && next !== undefined; ) {
        const page = await request<Record<string, unknown>>(
          'GET',
          `${path}${next === '' ? '' : `?${cursor}=${encodeURIComponent(String(next))}`}`,
        );
        items.push(...(page[list] as T[]));
        ({ next } = page);
      }
      return items;
    },
    text: async (path) => (await send('GET', path)).text(),
  };
}

/** Makes the error of a server that gives no answer. */
export function unreachable(url: string, cause: unknown): NightshiftError {
  return new NightshiftError(
    'server_unreachable',
    `Nightshift at ${url} does not answer: ${messageOf(cause)}. Fix: see whether it runs`,
    { cause },
  );
}

/** Makes the error of a refusal, in the server's own words. */
export function refused(url: string, status: number, answer: unknown): NightshiftError {
  const { detail, problems = [] } = (answer ?? {}) as { detail?: string; problems?: Problem[] };
  const untold = problems.filter(({ message }) => !detail?.includes(message));
  const told = untold.length > 0 ? `\n${describeProblems(untold)}` : '';
  return new NightshiftError('conflict', `${detail ?? `it answered ${status}`} (asked ${url})${told}`);
}
