import type { Request, Response } from 'express';
import { z } from 'zod';
import { problemsOf, type Role } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Principal, reaches } from '../identity/index.ts';
import { parseIncidentName } from '../incident/index.ts';

/** Text that is looked for; no text of ours holds a NUL, and Postgres takes none. */
export const textSchema = z
  .string()
  .max(200)
  .refine((text) => !text.includes('\0'), 'holds a NUL');

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

/** Gives who asks, if their role is enough. @throws NightshiftError `forbidden`. */
export function allow(response: Response, needed: Role): Principal {
  const principal = askerOf(response);
  const refusal = refusalByRole(principal, needed);
  if (refusal) throw refusal;
  return principal;
}

/** Gives who asks. */
export function askerOf(response: Response): Principal {
  return response.locals.principal as Principal;
}

/** Says why somebody's role is not enough; null where it is. */
export function refusalByRole({ name, role }: Principal, needed: Role): NightshiftError | null {
  if (reaches(role, needed)) return null;
  const fix = 'use a token or a session with that role';
  return new NightshiftError('forbidden', `${name} is ${role}; this needs ${needed}. Fix: ${fix}`);
}

/** Gives which of our doors a request came through, the console's by its session and else as the client says: for the story only, and nothing is decided by it. */
export function clientOf(request: Request): 'cli' | 'api' | 'console' {
  if (request.res?.locals.session) return 'console';
  return request.headers['x-nightshift-client'] === 'cli' ? 'cli' : 'api';
}
