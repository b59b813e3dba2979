import type { PersonConfig } from '../config/index.ts';
import type { Problem } from '../errors.ts';
import type { Outline } from './policy-file.ts';
import type { Policy } from './question.ts';
import type { ParsedPolicy } from './rules.ts';
import { includesTool, toolFits } from './scope.ts';

interface Surroundings {
  /** The names of all tools of all toolsets. */
  readonly toolNames: readonly string[];
  /** The names of the arguments that a tool takes. */
  readonly argumentsOf?: (tool: string) => readonly string[];
  /** The people of nightshift.yaml; a viewer approves nothing. */
  readonly people: readonly Pick<PersonConfig, 'name' | 'role'>[];
}

/** Says where the mistakes that `lintPolicy` found stand in these files; it names lines by their names, which are never given twice. */
export function locateLint(problems: readonly Problem[], files: readonly ParsedPolicy[]): Problem[] {
  return problems.map((problem) => {
    const [list = '', name = '', ...rest] = problem.field.split('.');
    for (const { outline, placeOf } of files) {
      const index = (outline[list as keyof Outline] ?? []).findIndex((one) => one.name === name);
      if (index !== -1) return { ...problem, at: placeOf([list, index, ...rest].join('.')) };
    }
    return problem;
  });
}

/**
 * Gives the mistakes of a policy that only show beside the tools and the people: tools that no toolset has, arguments that a tool does
 * not take, rules that can therefore never speak, approvers that are not configured, and quorums that nobody could fill.
 */
export function lintPolicy(policy: Policy, { toolNames, argumentsOf, people }: Surroundings): Problem[] {
  const approvers = people.filter(({ role }) => role !== 'viewer').map(({ name }) => name);
  return [
    ...policy.rules.flatMap((rule) => unknownTools(`rules.${rule.name}`, rule.tools, toolNames)),
    ...policy.limits.flatMap((limit) => unknownTools(`limits.${limit.name}`, limit.tools, toolNames)),
    ...policy.overrides
      .filter(({ tool }) => !toolNames.includes(tool))
      .map(({ name, tool }) => noSuchTool(`risks.${name}.tool`, tool, toolNames)),
    ...policy.secrets.flatMap(({ name, tool, argument }) => {
      if (!toolNames.includes(tool)) return [noSuchTool(`secrets.${name}.tool`, tool, toolNames)];
      const known = argumentsOf?.(tool);
      if (known === undefined || known.includes(argument)) return [];
      const fix = known.length > 0 ? `use one of ${known.join(', ')}` : 'remove it: this tool takes no arguments';
      const message = `${tool} takes no such argument`;
      return [{ field: `secrets.${name}.argument`, value: JSON.stringify(argument), message, fix }];
    }),
    ...policy.rules.flatMap(({ name, approvers: named }) =>
      (named ?? [])
        .filter((person) => !approvers.includes(person))
        .map((person) => ({
          field: `rules.${name}.approvers`,
          value: JSON.stringify(person),
          message: 'is not configured as somebody who may approve',
          fix: 'add this person to people: in nightshift.yaml with role: approver, or correct the name',
        })),
    ),
    ...policy.rules
      .filter(({ quorum }) => (quorum ?? 0) > approvers.length)
      .map(({ name, quorum }) => ({
        field: `rules.${name}.quorum`,
        value: String(quorum),
        message: `is more than the ${approvers.length} approver(s) that are configured`,
        fix: 'add approvers to people: in nightshift.yaml, or ask for fewer',
      })),
  ];
}

function unknownTools(field: string, tools: readonly string[], toolNames: readonly string[]): Problem[] {
  const unknown = tools.filter((entry) => !toolNames.some((tool) => includesTool(entry, tool)));
  const problems = unknown.map((entry) => noSuchTool(`${field}.tools`, entry, toolNames));
  if (toolNames.some((tool) => toolFits(tools, tool))) return problems;
  const message = 'can never speak, because there is none of its tools';
  return [...problems, { field, message, fix: 'correct its tools, or remove it' }];
}

function noSuchTool(field: string, tool: string, toolNames: readonly string[]): Problem {
  const near = toolNames.filter((name) => name.split('.')[0] === tool.split('.')[0]);
  return {
    field,
    value: JSON.stringify(tool),
    message: 'no toolset has such a tool',
    fix:
      near.length > 0 ? `use one of ${near.join(', ')}` : 'use one that docs/tools.md or nightshift tools list names',
  };
}
