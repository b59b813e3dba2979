import { z } from 'zod';
import { type Labels, type Matcher, matchesLabels, parseMatcherList } from '../alert/index.ts';
import type { ToolsetInstanceConfig } from '../config/index.ts';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import { canonicalSha256 } from './clearance.ts';
import { declarationSha256 } from './declaration.ts';
import { readManifests } from './manifest/load.ts';
import { ownProblems } from './manifest/own.ts';
import { readPins } from './mcp/pins.ts';
import type { Remote } from './remote.ts';
import { type RiskClass, riskOf, type Tool, type Toolset, toolsOf } from './tool.ts';

/** One configured system: a toolset, its settings, and which alerts it is for. */
export interface Instance {
  readonly name: string;
  readonly toolset: Toolset;
  readonly settings: unknown;
  /** What the operator declared for it alone, as data. */
  readonly declarations: readonly unknown[];
  /** Its toolset's tools and its own. */
  readonly tools: readonly Tool[];
  readonly matchers: readonly Matcher[];
  /** Where it runs on another host; otherwise it runs here, in a process of its own. */
  readonly remote?: Remote | undefined;
}

/** One call, checked against its tool's schema and bound to one instance; all of it decided without a model. */
export interface Call {
  readonly instance: string;
  readonly tool: string;
  readonly arguments: Record<string, unknown>;
  /** `instance:what it works on`, for example `shop-eu:process checkout`. */
  readonly target: string;
  readonly risk: RiskClass;
  readonly undo: string;
  readonly timeoutSeconds: number;
  /** Hash of the tool's declaration and the instance's settings, so that an approval is void when either changes. */
  readonly definitionSha256: string;
  /** Hash of the tool's declaration alone, which a toolset compares with its own; left out where nothing could be cleared. */
  readonly toolSha256?: string;
}

export type Resolution =
  | { readonly ok: true; readonly call: Call }
  | {
      readonly ok: false;
      readonly why: 'unknown_tool' | 'no_instance' | 'ambiguous_instance' | 'invalid_arguments' | 'out_of_scope';
      readonly message: string;
    };

export interface Catalogue {
  readonly instances: readonly Instance[];
  /**
   * Binds a tool and arguments to the one instance that is for alerts with these labels; none or several is a refusal, and so are
   * arguments outside the tool's scope.
   */
  resolve(tool: string, args: unknown, labels: Labels): Resolution;
  /** Every tool there is by its name: those of all toolsets, and those that instances have of their own. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** The declaration of a tool, or null where there is none of that name. */
  toolNamed(name: string): Tool | null;
  /** The tools of the instances that are for alerts with these labels, ambiguous ones left out. */
  toolsFor(labels: Labels): { tool: Tool; instance: Instance }[];
}

/**
 * Makes the catalogue of the configured instances; their settings were validated with the configuration.
 * @throws NightshiftError `invalid_config` naming what is wrong with what an instance declares for itself.
 */
export function createCatalogue(
  toolsets: Readonly<Record<string, Toolset>>,
  configured: Readonly<Record<string, ToolsetInstanceConfig>>,
): Catalogue {
  const instances = Object.entries(configured).flatMap(
    ([name, { uses, match, manifests, pins, remote, ...given }]): Instance[] => {
      const toolset = toolsets[uses];
      if (!toolset) return [];
      const settings = toolset.settings.parse(given);
      const declarations = declarationsOf(name, toolset, { manifests, pins });
      const tools = toolsOf(toolset, { name, settings, declarations });
      return [{ name, toolset, settings, declarations, tools, matchers: parseMatcherList(match), remote }];
    },
  );
  const shared = Object.values(toolsets).flatMap((toolset) =>
    toolset.tools.map((tool): [string, Known] => [tool.name, { tool, toolset, owner: null }]),
  );
  const own = instances.flatMap((instance) =>
    instance.tools
      .filter((tool) => !instance.toolset.tools.includes(tool))
      .map((tool): [string, Known] => [tool.name, { tool, toolset: instance.toolset, owner: instance }]),
  );
  const tools = new Map([...own, ...shared]);
  const all = new Map([...tools].map(([name, { tool }]) => [name, tool]));
  const names = { shared: new Set(shared.map(([name]) => name)), all };
  const problems = [
    ...instances.flatMap((instance) => shadowing(instance, toolsets)),
    ...own.flatMap(([, { tool, owner }]) => ownProblems(owner?.name ?? '', tool, names)),
  ];
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  const candidates = ({ toolset, owner }: Pick<Known, 'toolset' | 'owner'>, labels: Labels) =>
    instances.filter(
      (instance) =>
        (owner === null ? instance.toolset === toolset : instance === owner) &&
        matchesLabels(instance.matchers, labels),
    );

  return {
    instances,
    tools: all,
    resolve(name, args, labels) {
      const known = tools.get(name);
      if (!known) return { ok: false, why: 'unknown_tool', message: `there is no tool ${name}` };
      const [instance, ...others] = candidates(known, labels);
      if (!instance) {
        const which = known.owner ? `its instance ${known.owner.name} is not` : `no ${known.toolset.name} instance is`;
        const fix = known.owner
          ? 'widen its match:'
          : `configure one under toolsets: in nightshift.yaml (uses: ${known.toolset.name})`;
        return { ok: false, why: 'no_instance', message: `${which} for this alert's labels; ${fix}` };
      }
      if (others.length > 0) {
        const names = [instance, ...others].map((one) => one.name).join(', ');
        return {
          ok: false,
          why: 'ambiguous_instance',
          message: `several ${known.toolset.name} instances (${names}) are for this alert's labels; narrow their match:`,
        };
      }
      const parsed = known.tool.input.safeParse(args);
      if (!parsed.success)
        return {
          ok: false,
          why: 'invalid_arguments',
          message: `${name}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`,
        };
      const outside = whyOutOfScope(known.tool, parsed.data, labels);
      if (outside !== null) return { ok: false, why: 'out_of_scope', message: `${name}: ${outside}` };
      return { ok: true, call: toCall(known.tool, instance, parsed.data) };
    },
    toolNamed: (name) => tools.get(name)?.tool ?? null,
    toolsFor(labels) {
      return instances
        .filter((instance) => matchesLabels(instance.matchers, labels))
        .flatMap((instance) =>
          instance.tools
            .filter(({ name }) => {
              const known = tools.get(name);
              return known !== undefined && candidates(known, labels).length === 1;
            })
            .map((tool) => ({ tool, instance })),
        );
    },
  };
}

