import { z } from 'zod';
import { matchSchema } from '../config/index.ts';
import { RISK_CLASSES } from '../mcp-tools/index.ts';
import { BUILT_IN_NAMES } from './built-in-rules.ts';
import { DECISIONS } from './question.ts';
import { WEEKDAYS } from './windows.ts';

const CLOCK = /^([01]\d|2[0-3]):[0-5]\d$/;
const SEVEN_DAYS_SECONDS = 604_800;

/** A moment as policy files and their tests write it: RFC 3339, with a zone. */
export const momentSchema = z.iso.datetime({ offset: true });

const name = z
  .string()
  .regex(/^[a-z0-9-]{1,64}$/, 'is no name')
  .refine((value) => BUILT_IN_NAMES.every((taken) => taken !== value), {
    error: 'is the name of a rule that is always there',
    params: { fix: 'give it a name of its own' },
  });
const reason = z.string().min(1);
const count = z.number().int().min(1).max(1000);
const withinSeconds = z.number().int().min(1).max(SEVEN_DAYS_SECONDS);

const scope = {
  tools: z.array(z.string().regex(/^[a-z0-9_-]+\.([a-z0-9_-]+|\*)$/i, 'is no tool')).default([]),
  match: matchSchema.default([]),
  call: matchSchema.default([]),
};

/** A demand on several fields at once; it is looked at even where single fields are wrong, so that all mistakes show together. */
function demand(field: string, error: string, fix: string) {
  return {
    path: [field],
    error,
    params: { fix },
    when: ({ value }: { value: unknown }) => typeof value === 'object' && value !== null,
  };
}

const kindOf = (value: unknown) => {
  if (CLOCK.test(String(value))) return 'clock';
  return momentSchema.safeParse(value).success ? 'date' : null;
};

const edge = z.string().refine((value) => kindOf(value) !== null, 'is neither a time of day nor a date with its zone');

function isTimezone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone });
    return true;
  } catch {
    return false;
  }
}

const windowSchema = z
  .strictObject({
    name,
    days: z.array(z.enum(WEEKDAYS)).min(1).optional(),
    from: edge,
    to: edge,
    timezone: z.string().refine(isTimezone, 'is no timezone').optional(),
  })
  .refine(
    ({ from, to }) => kindOf(from) === kindOf(to) || kindOf(from) === null || kindOf(to) === null,
    demand('to', 'is a date where from is a time of day, or the other way round', 'write both in the same way'),
  )
  .refine(
    ({ from, to }) => kindOf(from) !== 'date' || kindOf(to) !== 'date' || Date.parse(from) < Date.parse(to),
    demand('to', 'is not after from', 'let the window end after it begins'),
  )
  .refine(
    ({ from, days }) => kindOf(from) !== 'date' || days === undefined,
    demand('days', 'belongs to a weekly window', 'remove it'),
  )
  .refine(
    ({ from, timezone }) => kindOf(from) !== 'date' || timezone === undefined,
    demand('timezone', 'belongs to a weekly window', 'remove it: the zone stands in the dates'),
  );

const ruleSchema = z
  .strictObject({
    name,
    ...scope,
    risks: z.array(z.enum(RISK_CLASSES)).default([]),
    during: z.array(z.string()).default([]),
    outside: z.array(z.string()).default([]),
    record: z.strictObject({ runs: count, healed: z.number().min(0).max(1) }).optional(),
    decision: z.enum(DECISIONS),
    approvers: z
      .array(z.string().min(1))
      .min(1)
      .refine((names) => new Set(names).size === names.length, 'names somebody twice')
      .optional(),
    quorum: z.number().int().min(1).max(5).optional(),
    expirySeconds: z.number().int().min(60).max(3600).optional(),
    reason,
  })
  .refine(({ decision, approvers }) => decision === 'ask' || approvers === undefined, onlyFor('ask', 'approvers'))
  .refine(({ decision, quorum }) => decision === 'ask' || quorum === undefined, onlyFor('ask', 'quorum'))
  .refine(
    ({ decision, expirySeconds }) => decision === 'ask' || expirySeconds === undefined,
    onlyFor('ask', 'expirySeconds'),
  )
  .refine(({ decision, record }) => decision === 'allow' || record === undefined, onlyFor('allow', 'record'))
  .refine(
    ({ approvers, quorum }) => !Array.isArray(approvers) || quorum === undefined || quorum <= approvers.length,
    demand('quorum', 'is more than the approvers that are named', 'name more of them, or ask for fewer'),
  );

