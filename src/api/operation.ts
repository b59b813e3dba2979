/** What the API can be asked for: each operation is declared once, and its route, the OpenAPI document and the reference are made from that. */
import { z } from 'zod';
import type { Role } from '../config/index.ts';
import type { ErrorCode } from '../errors.ts';
import type { Scope } from '../identity/index.ts';

/** Below which the API is served; its version is in it. */
export const API_ROOT = '/api/v1';

export const METHODS = ['get', 'post', 'delete'] as const;
export type Method = (typeof METHODS)[number];

/** What an operation answers with when nothing is wrong. */
export interface Answer {
  readonly status: 200 | 201 | 202 | 204;
  readonly type: string;
  /** Null where it is no JSON. */
  readonly schema: z.ZodType | null;
  readonly description: string;
}

/** What happens when the same is asked again: a repeat under an Idempotency-Key gets the answer of the first; of others `repeat` says it. */
export type Repeat = 'reads' | 'keyed' | { readonly because: string };

export interface Operation<P = unknown, Q = unknown, B = unknown> {
  /** Its name in generated clients. */
  readonly id: string;
  readonly method: Method;
  /** Below /api/v1, or of the whole server where `root` is set; parameters as {id}. */
  readonly path: string;
  readonly root: boolean;
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  /** The least role that it takes; null where nobody needs to be known. */
  readonly role: Role | null;
  /** What a restricted token must have; null where every token will do. */
  readonly scope: Scope | null;
  readonly params: z.ZodType<P>;
  readonly query: z.ZodType<Q>;
  readonly body: z.ZodType<B> | null;
  /** For fields that are wrong, how to write them. */
  readonly fixes: Readonly<Record<string, string>>;
  readonly repeat: Repeat;
  /** The parameter that `next` of an answer is given in; null where it is no list. */
  readonly cursor: 'before' | 'after' | null;
  readonly answer: Answer;
  /** What can be wrong besides what can be wrong with every request. */
  readonly errors: readonly ErrorCode[];
  /** A query string or a body to show. */
  readonly example: {
    readonly path?: Readonly<Record<string, string>>;
    readonly query?: string;
    readonly body?: unknown;
  };
}

type Declared<P, Q, B> = Pick<Operation, 'id' | 'method' | 'path' | 'tag' | 'summary' | 'role' | 'scope'> &
  Partial<Pick<Operation<P, Q, B>, 'params' | 'query' | 'body'>> &
  Partial<Pick<Operation, 'root' | 'description' | 'fixes' | 'repeat' | 'errors' | 'example'>> & {
    readonly answer: z.ZodType | Answer;
  };

const NOTHING = z.object({});

/** Declares an operation; what is left out is what most of them have. */
export function operation<P = unknown, Q = unknown, B = unknown>({
  answer,
  ...declared
}: Declared<P, Q, B>): Operation<P, Q, B> {
  return {
    root: false,
    description: '',
    params: NOTHING as unknown as z.ZodType<P>,
    query: NOTHING as unknown as z.ZodType<Q>,
    body: null,
    fixes: {},
    repeat: declared.method === 'get' ? 'reads' : { because: 'The second time there is nothing left to do.' },
    errors: [],
    example: {},
    cursor: cursorIn(declared.query),
    ...declared,
    answer: answer instanceof z.ZodType ? json(200, answer) : answer,
  };
}

function cursorIn(query: unknown): Operation['cursor'] {
  const names = query instanceof z.ZodObject ? Object.keys(query.shape) : [];
  return (['before', 'after'] as const).find((name) => names.includes(name)) ?? null;
}

/** An answer in JSON. */
export function json(status: 200 | 201 | 202, schema: z.ZodType, description = 'What was asked for.'): Answer {
  return { status, type: 'application/json', schema, description };
}

/** An answer that is no JSON. */
export function text(type: string, description: string): Answer {
  return { status: 200, type, schema: null, description };
}

/** An answer without a body. */
export const DONE: Answer = { status: 204, type: '', schema: null, description: 'It is done.' };

/** How many of a list at most: so many where nothing is said. */
export function limit(usual: number, max: number) {
  return z.coerce.number().int().min(1).max(max).default(usual).describe(`How many at most, from 1 to ${max}.`);
}

/** From where on a list goes. */
export const cursor = z.string().max(1100).optional().describe('What `next` of the page before says.');