/** Whoever writes `kubernetes.*` into a policy means the toolset; tools that others declare must not answer to its name. */
function shadowing({ name, toolset }: Instance, toolsets: Readonly<Record<string, Toolset>>): Problem[] {
  if (toolset.declaredBy !== 'pins' || !Object.hasOwn(toolsets, name)) return [];
  const message = 'is the name of a toolset, so tools of this server would be taken for tools of that';
  return [{ field: `toolsets.${name}`, message, fix: 'call this instance otherwise' }];
}

/** What an operator wrote down for one instance. @throws NightshiftError `invalid_config` where it cannot be read. */
function declarationsOf(
  instance: string,
  toolset: Toolset,
  { manifests, pins }: Pick<ToolsetInstanceConfig, 'manifests' | 'pins'>,
): readonly unknown[] {
  const isPinned = toolset.declaredBy === 'pins';
  if (isPinned && manifests === undefined) return pins === undefined ? [] : readPins(instance, pins);
  if (manifests === undefined) return [];
  if (toolset.own && !isPinned) return readManifests(instance, manifests);
  const field = `toolsets.${instance}.manifests`;
  const message = `the toolset ${toolset.name} takes no manifests`;
  const problem = { field, value: manifests, message, fix: 'take it out' };
  throw new NightshiftError('invalid_config', describeProblems([problem]), { problems: [problem] });
}

/** A tool by its name, and the one instance that it belongs to where it is not its toolset's. */
interface Known {
  readonly tool: Tool;
  readonly toolset: Toolset;
  readonly owner: Instance | null;
}

/** Labels only narrow: what the alert does not name in full is not touched on its account. */
function whyOutOfScope({ scope = {} }: Tool, input: Record<string, unknown>, labels: Labels): string | null {
  for (const [argument, label] of Object.entries(scope)) {
    const allowed = Object.hasOwn(labels, label) ? labels[label] : undefined;
    if (!allowed) return `${argument} must be what the alert's label ${label} says, and the alert has no such label`;
    if (input[argument] !== allowed)
      return `${argument} must be ${JSON.stringify(allowed)}, as the alert's label ${label} says`;
  }
  return null;
}

const SECRET = /password|token|secret|key|credential|authorization|username/i;

/** Which system it is and how it is worked on, without what only opens it: a changed password is still the same system. */
function publicSettings(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/:\/\/[^/@\s]*@/g, '://');
  if (Array.isArray(value)) return value.map(publicSettings);
  if (value === null || typeof value !== 'object') return value;
  const shown = Object.entries(value).filter(([name]) => !SECRET.test(name));
  return Object.fromEntries(shown.map(([name, item]) => [name, publicSettings(item)]));
}

function toCall(tool: Tool, instance: Instance, input: Record<string, unknown>): Call {
  return {
    instance: instance.name,
    tool: tool.name,
    arguments: input,
    target: `${instance.name}:${tool.target(input)}`,
    risk: riskOf(tool, input, instance.settings),
    undo: tool.undo,
    timeoutSeconds: tool.timeoutSeconds,
    toolSha256: declarationSha256(tool),
    definitionSha256: canonicalSha256('definition', {
      tool: declarationSha256(tool),
      settings: publicSettings(instance.settings),
      ...(instance.remote ? { address: instance.remote.address } : {}),
    }),
  };
}
