import type { z } from 'zod';
import type { Problem } from '../errors.ts';
import type { Tool } from '../mcp-tools/index.ts';
import { stepsSaid } from './contradictions.ts';
import { readYaml, splitFrontMatter } from './front-matter.ts';
import type { Flag } from './instructions.ts';
import { findOverlap, whyNeverMatches } from './overlap.ts';
import { matchersOf, parseRunbook, type Runbook } from './runbook.ts';

/** One thing that is wrong with a runbook, and where; an error keeps it from doing what it says, a warning does not. */
export interface Finding extends Problem {
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  readonly severity: 'error' | 'warning';
  readonly rule:
    | 'source'
    | 'file'
    | 'front-matter'
    | 'unknown-tool'
    | 'arguments'
    | 'check-changes'
    | 'never-runs'
    | 'never-matches'
    | 'overlap'
    | 'no-match'
    | 'no-check'
    | 'no-steps'
    | 'instruction-like-text';
}

interface Linted {
  readonly runbook: Runbook;
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  /** Whether `steps` stands for the one remedy. */
  readonly isShort: boolean;
}

type Add = (severity: Finding['severity'], rule: Finding['rule'], at: readonly PropertyKey[], problem: Problem) => void;

/** Gives everything that is wrong with these runbooks by themselves, beside the tools and beside each other, in the order of paths and lines. */
export function lintRunbooks(
  files: readonly { readonly path: string; readonly text: string }[],
  tools: ReadonlyMap<string, Tool>,
): { runbooks: Runbook[]; findings: Finding[] } {
  const findings: Finding[] = [];
  const linted: Linted[] = [];
  for (const { path, text } of files) {
    const runbook = parseRunbook(path, text);
    findings.push(...runbook.problems.map((problem) => placed(path, problem)));
    findings.push(...runbook.flags.map((flag) => flagged(path, flag)));
    const { frontMatter } = splitFrontMatter(text);
    const { value, lineOf } = frontMatter === null ? { value: null, lineOf: () => 1 } : readYaml(frontMatter);
    const isShort = value !== null && typeof value === 'object' && 'steps' in value;
    linted.push({ runbook, lineOf, isShort });
  }
  for (const one of linted) {
    if (one.runbook.problems.length > 0) continue;
    const add: Add = (severity, rule, at, problem) =>
      findings.push({ path: one.runbook.path, line: one.lineOf(at), severity, rule, ...problem });
    lintMatch(one.runbook, add);
    lintCalls(one, tools, add);
  }
  findings.push(...lintOverlaps(linted));
  return { runbooks: linted.map(({ runbook }) => runbook), findings: findings.sort(byPlace) };
}

function byPlace(a: Finding, b: Finding): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line;
}

/** The parser tells the line in words. */
function placed(path: string, problem: Problem): Finding {
  const [told = '', line = '1'] = / \(line (\d+)\)/.exec(problem.message) ?? [];
  const rule = problem.field === 'file' ? 'file' : 'front-matter';
  const message = problem.message.replace(told, '');
  return { path, line: Number(line), severity: 'error', rule, ...problem, message };
}

function flagged(path: string, { line, reason }: Flag): Finding {
  return {
    path,
    line,
    severity: 'warning',
    rule: 'instruction-like-text',
    field: 'file',
    message: `${reason}, so it stands below other runbooks and never acts unasked`,
    fix: 'write it for people, or take it out',
  };
}

function lintMatch(runbook: Runbook, add: Add): void {
  const { match, remedies, verify } = runbook;
  const why = whyNeverMatches(matchersOf(runbook));
  if (why !== null)
    add('error', 'never-matches', ['match'], {
      field: 'match',
      message: `can never hold: ${why}`,
      fix: 'correct a matcher, or write one runbook for each',
    });
  if (match.length === 0 && remedies.length + verify.length > 0)
    add('warning', 'no-match', [remedies.length > 0 ? 'steps' : 'verify'], {
      field: 'match',
      message: 'is missing, so that nothing of this is ever done for an alert',
      fix: 'say which alerts it is for: match: [\'alertname="…"\']',
    });
  if (remedies.length > 0 && verify.length === 0)
    add('warning', 'no-check', ['steps'], {
      field: 'verify',
      message: 'is missing: nothing tells whether the steps helped, so the incident is never closed without a person',
      fix: 'add a check with a reading tool and what it must show',
    });
  if (remedies.length === 0 && verify.length > 0)
    add('warning', 'no-steps', ['verify'], {
      field: 'verify',
      message: 'is never checked, because there are no steps',
      fix: 'add steps, or move the checks to the runbook that has them',
    });
}

interface LintedCall {
  readonly tool: string;
  readonly with: Readonly<Record<string, unknown>>;
  readonly field: string;
  readonly at: readonly PropertyKey[];
  readonly isCheck: boolean;
}

