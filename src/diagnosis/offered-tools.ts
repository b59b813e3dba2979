import { z } from 'zod';
import { type Alert, commonLabels, type Labels } from '../alert/index.ts';
import type { ToolCall, ToolSpec } from '../llm/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import { tokensOf } from './context.ts';
import type { Specialist } from './specialists.ts';

/** Reads on in evidence that was shown in part. */
export const EVIDENCE_READ = 'evidence.read';
const ALERTS_MAX = 5;
const REASON_MAX = 400;

const why = z.string().max(REASON_MAX).describe('What you want to find out, in one short sentence.');
const callSchema = z.strictObject({ arguments: z.record(z.string(), z.unknown()), why });
const readSchema = z.strictObject({
  id: z.string().describe('The id of the evidence, such as E7.'),
  offset: z.int().min(0).describe('The character to read on from.'),
});

/** What a model that investigates may call, and nothing besides. */
export interface Offered {
  readonly specs: readonly ToolSpec[];
  /** Tools for which there was no room. */
  readonly leftOut: readonly string[];
  /** Whether there is a system to look at. */
  readonly canLook: boolean;
  /** Checks one call of the model's against all that it may do; `problem` says exactly what is wrong with it. */
  bind(call: ToolCall): Bound;
}

export type Bound =
  | { readonly kind: 'look'; readonly call: Call; readonly why: string }
  | { readonly kind: 'read'; readonly id: string; readonly offset: number; readonly why: string }
  | { readonly kind: 'wrong'; readonly problem: string };

/**
 * Gives the read tools of the instances that are for these alerts, as far as the specialist uses them, what it looks at first in front;
 * as many as fit into `tokens`. Each call is bound with the labels of the alerts, so that nothing outside of their scope is looked at.
 */
export function offerTools(
  catalogue: Catalogue,
  { alerts, specialist, tokens }: { alerts: readonly Pick<Alert, 'labels'>[]; specialist: Specialist; tokens: number },
): Offered {
  const each = alerts.slice(0, ALERTS_MAX).map(({ labels }) => labels);
  const labelSets: Labels[] = [commonLabels(alerts.map(({ labels }) => labels)), ...each];
  const found = new Map<string, ToolSpec>();
  for (const { tool, instance } of labelSets.flatMap((labels) => catalogue.toolsFor(labels))) {
    if (tool.risk !== 'read' || !specialist.mayUse(tool, instance) || found.has(tool.name)) continue;
    const inputSchema = z.toJSONSchema(z.strictObject({ arguments: tool.input, why })) as Record<string, unknown>;
    found.set(tool.name, {
      name: tool.name,
      description: `${tool.description} Works on ${instance.name}.`,
      inputSchema,
    });
  }
  const first = new Map(specialist.looks.map(({ tool }, index) => [tool, index]));
  const rank = ({ name }: ToolSpec) => first.get(name) ?? first.size;
  const ordered = [...found.values()].sort((a, b) => rank(a) - rank(b));
  const specs: ToolSpec[] = [readOn()];
  let left = tokens - tokensOf(JSON.stringify(specs));
  const leftOut: string[] = [];
  for (const spec of ordered) {
    const size = tokensOf(JSON.stringify(spec));
    if (size > left) leftOut.push(spec.name);
    else {
      specs.push(spec);
      left -= size;
    }
  }
  const names = new Set(specs.map(({ name }) => name));
  return { specs, leftOut, canLook: specs.length > 1, bind: (call) => bind(call, { names, catalogue, labelSets }) };
}

function readOn(): ToolSpec {
  const description =
    'Reads on in an item of evidence of which only a part was shown. Returns the text from that character on.';
  const inputSchema = z.toJSONSchema(z.strictObject({ arguments: readSchema, why })) as Record<string, unknown>;
  return { name: EVIDENCE_READ, description, inputSchema };
}

function bind(
  { name, arguments: given }: ToolCall,
  { names, catalogue, labelSets }: { names: ReadonlySet<string>; catalogue: Catalogue; labelSets: readonly Labels[] },
): Bound {
  const wrong = (problem: string): Bound => ({ kind: 'wrong', problem });
  if (!names.has(name)) return wrong(`${name}: there is no such function on offer`);
  const parsed = callSchema.safeParse(given);
  if (!parsed.success) return wrong(`${name}: ${z.prettifyError(parsed.error).replaceAll('\n', ' ')}`);
  const { arguments: args, why: reason } = parsed.data;
  if (name === EVIDENCE_READ) {
    const read = readSchema.safeParse(args);
    if (!read.success) return wrong(`${name}: ${z.prettifyError(read.error).replaceAll('\n', ' ')}`);
    return { kind: 'read', ...read.data, why: reason };
  }
  const resolutions = labelSets.map((labels) => catalogue.resolve(name, args, labels));
  const fitting = resolutions.find((one) => one.ok);
  if (fitting?.ok) {
    if (fitting.call.risk !== 'read') return wrong(`${name}: it changes something; only reading is allowed here`);
    return { kind: 'look', call: fitting.call, why: reason };
  }
  // Of an alert of its own it can be out of scope in as many ways as there are alerts; the nearest miss says most.
  const missed = resolutions.flatMap((one) => (one.ok ? [] : [one]));
  const nearest =
    missed.find(({ why: reasonCode }) => reasonCode === 'out_of_scope' || reasonCode === 'invalid_arguments') ??
    missed[0];
  return wrong(nearest?.message ?? `${name}: no instance is for this alert`);
}
