import { z } from 'zod';

/** Gives a schema a name in the OpenAPI document. */
export function named<T extends z.ZodType>(id: string, schema: T): T {
  return schema.meta({ id });
}

/** What an answer that is a page of a list ends with. */
export const next = z
  .union([z.string(), z.int()])
  .nullable()
  .describe('What to give as the cursor for the page after this one; null where this is the last.');

export const moment = z.iso.datetime();
export const labels = z.record(z.string(), z.string());
export const decision = z.enum(['allow', 'ask', 'deny']);
/** Seconds, or null where there is nothing to measure. */
export const percentiles = z.object({ p50: z.number().nullable(), p95: z.number().nullable() });
export const anything = z.record(z.string(), z.unknown());

/** How every request that fails is answered (RFC 9457). */
export const problem = named(
  'Problem',
  z.object({
    type: z.string().describe('urn:nightshift:error: and the code.'),
    title: z.string(),
    status: z.int(),
    code: z.string().describe('One of docs/errors.md.'),
    detail: z.string().describe('What is wrong, and how to mend it.'),
    problems: z
      .array(
        z.object({
          field: z.string(),
          value: z.string().optional(),
          message: z.string(),
          fix: z.string().optional(),
          at: z.object({ file: z.string(), line: z.int(), column: z.int() }).optional().describe('Where it stands.'),
        }),
      )
      .optional()
      .describe('Every field that is wrong.'),
  }),
);
