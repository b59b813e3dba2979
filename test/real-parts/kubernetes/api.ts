import { fetch } from 'undici';
import type { Endpoint } from '../../../src/mcp-tools/manifest/http.ts';
import type { KubeObject } from './resources.ts';

export const MERGE = 'application/merge-patch+json';

/** Deletes without waiting for containers to end. */
export const NOW = { apiVersion: 'v1', kind: 'DeleteOptions', gracePeriodSeconds: 0 };

/** What the API server answered: an object, a Status, or a text that is no JSON. */
export interface Answered {
  readonly code: number;
  readonly body: KubeObject & { items?: KubeObject[]; message?: string; reason?: string };
}

/** Plain requests to an API server, in nobody's library. */
export interface Api {
  readonly ask: (method: string, path: string, body?: unknown, type?: string) => Promise<Answered>;
  /** Asks for what must succeed. @throws Error with the server's words; a code in `but` is taken as well. */
  readonly must: (method: string, path: string, body?: unknown, but?: readonly number[]) => Promise<Answered['body']>;
  readonly list: (path: string) => Promise<KubeObject[]>;
}

/** Makes plain requests to one API server as one account; a PATCH is a JSON merge patch. */
export function apiAt({ url, headers = {}, dispatcher }: Endpoint): Api {
  const ask: Api['ask'] = async (method, path, body, type = method === 'PATCH' ? MERGE : 'application/json') => {
    const response = await fetch(url.replace(/\/+$/, '') + path, {
      method,
      headers: { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': type }), ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
      ...(dispatcher ? { dispatcher } : {}),
    });
    const text = await response.text();
    let parsed: unknown = { message: text };
    try {
      parsed = JSON.parse(text);
    } catch {
      // A path that is not served is answered in plain text.
    }
    return { code: response.status, body: parsed as Answered['body'] };
  };
  const must: Api['must'] = async (method, path, body, but = []) => {
    const { code, body: answer } = await ask(method, path, body);
    if (code < 300 || but.includes(code)) return answer;
    throw new Error(`${method} ${path} was answered with ${code}: ${answer.message ?? JSON.stringify(answer)}`);
  };
  return { ask, must, list: async (path) => (await must('GET', path)).items ?? [] };
}
