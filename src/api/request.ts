import type { Request, Response } from 'express';
import { z } from 'zod';
import { problemsOf } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { isWithin, type Principal, reaches } from '../identity/index.ts';
import { parseIncidentName } from '../incident/index.ts';
import type { Operation } from './operation.ts';

/** Text that is looked for; no text of ours holds a NUL, and Postgres takes none. */
export const textSchema = z
  .string()
  .max(200)
  .refine((text) => !text.includes('\0'), 'holds a NUL');

/** Labels as of an alert, by which whoever asks says what it is about. */
export const labelsSchema = z.record(z.string().min(1).max(128), z.string().max(1024)).default({});

export const daysSchema = z.coerce.number().int().min(1).max(365).default(30).describe('How many days to look back.');
export const DAYS_FIXES = { days: 'write a whole number of days from 1 to 365' };

/** Reads an incident's number as people write it; `field` is where it stands. @throws NightshiftError `invalid_payload`. */
export function incidentId(text: string, field = 'incident'): number {
  const id = parseIncidentName(text);
  if (id !== null) return id;
  const fix = 'write it as INC-7 or 7';
  throw new NightshiftError('invalid_payload', `${field}: ${JSON.stringify(text)} is no incident. Fix: ${fix}`, {
    problems: [{ field, value: text, message: 'is no incident', fix }],
  });
}

/**
 * Reads a request's query or body by its schema; `fixes` says of its fields how to write them.
 * @throws NightshiftError `invalid_payload` naming every field that is wrong.
 */
export function read<T>(schema: z.ZodType<T>, input: unknown, fixes: Readonly<Record<string, string>> = {}): T {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error, input).map((problem) => {
    const fix = problem.fix ?? fixes[problem.field.split('.')[0] ?? ''];
    return fix === undefined ? problem : { ...problem, fix };
  });
  throw new NightshiftError('invalid_payload', 'this request cannot be read', { problems });
}

/**
 * Gives who asks, if their role and the scopes of their token are enough for an operation. @throws NightshiftError `forbidden`.
 * @see https://datatracker.ietf.org/doc/html/rfc6750#section-3.1
 */
export function admit(response: Response, operation: Pick<Operation, 'role' | 'scope'>): Principal {
  const principal = response.locals.principal as Principal;
  // Nobody needs to be known, so nobody may be.
  if (operation.role === null) return principal;
  const refusal = refusalByRole(principal, operation);
  if (refusal) throw refusal;
  const outOfScope = refusalByScope(principal, operation);
  if (!outOfScope) return principal;
  response.set('www-authenticate', `Bearer realm="nightshift", error="insufficient_scope", scope="${operation.scope}"`);
  throw outOfScope;
}

/** Says why somebody's role is not enough for an operation; null where it is. */
export function refusalByRole({ name, role }: Principal, needed: Pick<Operation, 'role'>): NightshiftError | null {
  if (needed.role === null || reaches(role, needed.role)) return null;
  const fix = 'use a token or a session with that role';
  return new NightshiftError('forbidden', `${name} is ${role}; this needs ${needed.role}. Fix: ${fix}`);
}

/** Says why somebody's token does not reach as far as an operation; null where it does. */
export function refusalByScope({ scopes }: Principal, needed: Pick<Operation, 'scope'>): NightshiftError | null {
  if (isWithin(scopes ?? null, needed.scope)) return null;
  const fix = `use a token with the scope ${needed.scope}, or one without scopes`;
  return new NightshiftError('forbidden', `this token is restricted to ${scopes?.join(', ')}. Fix: ${fix}`);
}

/** Refuses a body that is not said to be JSON, which nobody would have read. @throws NightshiftError `unsupported_media_type`. */
export function refuseUnlessJson(request: Request): void {
  // Null where there is no body at all.
  if (request.is('application/json') !== false) return;
  const [value, fix] = [request.headers['content-type'] ?? '', 'send the header content-type: application/json'];
  throw new NightshiftError('unsupported_media_type', `Content-Type: is not JSON. Fix: ${fix}`, {
    problems: [{ field: 'Content-Type', value: value.slice(0, 100), message: 'is not JSON', fix }],
  });
}

/** Gives which of our doors a request came through, the console's by its session and else as the client says: for the story only, and nothing is decided by it. */
export function clientOf(request: Request): 'cli' | 'api' | 'console' {
  if (request.res?.locals.session) return 'console';
  return request.headers['x-nightshift-client'] === 'cli' ? 'cli' : 'api';
}
