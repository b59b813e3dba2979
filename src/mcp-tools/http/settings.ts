import { z } from 'zod';
import { readOriginPattern } from './origin.ts';

const originPatternSchema = z.string().superRefine((text, context) => {
  const read = readOriginPattern(text);
  if ('problem' in read) context.addIssue({ code: 'custom', message: read.problem, input: text });
});

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
});

export type HttpSettings = z.infer<typeof httpSettingsSchema>;
