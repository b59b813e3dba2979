import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { type Matcher, parseMatcherList } from '../alert/index.ts';
import { matchSchema, problemsOf } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError, type Problem } from '../errors.ts';
import { canonicalSha256, RISK_CLASSES } from '../mcp-tools/index.ts';

const ruleSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]{1,64}$/, 'use lower-case letters, digits and hyphens'),
  tools: z.array(z.string().regex(/^[a-z]+\.([a-z_]+|\*)$/, 'write toolset.verb or toolset.*')).default([]),
  risks: z.array(z.enum(RISK_CLASSES)).default([]),
  match: matchSchema.default([]),
  decision: z.enum(['allow', 'ask', 'deny']),
  reason: z.string().min(1),
});

const policySchema = z.strictObject({ rules: z.array(ruleSchema) });

export interface PolicyRule extends Omit<z.infer<typeof ruleSchema>, 'match'> {
  readonly matchers: readonly Matcher[];
}

export interface Policy {
  readonly rules: readonly PolicyRule[];
  /** Changes whenever any rule changes; approvals are bound to it. */
  readonly sha256: string;
}

/** Reads one policy file. Returns its rules, or every problem found. */
export function parsePolicy(path: string, text: string): { rules: z.infer<typeof ruleSchema>[]; problems: Problem[] } {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    return {
      rules: [],
      problems: document.errors.map((error) => ({ field: path, message: error.message.split('\n')[0] ?? '' })),
    };
  }
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: 0 });
  } catch {
    return { rules: [], problems: [{ field: path, message: 'uses a YAML alias (*name)', fix: 'write the value out' }] };
  }
  const parsed = policySchema.safeParse(raw);
  return parsed.success
    ? { rules: parsed.data.rules, problems: [] }
    : { rules: [], problems: problemsOf(parsed.error, raw, [path]) };
}

/**
 * Loads every `*.yaml` of the policy folders.
 * @throws NightshiftError `invalid_policy` listing every mistake in every file; a policy that cannot be read allows nothing.
 */
export async function loadPolicy(folders: readonly string[]): Promise<Policy> {
  const files = (await Promise.all(folders.map(filesIn))).flat();
  const parsed = await Promise.all(files.map(async (path) => parsePolicy(path, await readFile(path, 'utf8'))));
  const problems = parsed.flatMap((one) => one.problems);
  if (problems.length > 0)
    throw new NightshiftError(
      'invalid_policy',
      `${problems.length} mistake(s) in the policy:\n${describeProblems(problems)}`,
      { problems },
    );
  const rules = parsed.flatMap((one) => one.rules);
  return {
    rules: rules.map(({ match, ...rule }) => ({ ...rule, matchers: parseMatcherList(match) })),
    sha256: canonicalSha256('policy', rules),
  };
}

async function filesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => /\.ya?ml$/.test(name))
      .sort()
      .map((name) => join(folder, name));
  } catch (cause) {
    const fix = 'create the folder, or correct policies: in nightshift.yaml';
    throw new NightshiftError('invalid_policy', `policies: cannot read ${folder}: ${messageOf(cause)}. Fix: ${fix}`, {
      cause,
    });
  }
}
