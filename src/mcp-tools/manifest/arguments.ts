import { z } from 'zod';

const LENGTH_MAX = 4096;

/** Names as systems define them; whole, in ASCII, and never with a wildcard. */
export const FORMATS = {
  /** @see https://www.rfc-editor.org/rfc/rfc1123 (a label of a host name, as Kubernetes names most things) */
  'dns-label': /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
  'dns-subdomain': /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
  'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/,
} as const;

const formatNames = Object.keys(FORMATS) as [keyof typeof FORMATS, ...(keyof typeof FORMATS)[]];
const described = { description: z.string().min(1).optional(), optional: z.boolean().default(false) };

const anchored = z.string().superRefine((pattern, context) => {
  const message = !/^\^.*\$$/s.test(pattern)
    ? 'must stand between ^ and $, so that it is the whole value'
    : isPattern(pattern)
      ? null
      : 'is no regular expression';
  if (message) context.addIssue({ code: 'custom', message, input: pattern });
});

/** One argument of a tool, in the words of JSON Schema. A text needs a pattern, a format or the list of its values. */
export const argumentSchema = z.union(
  [
    z.strictObject({
      ...described,
      type: z.literal('string'),
      pattern: anchored,
      maxLength: z.number().int().min(1).max(LENGTH_MAX).default(253),
    }),
    z.strictObject({ ...described, type: z.literal('string'), format: z.enum(formatNames) }),
    z.strictObject({ ...described, type: z.literal('string'), enum: z.array(z.string()).min(1) }),
    z.strictObject({ ...described, type: z.enum(['integer', 'number']), minimum: z.number(), maximum: z.number() }),
    z.strictObject({ ...described, type: z.literal('boolean') }),
  ],
  {
    error:
      'must be { type: string } with one of pattern (between ^ and $), format and enum, { type: integer } or { type: number } with minimum and maximum, or { type: boolean }',
  },
);
export type Argument = z.infer<typeof argumentSchema>;

/**
 * Makes the closed schema of a tool's arguments: nothing else is taken, and nothing is coerced. `words` are those that become words of
 * an argv; where such a text is free, it may begin with a hyphen only if its pattern itself begins with one, since a program would
 * take it for an option.
 */
export function argumentsSchema(
  declared: Readonly<Record<string, Argument>>,
  words: ReadonlySet<string> = new Set(),
): z.ZodObject {
  const fields = Object.entries(declared).map(([name, argument]) => {
    const isWord = words.has(name) && 'pattern' in argument && !argument.pattern.startsWith('^-');
    const schema = isWord
      ? schemaOf(argument).refine(
          (value) => !String(value).startsWith('-'),
          'must not begin with a hyphen, as options do',
        )
      : schemaOf(argument);
    const shown = argument.description === undefined ? schema : schema.describe(argument.description);
    return [name, argument.optional ? shown.optional() : shown] as const;
  });
  return z.strictObject(Object.fromEntries(fields));
}

function schemaOf(argument: Argument): z.ZodType {
  if ('enum' in argument) return z.enum(argument.enum);
  if ('format' in argument) return z.string().regex(FORMATS[argument.format], `must be a ${argument.format}`);
  if ('pattern' in argument)
    return z
      .string()
      .max(argument.maxLength)
      .regex(new RegExp(argument.pattern, 'u'), `must match ${argument.pattern}`);
  if (argument.type === 'boolean') return z.boolean();
  const number = argument.type === 'integer' ? z.number().int() : z.number();
  return number.min(argument.minimum).max(argument.maximum);
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}
