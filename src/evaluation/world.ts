import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { canonicalSha256 } from '../mcp-tools/clearance.ts';

const argumentsSchema = z.record(z.string(), z.unknown());

/** What a system answered: a result as the tool gave it, or the words in which it failed. */
const answered = {
  instance: z.string().min(1),
  tool: z.string().min(1),
  arguments: argumentsSchema.default({}),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.string().min(1).optional(),
};
const ONE = 'needs a result or an error, and not both';

const lookSchema = z
  .strictObject({
    ...answered,
    ignoring: z
      .array(z.string())
      .default([])
      .describe('Arguments that may be anything, such as how many lines are wanted.'),
  })
  .refine((look) => (look.result === undefined) !== (look.error === undefined), ONE);
export type RecordedLook = z.infer<typeof lookSchema>;

const inspectionSchema = z
  .strictObject(answered)
  .refine((look) => (look.result === undefined) !== (look.error === undefined), ONE);

const changeSchema = z
  .strictObject({
    ...answered,
    arguments: argumentsSchema.optional().describe('Of any arguments where it is left out.'),
    from: z.int().min(0).optional().describe('Only in this phase; in any where it is left out.'),
    to: z
      .int()
      .min(0)
      .nullable()
      .describe('The phase that it leads to; null for one that changes nothing that is looked at.'),
  })
  .refine((change) => (change.result === undefined) !== (change.error === undefined), ONE);
export type RecordedChange = z.infer<typeof changeSchema>;

const phaseSchema = z.strictObject({
  name: z.string().min(1),
  over: z.boolean().default(false).describe('Whether the alert resolves here; its sender then says so.'),
  looks: z.array(lookSchema).default([]),
  inspections: z.array(inspectionSchema).default([]),
});

/** A system that was recorded: what it answers while it is ill, what changes lead to, and what it answers then. */
export const worldSchema = z.strictObject({
  v: z.literal(1),
  recorded: z.strictObject({
    by: z.enum(['machine', 'hand']).describe('By a program from a real system, or written by a person.'),
    system: z.string().min(1).describe('Which system in which version.'),
    fault: z.string().min(1).describe('What made the fault.'),
    at: z.string().min(1).describe('The day.'),
  }),
  instances: z
    .record(z.string(), z.looseObject({ uses: z.string(), match: z.array(z.string()).default([]) }))
    .describe('As under `toolsets:` in nightshift.yaml.'),
  phases: z.array(phaseSchema).min(1),
  changes: z.array(changeSchema).default([]),
});
export type World = z.infer<typeof worldSchema>;

/** Reads a world. @throws ZodError where it is none, and whatever reading a file throws. */
export function readWorld(path: string): World {
  return worldSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** How a world answers: as it was recorded, or by saying that it was not. */
export type WorldAnswer =
  | {
      readonly recorded: true;
      readonly result?: Record<string, unknown> | undefined;
      readonly error?: string | undefined;
    }
  | { readonly recorded: false };

interface Asked {
  readonly phase: number;
  readonly instance: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Gives what a look found in a phase; arguments are compared as values, whatever the order of their keys. */
export function lookIn({ phases }: World, asked: Asked): WorldAnswer {
  const found = phases[asked.phase]?.looks.find((look) => isAbout(look, asked, look.ignoring));
  return found ? { recorded: true, result: found.result, error: found.error } : { recorded: false };
}

/** Gives what an inspection found in a phase. */
export function inspectionIn({ phases }: World, asked: Asked): WorldAnswer {
  const found = phases[asked.phase]?.inspections.find((look) => isAbout(look, asked, []));
  return found ? { recorded: true, result: found.result, error: found.error } : { recorded: false };
}

/** Gives the first entry that this change is, and so where it leads; null for one that nobody recorded. */
export function changeIn({ changes }: World, asked: Asked): RecordedChange | null {
  const found = changes.find(
    ({ from, arguments: args, ...change }) =>
      (from === undefined || from === asked.phase) &&
      change.instance === asked.instance &&
      change.tool === asked.tool &&
      (args === undefined || isSame(args, asked.arguments)),
  );
  return found ?? null;
}

function isAbout(
  look: { instance: string; tool: string; arguments: Record<string, unknown> },
  { instance, tool, arguments: args }: Asked,
  ignoring: readonly string[],
): boolean {
  const without = (values: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(values).filter(([name]) => !ignoring.includes(name)));
  return look.instance === instance && look.tool === tool && isSame(without(look.arguments), without(args));
}

function isSame(a: unknown, b: unknown): boolean {
  return canonicalSha256('arguments', a) === canonicalSha256('arguments', b);
}
