import compileJsonata from 'jsonata';
import { z } from 'zod';
import { parseExpectation } from '../expectation.ts';
import { RISK_CLASSES } from '../tool.ts';
import { argumentSchema } from './arguments.ts';

const text = z.string().min(1);
const jsonata = text
  .max(4000)
  .superRefine((value, context) => {
    const message = mistakeIn(value);
    if (message) context.addIssue({ code: 'custom', message, input: value });
  })
  .describe('A JSONata expression.');
/** Values into which whole arguments are filled: `"{{ namespace }}"` gives the argument itself, number or text. */
const template = z.json();

const httpRequest = z.strictObject({
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z
    .string()
    .regex(/^\/[^?#\s]*$|^\/(?:[^?#\s]|\{\{ [a-zA-Z.]+ \}\})*$/, 'must begin with a slash and carry no query')
    .describe('Below the URL of the instance; an argument stands for one whole segment.'),
  query: z.record(text, template).default({}),
  headers: z.record(text, text).default({}),
  body: template
    .optional()
    .describe('Sent as JSON; `{{ before.FIELD }}` is what the look before found, `{{ now }}` the time.'),
  expect: z
    .array(z.number().int().min(100).max(599))
    .min(1)
    .optional()
    .describe('Statuses that are a success; 2xx otherwise.'),
});

const argvRequest = z.strictObject({
  argv: z
    .array(template)
    .min(1)
    .refine(([program]) => typeof program === 'string' && program !== '' && !program.includes('{{'), {
      message: 'must begin with the program itself, written out: no argument may choose it',
    })
    .describe('The program and its arguments, each one whole; there is no shell.'),
  output: z.enum(['json', 'lines', 'text']).default('text'),
  expect: z.array(z.number().int().min(0).max(255)).min(1).default([0]).describe('Exit statuses that are a success.'),
});

const sqlRequest = z.strictObject({
  text: text.describe('One statement; arguments are its parameters $1, $2, …'),
  values: z.array(template).default([]),
});

/** Exactly one request, in the words of the system that it goes to. */
export const requestSchema = z
  .strictObject({
    http: httpRequest.optional(),
    run: argvRequest.optional(),
    sql: sqlRequest.optional(),
    redis: z.array(template).min(1).optional().describe('The command and its arguments.'),
  })
  .refine((request) => Object.keys(request).length === 1, 'must be exactly one of http, run, sql and redis');
export type Request = z.infer<typeof requestSchema>;

const expectation = text.superRefine((value, context) => {
  try {
    parseExpectation(value);
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error), input: value });
  }
});

/** What an argument must be for a risk class to hold; a setting's name stands for the operator's own list or number. */
const condition = z.union(
  [
    z.strictObject({ equals: z.union([z.string(), z.number(), z.boolean()]) }),
    z.strictObject({ oneOf: z.union([z.array(z.string()).min(1), text]) }),
    z.strictObject({ startsWithOneOf: text.describe('The name of a setting with prefixes.') }),
    z.strictObject({ atMost: z.union([z.number(), text]) }),
  ],
  { error: 'must be one of { equals: … }, { oneOf: […] }, { startsWithOneOf: SETTING } and { atMost: … }' },
);
export type Condition = z.infer<typeof condition>;

const riskClass = z.enum(RISK_CLASSES);
const risk = z.union(
  [
    riskClass,
    z
      .array(z.strictObject({ class: riskClass, when: z.record(text, condition).optional() }))
      .min(2)
      .refine((rules) => rules.every(({ when }, index) => (when === undefined) === (index === rules.length - 1)), {
        message: 'the last one, and only that, stands without `when`',
      })
      .describe('The first whose conditions hold decides.'),
  ],
  { error: `must be one of ${RISK_CLASSES.join(', ')}, or a list of { class: …, when: … }` },
);

/** How a person, a plan or a runbook would know that it worked, in the one form of a check. */
export const checkSchema = z.strictObject({
  tool: text,
  with: z.record(text, template).default({}),
  expect: expectation,
  within: z
    .string()
    .regex(/^\d{1,4}[sm]$/, 'must be seconds or minutes, for example 60s')
    .default('60s'),
});

