import type { Request, Response } from 'express';
import type { z } from 'zod';
import { problemsOf, type Role } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { type Principal, reaches } from '../identity/index.ts';
import { parseIncidentName } from '../incident/index.ts';

/** Reads an incident's number as people write it. @throws NightshiftError `invalid_payload`. */
export function incidentId(text: string): number {
  const id = parseIncidentName(text);
  if (id !== null) return id;
  const fix = 'write it as INC-7 or 7';
  throw new NightshiftError('invalid_payload', `incident: ${JSON.stringify(text)} is no incident. Fix: ${fix}`, {
    problems: [{ field: 'incident', value: text, message: 'is no incident', fix }],
  });
}

/** Reads a request's query or body by its schema. @throws NightshiftError `invalid_payload` naming every field. */
export function read<T>(schema: z.ZodType<T>, input: unknown): T {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  throw new NightshiftError('invalid_payload', 'this request cannot be read', {
    problems: problemsOf(parsed.error, input),
  });
}

/** Gives who asks, if their role is enough. @throws NightshiftError `forbidden`. */
export function allow(response: Response, needed: Role): Principal {
  const principal = response.locals.principal as Principal;
  if (reaches(principal.role, needed)) return principal;
  throw new NightshiftError(
    'forbidden',
    `${principal.name} is ${principal.role}; this needs ${needed}. Fix: use a token with that role`,
  );
}

/** Gives which of our doors a request came through, as the client says: it is for the story only, and nothing is decided by it. */
export function clientOf(request: Request): 'cli' | 'api' {
  return request.headers['x-nightshift-client'] === 'cli' ? 'cli' : 'api';
}
