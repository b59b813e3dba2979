import { z } from 'zod';
import { type Labels, parseMatcherList } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import {
  type Call,
  type Catalogue,
  type Inspection,
  type InspectResult,
  type Tool,
  unpinnedTools,
} from '../mcp-tools/index.ts';
import { judge, loadPolicy, modeFor, type Verdict } from '../policy/index.ts';

/** Binds a tool and words of the form `key=value` to the one instance for these labels. @throws NightshiftError where that is not possible. */
export async function bindCall(
  catalogue: Catalogue,
  { name, words, labels }: { name: string; words: readonly string[]; labels: Labels },
): Promise<Call> {
  const tool = catalogue.toolNamed(name);
  if (!tool) throw new NightshiftError('not_found', whyUnknown(catalogue, name));
  const pairs = words.map((word) => {
    const [, key, value] = /^([A-Za-z_][A-Za-z0-9_-]*)=([\s\S]*)$/.exec(word) ?? [];
    if (key !== undefined && value !== undefined) return [key, value] as const;
    throw new NightshiftError('invalid_payload', `${JSON.stringify(word)} is no argument. Fix: write key=value`);
  });
  // Loaded for this command only: the room that knows the grammar brings the whole server with it.
  const { typeArguments } = await import('../remediation/index.ts');
  const resolution = catalogue.resolve(
    name,
    structured(tool, typeArguments(tool.input, Object.fromEntries(pairs))),
    labels,
  );
  if (resolution.ok) return resolution.call;
  throw new NightshiftError('invalid_payload', resolution.message);
}

function whyUnknown({ instances }: Catalogue, name: string): string {
  const owner = instances.find((instance) => unpinnedTools(instance).includes(name));
  return owner
    ? `${name} is not pinned, so it is not offered. Fix: read what its server says of it, with: nightshift tools pin ${owner.name}`
    : `there is no tool ${name}. Fix: nightshift tools list names them`;
}

/** Lists and objects are written as JSON. */
function structured({ input }: Tool, args: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { properties = {} } = z.toJSONSchema(input, { io: 'input', unrepresentable: 'any' });
  const isStructured = (name: string) => {
    const property = properties[name];
    return typeof property === 'object' && (property.type === 'array' || property.type === 'object');
  };
  return Object.fromEntries(
    Object.entries(args).map(([name, value]) => [name, isStructured(name) ? parsed(String(value)) : value]),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Shows what a call would do, as its inspection found it. */
export function showDryRun({ tool, target, risk, undo }: Call, seen: InspectResult): string[] {
  const preview = seen.ok ? (seen.inspection.preview ?? ['(it cannot say)']) : [];
  return [
    `${tool} on ${plain(target)}`,
    `risk: ${risk}`,
    `to take it back: ${plain(undo)}`,
    ...preview.map((line) => `would: ${plain(line)}`),
  ];
}

/** Gives the autonomy mode for alerts with these labels. */
export function modeOf(labels: Labels, { mode, autonomy }: Config): Config['mode'] {
  const lines = autonomy.map(({ match, mode: one }) => ({ matchers: parseMatcherList(match), mode: one }));
  return modeFor(labels, mode, lines);
}

/** Asks the policy about a call as if a pinned runbook declared it now and nothing had run lately. */
export async function askPolicy(
  { tool, instance, target, arguments: args, risk }: Call,
  { labels, config, population }: { labels: Labels; config: Config; population: Inspection['population'] },
): Promise<Verdict> {
  const at = new Date();
  const question = {
    call: { tool, instance, target, arguments: args, risk },
    ...{ labels, population, at, receivedAt: at, limits: config.limits, mode: modeOf(labels, config) },
    ...{ origin: 'pinned' as const, requestedBy: null, serviceApprovers: null, recent: [], record: [] },
  };
  return judge(question, await loadPolicy(config.policies));
}
