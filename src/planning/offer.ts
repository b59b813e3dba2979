import { z } from 'zod';
import { type Alert, commonLabels, type Labels } from '../alert/index.ts';
import type { AutonomyMode } from '../config/index.ts';
import type { ToolSpec } from '../llm/index.ts';
import type { Catalogue, Instance, Tool } from '../mcp-tools/index.ts';
import { deniedWhatever, modeFor, type Policy, type PolicyRule } from '../policy/index.ts';

/** What a model says beside a tool's own arguments. */
export const proposalSchema = z.strictObject({
  arguments: z.record(z.string(), z.unknown()),
  reason: z.string().min(1).max(1000),
  expected_effect: z.string().min(1).max(1000),
});

/** The operator's word on what runs, as far as it is known before there is a call. */
export interface Bounds {
  readonly policy: Policy;
  readonly mode: AutonomyMode;
  readonly autonomy: readonly { readonly matchers: PolicyRule['matchers']; readonly mode: AutonomyMode }[];
}

/** The functions of which a model may choose, and why it may not choose others. */
export interface Offered {
  readonly specs: readonly ToolSpec[];
  readonly names: ReadonlySet<string>;
  /** Why a tool that there is for these alerts is not among them; null where there is nothing to say. */
  whyNot(name: string): string | null;
}

/**
 * Gives the changing tools of the instances that are for these alerts, less those of which the policy would deny every call for one of
 * them, whatever the arguments. Where Nightshift only observes, the tools are offered that it would offer if it asked, since what it
 * proposes there is what people compare with what they did.
 */
export function offeredTools(
  catalogue: Catalogue,
  firing: readonly Pick<Alert, 'labels'>[],
  { policy, mode, autonomy }: Bounds,
): Offered {
  const reasons = new Map<string, string>();
  const specs: ToolSpec[] = [];
  const modeOf = (labels: Labels) => {
    const found = modeFor(labels, mode, autonomy);
    return found === 'observe' ? 'ask' : found;
  };
  for (const { tool, instance } of catalogue.toolsFor(commonLabels(firing.map(({ labels }) => labels)))) {
    const denying = firing
      .map(({ labels }) => deniedWhatever({ tool, instance: instance.name, labels, mode: modeOf(labels) }, policy))
      .find((rule) => rule !== null);
    if (tool.risk === 'read') reasons.set(tool.name, 'it only reads, so it is no remedy');
    else if (denying !== undefined) reasons.set(tool.name, `the policy denies it whatever the arguments (${denying})`);
    else specs.push(specOf(tool, instance));
  }
  const names = new Set(specs.map(({ name }) => name));
  return { specs, names, whyNot: (name) => reasons.get(name) ?? null };
}

function specOf(tool: Tool, instance: Instance): ToolSpec {
  const { reason, expected_effect } = proposalSchema.shape;
  const wrapped = z.strictObject({ arguments: tool.input, reason, expected_effect });
  const description = `${tool.description} Works on ${instance.name}. Undo: ${tool.undo}. Checked afterwards: ${showToolCheck(tool)}`;
  return { name: tool.name, description, inputSchema: z.toJSONSchema(wrapped) as Record<string, unknown> };
}

/** Says by which look a tool's own declaration knows that a call worked, or that it declares none. */
export function showToolCheck(tool: Pick<Tool, 'check'> | null): string {
  if (!tool?.check) return 'by no check of its own';
  const { tool: look, with: args, expect, within } = tool.check;
  return `${look} ${JSON.stringify(args)} must show ${expect} within ${within}`;
}
