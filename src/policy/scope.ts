import { type Labels, type Matcher, matchesLabels } from '../alert/index.ts';
import { plain } from '../incident/index.ts';
import type { PolicyRule, Question } from './question.ts';

type Scope = Pick<PolicyRule, 'tools' | 'matchers' | 'callMatchers'>;
/** What matchers look at; the risk class is none of it. */
type Unjudged = Pick<Question, 'labels'> & { readonly call: Omit<Question['call'], 'risk'> };

/** Gives a label's value, or the empty string where there is none; what objects inherit (`constructor`) is no label. */
export function labelOf(labels: Labels, name: string): string {
  return Object.hasOwn(labels, name) ? (labels[name] as string) : '';
}

/**
 * Gives what a `call` matcher of this name is compared with: the call's tool, instance or target, or one of its arguments as it
 * stands in JSON (text without quotes), or the empty string where there is no such argument.
 */
export function callField(call: Unjudged['call'], name: string): string {
  if (name === 'tool' || name === 'instance' || name === 'target') return call[name];
  const value = Object.hasOwn(call.arguments, name) ? call.arguments[name] : undefined;
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Tells whether a list of tool names and `toolset.*` includes a tool; an empty list includes every one. */
export function toolFits(tools: readonly string[], tool: string): boolean {
  return tools.length === 0 || tools.some((entry) => includesTool(entry, tool));
}

/** Tells whether one entry of such a list is this tool's name, or `toolset.*` and the tool belongs to that toolset. */
export function includesTool(entry: string, tool: string): boolean {
  return entry === tool || (entry.endsWith('.*') && tool.startsWith(entry.slice(0, -1)));
}

/** Tells whether a rule or limit speaks: its tools fit, and nothing is a reason for its silence. */
export function speaks({ tools }: Scope, { call }: Question, reasons: Iterator<string>): boolean {
  return toolFits(tools, call.tool) && reasons.next().done === true;
}

/** Gives each matcher that keeps a rule or limit silent about this question, in words; none where all of them hold. */
export function* whyNotMatched({ matchers, callMatchers }: Scope, { labels, call }: Unjudged): Generator<string> {
  yield* failing(matchers, 'label', (name) => labelOf(labels, name));
  yield* failing(callMatchers, 'call', (name) => callField(call, name));
}

function* failing(matchers: readonly Matcher[], what: string, fieldOf: (name: string) => string): Generator<string> {
  for (const matcher of matchers) {
    const { label, operator, value } = matcher;
    const found = fieldOf(label);
    // A property of its own, because a name such as `constructor` would otherwise be found on the prototype.
    if (!matchesLabels([matcher], { [label]: found }))
      yield `${what} matcher ${label}${operator}${JSON.stringify(value)} does not hold: it is ${JSON.stringify(plain(found))}`;
  }
}

/** Gives the autonomy mode for these labels: the most cautious of the global one and of all that match. */
export function modeFor(
  labels: Labels,
  base: Question['mode'],
  overrides: readonly { readonly matchers: readonly Matcher[]; readonly mode: Question['mode'] }[],
): Question['mode'] {
  const order: readonly Question['mode'][] = ['auto', 'ask', 'observe'];
  const fitting = [{ matchers: [], mode: base }, ...overrides].filter(({ matchers }) => allHold(matchers, labels));
  return order.findLast((one) => fitting.some(({ mode }) => mode === one)) as Question['mode'];
}

function allHold(matchers: readonly Matcher[], labels: Labels): boolean {
  return failing(matchers, 'label', (name) => labelOf(labels, name)).next().done === true;
}
