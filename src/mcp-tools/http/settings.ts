import { z } from 'zod';
import { parseUrl, readOriginPattern } from './origin.ts';

const originPatternSchema = z.string().superRefine((text, context) => {
  const read = readOriginPattern(text);
  if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem, input: text });
});

/** The name of a declared hook. */
export const hookNameSchema = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be lower-case letters, digits and hyphens');

const hookSchema = z.strictObject({
  description: z
    .string()
    .min(1)
    .max(180)
    .describe('What it does, and how it is taken back, as a person reads it before answering.'),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  url: z.string().superRefine((text, context) => {
    const url = /^https?:\/\/[!-[\]-~]+$/.test(text) ? parseUrl(text) : undefined;
    const message =
      url === undefined
        ? 'must be an absolute http:// or https:// URL'
        : url.username || url.password || url.hash
          ? 'carries credentials or a fragment; give credentials as a header'
          : undefined;
    if (message) context.addIssue({ code: 'custom', message, input: text });
  }),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/), z.string().regex(/^[ -~]*$/))
    .optional()
    .describe('Headers to send, such as authorization.'),
  body: z.json().optional().describe('Sent as JSON.'),
  idempotent: z
    .boolean()
    .default(false)
    .describe('Whether it does no harm to send it twice; it is `safe` then, `destructive` otherwise.'),
});
export type Hook = z.infer<typeof hookSchema>;

export const httpSettingsSchema = z.strictObject({
  allow: z
    .array(originPatternSchema)
    .min(1)
    .describe(
      'Origins that may be probed: scheme and host as they are, or "*." for exactly one label in front; a port, "*" for any, or none for the default.',
    ),
  publicHttps: z
    .boolean()
    .optional()
    .describe('Also lets https URLs be probed whose host has public addresses only; false unless you say so.'),
  hooks: z.record(hookNameSchema, hookSchema).default({}).describe('Requests that may be sent, by name.'),
});

export type HttpSettings = z.infer<typeof httpSettingsSchema>;
