import { z } from 'zod';
import type { Alert, Labels } from '../alert/index.ts';
import type { ModelAnswer, ToolResult } from '../llm/index.ts';
import type { Call, Catalogue } from '../mcp-tools/index.ts';
import type { Policy } from '../policy/index.ts';
import { callFingerprint } from '../rag/index.ts';
import type { Action, DraftAction } from './action.ts';
import { type Offered, proposalSchema } from './offer.ts';
import { restoreSecrets } from './secrets.ts';

/** More is a person's decision. */
export const ACTIONS_MAX = 8;

/** All that a call is held against; nothing of it is the model's word. */
export interface Bar {
  /** What all the firing alerts have in common; they bound what a call may touch. */
  readonly labels: Labels;
  readonly alerts: readonly Alert[];
  readonly catalogue: Catalogue;
  readonly offered: Offered;
  readonly policy: Policy;
  /** What was tried on this incident without success, or refused. */
  readonly tried: readonly Action[];
}

/** What is left of a model's calls, and what is wrong with the others. */
export interface Sorted {
  readonly actions: DraftAction[];
  /** Each `TOOL: what is wrong`. */
  readonly problems: string[];
  /** One for each call, in their order, to be sent back. */
  readonly results: readonly ToolResult[];
}

/**
 * Sorts the calls of one answer into actions and exact errors: what is not on offer, takes no such arguments, is out of scope, stands
 * there twice, was tried before or refused, holds a secret that may not be put back, or is one too many.
 */
export function sortCalls({ toolCalls, model }: Pick<ModelAnswer, 'toolCalls' | 'model'>, bar: Bar): Sorted {
  const actions = new Map<string, DraftAction>();
  const problems: string[] = [];
  const results = toolCalls.map(({ id, name: said, arguments: args }): ToolResult => {
    const name = nameOf(said, bar.catalogue);
    const sorted = sortCall(name, args, actions, bar);
    if ('problem' in sorted) {
      const problem = `${name}: ${sorted.problem}`;
      problems.push(problem);
      return { id, content: problem, isError: true };
    }
    actions.set(sorted.draft.fingerprint, { ...sorted.draft, origin: `model:${model}` });
    return { id, content: 'This call fits. It was not run.' };
  });
  return { actions: [...actions.values()], problems, results };
}

/** Names of functions have no dots on their way; one that was not on offer comes back as it was written there. */
function nameOf(said: string, catalogue: Catalogue): string {
  const name = said.replace('__', '.');
  return catalogue.toolNamed(said) === null && catalogue.toolNamed(name) !== null ? name : said;
}

type SortedCall = { readonly problem: string } | { readonly draft: Omit<DraftAction, 'origin'> };

function sortCall(name: string, args: unknown, before: ReadonlyMap<string, DraftAction>, bar: Bar): SortedCall {
  const { labels, catalogue, offered, tried } = bar;
  const whyNot = offered.whyNot(name);
  if (whyNot !== null) return { problem: whyNot };
  const proposal = proposalSchema.safeParse(args);
  if (!proposal.success) return { problem: z.prettifyError(proposal.error).replaceAll('\n', ' ') };
  const given = proposal.data.arguments;
  const gone = Object.keys(given).find((key) => GONE.test(JSON.stringify(given[key]) ?? ''));
  if (gone !== undefined) return { problem: `${gone} holds a redacted secret, which nobody can put back` };
  const restored = restoreSecrets({ tool: name, arguments: given }, bar.alerts, bar.policy);
  if (!restored.ok) return { problem: restored.message };
  const resolution = catalogue.resolve(name, given, labels);
  if (!resolution.ok) return { problem: resolution.message };
  const { call } = resolution;
  if (call.risk === 'read') return { problem: 'it only reads, so it is no remedy' };
  if (call.risk === 'forbidden') return { problem: 'it never runs with these arguments' };
  if (!offered.names.has(name)) return { problem: 'it is not on offer for these alerts' };
  const fingerprint = callFingerprint(call);
  if (before.has(fingerprint)) return { problem: `${name} with these arguments is there already` };
  const same = tried.find((action) => action.fingerprint === fingerprint);
  if (same)
    return {
      problem: `on ${same.target} with these arguments it was ${ENDED[same.status] ?? 'tried'} on this incident before (${same.id})`,
    };
  // Everything is judged and shown without the secrets, so they may change nothing about what the call is.
  if (restored.secrets.length > 0 && !isSameCall(catalogue.resolve(name, restored.arguments, labels), call))
    return { problem: 'with its secret put back it would be another call, or none that fits' };
  if (before.size >= ACTIONS_MAX) return { problem: `more than ${ACTIONS_MAX} actions` };
  const { reason, expected_effect: expectedEffect } = proposal.data;
  return { draft: { call, labels, fingerprint, reason, expectedEffect, undo: call.undo } };
}

/** What stands for a secret where nobody is to know which one it was. */
const GONE = /\[redacted:[a-z0-9-]*\]/;

const ENDED: Partial<Record<Action['status'], string>> = {
  running: 'begun',
  succeeded: 'done, and did not help,',
  failed: 'tried, and failed,',
  unknown: 'tried, with an outcome that nobody knows,',
  denied: 'refused',
};

/** Tells whether a call, bound with its secrets, works on the same and risks the same as it does without them. */
export function isSameCall(resolution: ReturnType<Catalogue['resolve']>, call: Call): boolean {
  // The target begins with the instance's name.
  return resolution.ok && resolution.call.target === call.target && resolution.call.risk === call.risk;
}