/** The call that takes another one back. */
export const inverseSchema = z.strictObject({
  tool: text,
  with: z.record(text, template).describe('Arguments of this call, or `{{ before.FIELD }}` of what was recorded.'),
});

const look = {
  request: requestSchema,
  uid: jsonata.optional().describe('What is another one when the target was replaced by one of the same name.'),
  population: jsonata.optional().describe('{group, members, affects}: how much of a group of replicas it is about.'),
  preview: jsonata.describe('Lines that a person reads before answering.'),
  before: jsonata.optional().describe('What is recorded of the state before, for the inverse.'),
  require: z
    .array(z.strictObject({ holds: jsonata, otherwise: text }))
    .default([])
    .describe('What must be true for the call to make sense; otherwise it is refused in these words.'),
} as const;

const common = {
  name: z
    .string()
    .regex(
      /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.[a-z][a-z0-9_]{0,40}$/,
      'must be TOOLSET.VERB in lower case, or INSTANCE.VERB for a tool of your own',
    ),
  description: text.max(600),
  arguments: z.record(z.string().regex(/^[a-z][a-zA-Z0-9]{0,30}$/), argumentSchema).default({}),
  scope: z.record(text, text).optional(),
  listed: z
    .record(text, text)
    .optional()
    .describe('Arguments that must be in a list of the instance settings, where the operator gives one.'),
  target: text.describe('What it works on, with arguments filled into the text.'),
  timeoutSeconds: z.number().int().min(1).max(600),
  request: requestSchema,
  result: jsonata.optional().describe('What is kept of the answer; all of it otherwise.'),
} as const;

const readManifest = z.strictObject({ ...common, risk: z.literal('read') });
const changeManifest = z
  .strictObject({
    ...common,
    risk: risk.refine((value) => value !== 'read'),
    undo: text.describe('How a person would take it back.'),
    inspect: z
      .strictObject(look)
      .optional()
      .describe('What is looked at before. May be left out of what runs a program: its argv in full is shown then.'),
    dryRun: requestSchema.nullable().describe('The same request, which the system only tries; null where it cannot.'),
    check: checkSchema.nullable().describe('Null where the runbook or the alert itself must tell.'),
    inverse: inverseSchema.nullable().describe('The call that takes it back; null where there is none.'),
  })
  .refine(({ inspect, request }) => inspect !== undefined || request.run !== undefined, {
    path: ['inspect'],
    message: 'is missing: what changes something says before what it would meet; only a program (run) may leave it out',
  });

export type ChangeManifest = z.infer<typeof changeManifest>;
/** A tool as data: what it takes, what it touches, what it risks, and the one request that does it. */
export type Manifest = z.infer<typeof readManifest> | ChangeManifest;

/** Reads a manifest; what changes something must declare more than what only looks. */
export function safeParseManifest(value: unknown): z.ZodSafeParseResult<Manifest> {
  const isRead = value !== null && typeof value === 'object' && 'risk' in value && value.risk === 'read';
  const says = { error: sayMissing };
  return isRead ? readManifest.safeParse(value, says) : changeManifest.safeParse(value, says);
}

/** Says of a key that is not there that it is missing, and where null is an answer, that too. */
function sayMissing({ code, input, path = [] }: { code: string; input?: unknown; path?: PropertyKey[] }) {
  if (code !== 'invalid_type' || input !== undefined) return undefined;
  const mayBeNull = path.length === 1 && ['dryRun', 'check', 'inverse'].includes(String(path[0]));
  return mayBeNull ? 'is missing: write null where there is none' : 'is missing';
}

/** Tells a tool that changes something. */
export function isChange(manifest: Manifest): manifest is ChangeManifest {
  return manifest.risk !== 'read';
}

function mistakeIn(expression: string): string | null {
  try {
    compileJsonata(expression);
    return null;
  } catch (error) {
    const { message, position } = error as { message?: string; position?: number };
    return `is no JSONata: ${message ?? error}${position === undefined ? '' : `, at character ${position}`}`;
  }
}
