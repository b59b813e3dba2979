import { z } from 'zod';
import { labelsSchema } from '../alert/index.ts';
import type { Problem } from '../errors.ts';
import { RISK_CLASSES } from '../mcp-tools/index.ts';
import { momentSchema } from './policy-file.ts';
import { DECISIONS, type RunEffect } from './question.ts';
import { invalidPolicy, readFolders, readYaml } from './read-file.ts';

const EFFECTS = ['healed', 'unchanged', 'worse', 'unknown'] as const satisfies readonly RunEffect[];
/** A Monday noon, so that a test without a time gives the same result on every day. */
const NOON = '2026-01-05T12:00:00Z';

const moment = momentSchema.transform((text) => new Date(text));
const some = z.number().int().min(0).max(1000).default(0);
const limit = z.number().int().min(1);

const recordSchema = z.union([
  z.array(z.enum(EFFECTS)),
  z
    .strictObject({ healed: some, unchanged: some, unknown: some, worse: some, newest: z.enum(EFFECTS).optional() })
    .transform(({ newest, ...counts }): RunEffect[] => [
      ...(newest === undefined ? [] : [newest]),
      ...(['healed', 'unchanged', 'unknown', 'worse'] as const).flatMap((effect) =>
        Array<RunEffect>(counts[effect]).fill(effect),
      ),
    ]),
]);

const testSchema = z.strictObject({
  name: z.string().min(1),
  call: z.strictObject({
    tool: z.string().min(1),
    arguments: z.record(z.string(), z.unknown()).default({}),
    instance: z.string().min(1).optional(),
    target: z.string().min(1).optional(),
    risk: z.enum(RISK_CLASSES).optional(),
  }),
  labels: labelsSchema,
  mode: z.enum(['observe', 'ask', 'auto']).default('auto'),
  origin: z.enum(['pinned', 'unpinned', 'undeclared']).default('pinned'),
  requestedBy: z.string().min(1).nullable().default(null),
  at: moment.prefault(NOON),
  receivedAt: moment.optional(),
  population: z
    .strictObject({ group: z.string(), members: z.number().int().min(0), affects: z.number().int().min(0) })
    .nullable()
    .default(null),
  serviceApprovers: z.array(z.string().min(1)).min(1).nullable().default(null),
  recent: z
    .array(
      z.strictObject({
        minutesAgo: z.number().min(0),
        tool: z.string().optional(),
        instance: z.string().optional(),
        target: z.string().optional(),
        service: z.string().optional(),
        namespace: z.string().optional(),
        group: z.string().nullable().optional(),
        affects: z.number().int().min(0).default(1),
      }),
    )
    .default([]),
  record: recordSchema.default([]),
  limits: z
    .strictObject({
      perTargetTenMinutes: limit,
      perTargetDay: limit,
      perNamespaceHour: limit,
      replicaShare: z.number().gt(0).max(1),
      alertAgeSeconds: limit,
    })
    .partial()
    .default({}),
  expect: z.strictObject({
    decision: z.enum(DECISIONS),
    risk: z.enum(RISK_CLASSES).optional(),
    approvals: z.number().int().min(0).optional(),
    approvers: z
      .array(z.string())
      .transform((names) => names.toSorted())
      .nullable()
      .optional(),
    expirySeconds: z.number().int().nullable().optional(),
    rules: z.array(z.string()).default([]),
  }),
});

const testFileSchema = z.strictObject({ tests: z.array(testSchema).min(1) });

/** One test of a policy: a question, as far as it is not usual, and what the verdict must be. */
export type PolicyTest = z.infer<typeof testSchema> & { readonly path: string };

/** Reads one file of policy tests. Returns them, or every problem found. */
export function parsePolicyTests(path: string, text: string): { tests: PolicyTest[]; problems: readonly Problem[] } {
  const { data, problems } = readYaml(path, text, testFileSchema);
  return { tests: (data?.tests ?? []).map((test) => ({ ...test, path })), problems };
}

/**
 * Loads every `*.test.yaml` of the policy folders.
 * @throws NightshiftError `invalid_policy` listing every mistake in every file.
 */
export async function loadPolicyTests(folders: readonly string[]): Promise<PolicyTest[]> {
  const files = (await readFolders(folders, 'tests')).map(({ path, text }) => parsePolicyTests(path, text));
  const problems = files.flatMap((file) => file.problems);
  if (problems.length > 0) throw invalidPolicy(problems, "the policy's tests");
  return files.flatMap(({ tests }) => tests);
}