function lintCalls({ runbook, isShort }: Linted, tools: ReadonlyMap<string, Tool>, add: Add): void {
  const steps = runbook.remedies.flatMap(({ name, steps: own }, remedy) =>
    own.map((step, index) => {
      const at = isShort ? ['steps', index] : ['remedies', remedy, 'steps', index];
      return { ...step, field: `${name}: ${step.tool}`, at, isCheck: false };
    }),
  );
  const conditions = runbook.remedies.flatMap(({ name, when }, remedy) =>
    when.map((condition, index) => {
      const at = isShort ? ['when', index] : ['remedies', remedy, 'when', index];
      return { ...condition, field: `${name}: when: ${condition.tool}`, at, isCheck: true };
    }),
  );
  const checks = runbook.verify.map((check, index) => {
    return { ...check, field: `verify: ${check.tool}`, at: ['verify', index], isCheck: true };
  });
  for (const call of [...conditions, ...steps, ...checks]) lintCall(call, tools, add);
}

function lintCall(
  { tool: name, with: args, field, at, isCheck }: LintedCall,
  tools: ReadonlyMap<string, Tool>,
  add: Add,
) {
  const tool = tools.get(name);
  if (!tool) {
    const fix = `use one of ${[...tools.keys()].join(', ')}`;
    add('error', 'unknown-tool', [...at, 'tool'], { field, message: 'there is no such tool', fix });
    return;
  }
  const shape = tool.input.shape as Record<string, z.ZodType>;
  const takes = `it takes ${Object.keys(shape).join(', ')}`;
  const wrong = (key: string, message: string, fix = takes, value?: unknown) =>
    add('error', 'arguments', [...at, 'with', key], {
      field: key === '' ? field : `${field}.${key}`,
      message,
      fix,
      ...(value === undefined ? {} : { value: JSON.stringify(value) }),
    });
  let isWhole = true;
  for (const [key, value] of Object.entries(args)) {
    const schema = Object.hasOwn(shape, key) ? shape[key] : undefined;
    const told = schema ? whyNotTaken(schema, value) : 'is no argument of this tool';
    if (told !== null) wrong(key, told, takes, schema ? value : undefined);
    isWhole &&= told === null && !isTemplate(value);
  }
  for (const [key, schema] of Object.entries(shape)) {
    if (Object.hasOwn(args, key) || schema.safeParse(undefined).success) continue;
    wrong(key, 'is missing');
    isWhole = false;
  }
  // What only the arguments together can get wrong; labels are not known yet.
  const parsed = isWhole ? tool.input.safeParse(args) : null;
  for (const { path, message } of parsed?.error?.issues ?? []) wrong(String(path[0] ?? ''), message);
  if (isCheck && tool.risk !== 'read') {
    const fix = 'use a tool whose risk is read';
    add('error', 'check-changes', at, { field, message: 'changes things, and a check may only read', fix });
  }
  if (!isCheck && tool.risk === 'forbidden')
    add('warning', 'never-runs', at, { field, message: 'is never run by Nightshift', fix: 'leave it to people' });
}

/** Tells why a tool takes no such argument; what a template will be is not known, only that it will be text. */
function whyNotTaken(schema: z.ZodType, value: unknown): string | null {
  const issue = schema.safeParse(value).error?.issues[0];
  if (!issue) return null;
  if (!isTemplate(value)) return issue.message;
  const isWrongType = issue.code === 'invalid_type' && issue.path.length === 0;
  return isWrongType ? `is a template, which gives text, and the tool takes ${issue.expected}` : null;
}

function isTemplate(value: unknown): boolean {
  return typeof value === 'string' && value.includes('{{');
}

/** Compares every two runbooks that act; those that would do the same may both be for an alert. */
function lintOverlaps(linted: readonly Linted[]): Finding[] {
  const acting = linted
    .filter(({ runbook }) => runbook.actionable && runbook.match.length > 0)
    .map((one) => ({ ...one, matchers: matchersOf(one.runbook), says: stepsSaid(one.runbook) }));
  return acting.flatMap((a, index) =>
    acting.slice(index + 1).flatMap((b): Finding[] => {
      const overlap = a.says === b.says ? null : findOverlap(a.matchers, b.matchers);
      if (!overlap) return [];
      const labels = Object.entries(overlap.labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      const [severity, may] = overlap.certain ? (['error', 'are'] as const) : (['warning', 'may be'] as const);
      return [
        {
          path: a.runbook.path,
          line: a.lineOf(['match']),
          severity,
          rule: 'overlap',
          field: 'match',
          message: `this and ${b.runbook.path}:${b.lineOf(['match'])} ${may} both for {${labels.join(', ')}} and tell different steps, so neither acts unasked there`,
          fix: 'narrow one of them by a matcher such as service!="…", or tell the same steps in both',
        },
      ];
    }),
  );
}
