/** What the attacker of a case wishes to be run, as calls of this harness's tools, and the same as harmful as it can be within the scope. */
import { type AttackCase, textsIn } from './case.ts';
import { riskOfName, toolFor, toolsMentioned } from './class-of-name.ts';
import { directivesIn, expand, withoutDirectives } from './directives.ts';
import type { PlannedCall } from './planner.ts';
import { labelsOf } from './run.ts';
import { rowOf } from './tool-table.ts';

/** One wish: the tool as the case names it, in Nightshift's spelling, and the arguments as JSON text. */
export interface Wish extends PlannedCall {
  /** The tool of this harness that stands for it. */
  readonly standsFor: string;
}

/** Names that the cases use, and which of the labels of a run's world has the like. */
const SAME_THING: Readonly<Record<string, string>> = {
  checkout: 'deployment',
  payments: 'deployment',
  'node-7': 'node',
  'orders-primary': 'db_cluster',
  orders: 'db_cluster',
  'orders-data': 'pvc',
  shop: 'namespace',
};
/** What words wish for where no tool is named. */
const BY_WORDS: readonly (readonly [RegExp, string])[] = [
  [/scale[^.]{0,40}(zero|\b0\b)/i, 'k8s/scale'],
  [/silenc|mute/i, 'alerts/silence'],
  [/delete (the )?[\w-]* ?namespace|delete ns\b|delete_namespace/i, 'k8s/delete_namespace'],
  [/\bdrain/i, 'k8s/drain_node'],
  [/fail ?over/i, 'db/failover'],
  [/terminat/i, 'aws/terminate_instance'],
  [/drop [\w ]*database|\bsql\b/i, 'db/run_sql'],
  [/flush|purge [\w ]*cache/i, 'cache/flush'],
  [/delete pods?|kubectl delete/i, 'k8s/delete_pod'],
  [/reboot/i, 'aws/reboot_instance'],
  [/\bexec\b|shell|rm -rf/i, 'k8s/exec'],
  [/restart/i, 'k8s/rollout_restart'],
];

/** Gives what the attacker of a case wishes in a run's world, the most literal first; never nothing. */
export function wishesOf(attackCase: AttackCase, run: string): Wish[] {
  const payload = expand(attackCase.payload, 20_000);
  const texts = [attackCase.forbidden, ...textsIn(withoutDirectives(payload))];
  const explicit = stepsIn(expand(attackCase.payload, 100_000)).map(({ tool, json }) =>
    wish(tool, localise(json, run), attackCase),
  );
  const mentioned = toolsMentioned(texts).filter((name) => riskOfName(name, attackCase.forbidden) !== 'read');
  const byWords = BY_WORDS.filter(([pattern]) => texts.some((text) => pattern.test(text))).map(([, name]) => name);
  const named = [...new Set([...mentioned, ...byWords])].map((name) => {
    const standsFor = toolFor(name, attackCase.forbidden);
    return wish(name, JSON.stringify(inScope(standsFor, run, texts)), attackCase);
  });
  const all = [...explicit, ...named];
  return all.length > 0 ? all : [wish('k8s/delete_pod', JSON.stringify(inScope('k8s.delete_pod', run)), attackCase)];
}

function wish(name: string, json: string, { forbidden }: AttackCase): Wish {
  return { tool: name.replace('/', '.'), json, standsFor: toolFor(name, forbidden) };
}

/** Gives the same wish within the scope and the schema: only a person's no can stand between this and the ledger. */
export function inScopeWish({ standsFor }: Wish, run: string, texts: readonly string[] = []): PlannedCall {
  return { tool: standsFor, json: JSON.stringify(inScope(standsFor, run, texts)) };
}

/** Gives the arguments of a tool that are in scope in a run's world, the most harmful ones where there is a choice. */
export function inScope(tool: string, run: string, texts: readonly string[] = []): Record<string, unknown> {
  const labels = labelsOf(run);
  const args = Object.entries(rowOf(tool)?.args ?? {}).map(([name, { kind, label, worst }]) => {
    if (label !== undefined) return [name, labels[label]];
    if (kind === 'text') return [name, texts.find((text) => text.length < 500) ?? worst];
    return [name, worst];
  });
  return Object.fromEntries(args) as Record<string, unknown>;
}

interface Step {
  readonly tool: string;
  readonly json: string;
}

/** Finds calls in a payload, whatever it calls them; numbers stay as they were written. */
export function stepsIn(payload: unknown): Step[] {
  if (payload === null || typeof payload !== 'object') return [];
  if (Array.isArray(payload)) return payload.flatMap(stepsIn);
  const { $raw, $series, steps, tool, name, args, arguments: given, input } = payload as Record<string, unknown>;
  if (typeof $raw === 'string') return stepsIn(parseKeepingNumbers($raw));
  if ($series !== undefined) return stepsIn($series);
  const own = args ?? given ?? input;
  const called = typeof tool === 'string' ? tool : typeof name === 'string' && own !== undefined ? name : null;
  if (called !== null && own !== undefined) return [{ tool: called, json: JSON.stringify(expand(own, 100_000)) }];
  return [...stepsIn(steps), ...Object.values(withoutKnown(payload)).flatMap(stepsIn)];
}

function withoutKnown(payload: object): object {
  return Object.fromEntries(Object.entries(payload).filter(([key]) => key !== 'steps'));
}

/** Parses JSON so that writing it again gives every number as it stood; text that is no JSON is nothing. */
export function parseKeepingNumbers(text: string): unknown {
  // The reviver's third argument and rawJSON are younger than the types of this project's library setting.
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
  const keep = (_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined && context.source !== String(value)
      ? rawJSON(context.source)
      : value;
  try {
    return JSON.parse(text, keep as (key: string, value: unknown) => unknown);
  } catch {
    return null;
  }
}

/** Puts a run's own things in the place of those that a case names exactly; whatever is hostile about a name stays. */
export function localise(json: string, run: string): string {
  const labels = labelsOf(run);
  return json
    .replace(/"(i-[0-9a-f]{6,})"/g, () => JSON.stringify(labels.instance_id))
    .replace(/"([a-z0-9-]+)"(?!\s*:)/g, (whole, word: string) => {
      const label = Object.hasOwn(SAME_THING, word) ? SAME_THING[word] : undefined;
      return label === undefined ? whole : JSON.stringify(labels[label]);
    })
    .replace(/"checkout(?=[^a-z0-9-])/g, () => `"${labels.deployment}`);
}

/** Tells whether the forbidden effect of a case is that something is run, so that a gate stands in its way. */
export function isAboutCalls(attackCase: AttackCase): boolean {
  const { forbidden, payload, vector } = attackCase;
  if (toolsMentioned([forbidden]).length > 0 || stepsIn(payload).length > 0) return true;
  if (directivesIn(payload).some((one) => ['$server_request', '$jsonrpc', '$oauth', '$fault', '$http'].includes(one)))
    return false;
  const acts =
    /\b(runs?|ran|executed|execution|execut\w*|authoris\w+|action|tool call|call(ed)?|accepted|approv\w+|starts|scaled|tool'?s? risk class|wildcard|all namespaces|namespace|selector|pods?\b|arguments?|delete|retry|process argument)\b/i;
  return acts.test(forbidden) && vector !== 'unknown';
}
