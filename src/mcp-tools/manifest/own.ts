import type { z } from 'zod';
import { describeProblems, NightshiftError, type Problem } from '../../errors.ts';
import type { OwnedBy, Tool } from '../tool.ts';
import { compileManifest } from './compile.ts';
import type { Drivers } from './drivers.ts';
import { isChange, type Manifest, type Request, safeParseManifest } from './manifest.ts';

const KINDS = ['http', 'run', 'sql', 'redis'] as const;

/**
 * Makes what turns an operator's manifests into tools of one instance, whose requests these drivers send.
 * The maker @throws NightshiftError `invalid_config` for a name that is not `INSTANCE.VERB`, that stands twice, or a request of a kind
 * that this toolset cannot send, with every such mistake.
 */
export function ownTools<Settings>(
  drivers: Drivers<Settings>,
): (declarations: readonly unknown[], instance: OwnedBy<Settings>) => Tool<Settings>[] {
  const kinds = KINDS.filter((kind) => drivers[kind] !== undefined);
  return (declarations, { name: instance }) => {
    const field = `toolsets.${instance}.manifests`;
    const manifests = declarations.map((declaration): Manifest => {
      const parsed = safeParseManifest(declaration);
      if (parsed.success) return parsed.data;
      throw new NightshiftError('invalid_config', `${field}: ${parsed.error.message}`);
    });
    const names = manifests.map(({ name }) => name);
    const problems = manifests.flatMap((manifest, index): Problem[] => {
      const { name } = manifest;
      const verb = name.slice(name.indexOf('.') + 1);
      const foreign = [...new Set(requestsOf(manifest).flatMap(Object.keys))].filter(
        (kind) => !kinds.some((own) => own === kind),
      );
      return [
        ...(name === `${instance}.${verb}`
          ? []
          : [{ message: 'is not named after its instance', fix: `call it ${instance}.${verb}` }]),
        ...(names.indexOf(name) === index
          ? []
          : [{ message: 'stands in two files of this folder', fix: 'give one of them a name of its own' }]),
        ...foreign.map((kind) => ({
          message: `sends a request of the kind ${kind}, which this toolset cannot`,
          fix: `write it as ${kinds.join(' or ')}, or put it into the folder of an instance of another toolset`,
        })),
      ].map((problem) => ({ field, value: name, ...problem }));
    });
    if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
    return manifests.map((manifest) => compileManifest(manifest, drivers));
  };
}

function requestsOf(manifest: Manifest): Request[] {
  const more = isChange(manifest) ? [manifest.inspect?.request, manifest.dryRun] : [];
  return [manifest.request, ...more].filter((request) => request !== undefined && request !== null);
}

/**
 * Finds what is wrong with an instance's own tool beside all others: a name that a toolset's tool has already, which nobody could tell
 * apart, and a check or an inverse that names no tool, or arguments that such a tool does not take or cannot do without.
 */
export function ownProblems(
  instance: string,
  { name, check, inverse }: Tool,
  {
    shared,
    all,
  }: { readonly shared: ReadonlySet<string>; readonly all: ReadonlyMap<string, Pick<Tool, 'risk' | 'input'>> },
): Problem[] {
  const at = { field: `toolsets.${instance}.manifests`, value: name };
  const problems: Problem[] = [];
  if (shared.has(name))
    problems.push({ ...at, message: 'is the name of a tool that there is already', fix: 'name its verb otherwise' });
  for (const [part, call] of [['check', check] as const, ['inverse', inverse] as const]) {
    if (!call) continue;
    const known = all.get(call.tool);
    if (!known) {
      problems.push({ ...at, message: `its ${part} names ${call.tool}, and there is no such tool`, fix: NAMES });
      continue;
    }
    if (part === 'check' && known.risk !== 'read')
      problems.push({
        ...at,
        message: `its check names ${call.tool}, which changes something`,
        fix: 'name one that only looks',
      });
    const fix = `it takes ${Object.keys(known.input.shape).join(', ') || 'no arguments'}`;
    for (const message of misgiven(call.with, known.input))
      problems.push({ ...at, message: `its ${part}, ${call.tool}, ${message}`, fix });
  }
  return problems;
}

/** Which arguments are too many or too few, whatever will be filled in. */
function misgiven(given: Readonly<Record<string, unknown>>, { shape }: Tool['input']): string[] {
  const takes = shape as Readonly<Record<string, z.ZodType>>;
  return [
    ...Object.keys(given)
      .filter((name) => !Object.hasOwn(takes, name))
      .map((name) => `is given ${name}, which it does not take`),
    ...Object.entries(takes)
      .filter(([name, schema]) => !Object.hasOwn(given, name) && !schema.safeParse(undefined).success)
      .map(([name]) => `is not given ${name}`),
  ];
}

const NAMES = 'write its whole name: INSTANCE.VERB for one of your own, or one of docs/tools.md';
