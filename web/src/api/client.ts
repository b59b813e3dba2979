import type { ProblemDocument } from './shapes.ts';

/** A request that was refused, in the words of the server, with the fix where it names one. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly status: number;
  readonly code: string;
  /** What to do about it; empty where nobody knows. */
  readonly fix: string;

  constructor({ status, code, detail }: Pick<ProblemDocument, 'status' | 'code' | 'detail'>) {
    const [said = detail, fix = ''] = detail.split(/\. Fix: |\nFix: /, 2);
    super(said);
    this.status = status;
    this.code = code;
    this.fix = fix;
  }
}

const LOOK = 'look whether its process runs and whether this machine reaches it';
const UNREAD = `Nightshift does not answer. Fix: ${LOOK}; the page tries again by itself`;
/** What was sent may have been heard all the same, and nothing sends it again. */
const UNSAID = `Nightshift does not answer, and nobody knows whether it heard this. Fix: ${LOOK}; before you say it again, see what came of it`;

interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/**
 * Asks the API at a path below /api/v1 as whoever is signed in.
 * @throws ApiProblem where it refuses, or cannot be reached (status 0).
 */
export async function ask<T>(path: string, { body, method = body === undefined ? 'GET' : 'POST', signal }: Asked = {}) {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        // Another site cannot send this header, so what bears it was meant by whoever is signed in.
        ...(method === 'GET' ? {} : { 'x-nightshift-csrf': '1' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiProblem({ status: 0, code: 'unreachable', detail: method === 'GET' ? UNREAD : UNSAID });
  }
  if (response.status === 204) return undefined as T;
  if (response.ok) return (await response.json()) as T;
  throw new ApiProblem(await problemOf(response));
}

/** Asks for a list whole, page by page; `cursor` is what its `next` is given as. @throws ApiProblem as `ask` does. */
export async function askAll<T>(
  path: string,
  list: string,
  { cursor = 'after', signal }: { readonly cursor?: 'before' | 'after'; readonly signal: AbortSignal },
): Promise<readonly T[]> {
  const items: T[] = [];
  for (let next: unknown = ''; next !== null && next !== undefined; ) {
    const page = await ask<Record<string, unknown>>(`${path}${query({ [cursor]: String(next) })}`, { signal });
    items.push(...(page[list] as readonly T[]));
    ({ next } = page);
  }
  return items;
}

async function problemOf(response: Response): Promise<ProblemDocument> {
  try {
    return (await response.json()) as ProblemDocument;
  } catch {
    const { status } = response;
    return {
      type: 'about:blank',
      title: 'internal',
      status,
      code: 'internal',
      detail: `the server answered with ${status}`,
    };
  }
}

/** Writes a query string of what is given; what is undefined, null or empty is left out. */
export function query(asked: Readonly<Record<string, string | number | null | undefined>>): string {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}