function onlyFor(decision: 'allow' | 'ask', field: string) {
  return demand(field, `belongs to a rule with decision: ${decision}`, `remove it, or write decision: ${decision}`);
}

const overrideSchema = z
  .strictObject({
    name,
    tool: z.string().regex(/^[a-z0-9_-]+\.[a-z0-9_-]+$/i, 'is no tool'),
    target: z.string().min(1),
    risk: z.enum(RISK_CLASSES).exclude(['read']),
    limit: z.strictObject({ runs: count, withinSeconds }).optional(),
    reason,
  })
  .refine(
    ({ risk, limit }) => limit !== undefined || (risk !== 'safe' && risk !== 'destructive'),
    demand('limit', 'is missing, and this may lower a class', 'add limit: {runs: 1, withinSeconds: 86400}, say'),
  );

const limitSchema = z
  .strictObject({
    name,
    ...scope,
    per: z.enum(['target', 'instance', 'tool', 'service', 'namespace', 'all']).optional(),
    runs: count.optional(),
    share: z.number().gt(0).max(1).optional(),
    withinSeconds,
    decision: z.enum(['ask', 'deny']).default('ask'),
    reason,
  })
  .refine(
    ({ runs, share }) => (runs === undefined) !== (share === undefined),
    demand('runs', 'a limit has either runs or share', 'write exactly one of the two'),
  )
  .refine(
    ({ runs, per }) => runs === undefined || per !== undefined,
    demand('per', 'is missing', 'write what is counted together: target, instance, tool, service, namespace or all'),
  )
  .refine(
    ({ share, per }) => share === undefined || per === undefined,
    demand('per', 'belongs to runs', 'remove it: a share is always of the group that the call works on'),
  );

const secretSchema = z.strictObject({
  name,
  tool: z.string().regex(/^[a-z0-9_-]+\.[a-z0-9_-]+$/i, 'is no tool'),
  argument: z.string().min(1).max(128),
  reason,
});

/** What one policy file may say; unknown keys are mistakes. */
export const policyFileSchema = z.strictObject({
  windows: z.array(windowSchema).default([]),
  rules: z.array(ruleSchema).default([]),
  risks: z.array(overrideSchema).default([]),
  limits: z.array(limitSchema).default([]),
  secrets: z.array(secretSchema).default([]),
});
export type PolicyFile = z.infer<typeof policyFileSchema>;

const namedSchema = z
  .object({
    name: z.string().nullable().catch(null),
    during: z.array(z.unknown()).catch([]),
    outside: z.array(z.unknown()).catch([]),
  })
  .catch({ name: null, during: [], outside: [] });
const listSchema = z.array(namedSchema).catch([]);

/** The names in a file and what refers to them, also of one with mistakes elsewhere; it never fails. */
export const outlineSchema = z
  .object({ windows: listSchema, rules: listSchema, risks: listSchema, limits: listSchema, secrets: listSchema })
  .catch({ windows: [], rules: [], risks: [], limits: [], secrets: [] });
export type Outline = z.infer<typeof outlineSchema>;

const MATCHERS = `write matchers as Alertmanager does, for example 'env="prod"'`;

/** How to mend what stands under a key, where the mistake itself does not say. */
export const POLICY_FIXES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    name: 'use lower-case letters, digits and hyphens, at most 64',
    tool: 'write toolset.verb, for example supervisor.restart',
    tools: 'write toolset.verb or toolset.*',
    match: MATCHERS,
    call: MATCHERS,
    argument: 'name one argument of the tool, for example token',
    reason: 'say why, for whoever reads the card',
    during: 'list names of windows:',
    outside: 'list names of windows:',
    days: 'list some of mon, tue, wed, thu, fri, sat, sun',
    from: 'write a time of day as "22:00", or a date as 2026-12-20T00:00:00Z',
    to: 'write a time of day as "06:00", or a date as 2027-01-03T00:00:00Z',
    timezone: 'use a name of the IANA database, for example Europe/Berlin',
    approvers: 'list names of people:, each once',
    runs: 'use 1 to 1000',
    quorum: 'use 1 to 5',
    expirySeconds: 'use 60 to 3600',
    withinSeconds: 'use 1 to 604800 (seven days)',
    share: 'use a number above 0, at most 1',
    healed: 'use a number from 0 to 1',
    per: 'write target, instance, tool, service, namespace or all',
  }),
);
