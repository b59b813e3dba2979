import type { Alert } from '../alert/index.ts';
import type { Services } from '../config/index.ts';
import type { Diagnosis } from '../incident/index.ts';
import type { Evidence } from './store.ts';

/** What a diagnosis is checked against besides its evidence. */
export interface Scope {
  readonly alerts: readonly Pick<Alert, 'labels' | 'annotations'>[];
  readonly services: Services;
}

type Component = NonNullable<Diagnosis['components']>[number];

/** Kinds of components of which the alerts' labels say which one it is, by the names that such labels have. */
const STRICT: ReadonlyMap<string, readonly string[]> = new Map([
  ['namespace', ['namespace']],
  ['environment', ['env', 'environment', 'stage']],
  ['cluster', ['cluster']],
]);
/** Kinds of which another one may be at fault, if a look at the systems shows it. */
const SHOWN: ReadonlyMap<string, readonly string[]> = new Map([
  ['service', ['service', 'app', 'job']],
  ['instance', ['instance']],
]);

/**
 * Checks a diagnosis against its evidence without any model: every cited id must exist, every quote must occur in the whole of it, every
 * component must occur where it is said to, and none may contradict what the alerts are about. Gives the problems, and the diagnosis
 * without what failed; one without a citation left, or that reaches outside of the alerts' scope, is inconclusive.
 */
export function critique(
  diagnosis: Diagnosis,
  evidence: readonly Evidence[],
  scope?: Scope,
): { problems: string[]; diagnosis: Diagnosis } {
  const contents = new Map(evidence.map(({ ref, content, full }) => [ref, full ?? content]));
  const problems: string[] = [];
  const citations = diagnosis.citations.filter(({ evidence: ref, quote }) => {
    const content = contents.get(ref);
    if (content === undefined) problems.push(`citation of ${ref}: there is no such evidence`);
    else if (!quoteOccurs(quote, content))
      problems.push(`citation of ${ref}: the quote ${JSON.stringify(quote.slice(0, 80))} does not occur in it`);
    else return true;
    return false;
  });
  const grounded = citations.length > 0;
  if (!grounded && !diagnosis.inconclusive) problems.push('nothing that is cited supports the root cause');
  let outside = false;
  const components = diagnosis.components?.filter((component) => {
    const missing = whyNotThere(component, contents, scope);
    if (missing !== null) problems.push(missing);
    const beyond = scope ? whyOutside(component, evidence, scope) : null;
    if (beyond !== null) problems.push(beyond);
    outside ||= beyond !== null;
    return missing === null && beyond === null;
  });
  const inconclusive = diagnosis.inconclusive || !grounded || outside;
  return {
    problems,
    diagnosis: { ...diagnosis, citations, ...(components === undefined ? {} : { components }), inconclusive },
  };
}

function whyNotThere(
  { kind, name, evidence: ref }: Component,
  contents: ReadonlyMap<string, string>,
  scope?: Scope,
): string | null {
  const what = `component ${kind} ${JSON.stringify(name.slice(0, 80))}`;
  if (ref === null) {
    const labels = scope?.alerts.flatMap(({ labels: one }) => Object.values(one)) ?? [];
    const named = scope === undefined || labels.some((value) => nameOccurs(name, value));
    return named ? null : `${what}: no label of the alerts names it, and no evidence is given for it`;
  }
  const content = contents.get(ref);
  if (content === undefined) return `${what}: there is no evidence ${ref}`;
  return nameOccurs(name, content) ? null : `${what}: it does not occur in ${ref}`;
}

function whyOutside(
  { kind: said, name }: Component,
  evidence: readonly Evidence[],
  { alerts, services }: Scope,
): string | null {
  // The model's word, of which servers that follow no schema make anything.
  const kind = said.trim().toLowerCase();
  const valuesOf = (labels: readonly string[]) =>
    new Set(
      alerts.flatMap((alert) =>
        labels.flatMap((label) => (Object.hasOwn(alert.labels, label) ? [alert.labels[label]] : [])),
      ),
    );
  const what = `component ${kind} ${JSON.stringify(name.slice(0, 80))}`;
  const strict = valuesOf(STRICT.get(kind) ?? []);
  if (strict.size > 0 && !strict.has(name))
    return `${what}: the alerts are about ${kind} ${[...strict].join(', ')}, and nothing outside of it`;
  const shown = valuesOf(SHOWN.get(kind) ?? []);
  if (shown.size === 0 || shown.has(name)) return null;
  const own = [...shown].filter((one): one is string => one !== undefined);
  const isDependency = kind === 'service' && own.some((one) => services.pathBetween(one, name) !== null);
  const isSeen = evidence.some((one) => one.kind === 'tool' && nameOccurs(name, one.full ?? one.content));
  return isDependency || isSeen
    ? null
    : `${what}: the alerts are about ${own.join(', ')}, and no look at a system shows ${name}`;
}

/** Shorter ones stand almost anywhere, and so say nothing. */
const QUOTE_MIN = 6;

/** Tells whether a quote stands in a text, in one piece; one of fewer than 6 characters only where it is the whole text. */
export function quoteOccurs(quote: string, content: string): boolean {
  const sought = squeeze(quote);
  const text = squeeze(content);
  return sought.length >= QUOTE_MIN ? text.includes(sought) : sought !== '' && sought === text;
}

/** Tells whether a name stands in a text as a whole word: `shop` does not stand in `workshop` or `shop2`. */
function nameOccurs(name: string, text: string): boolean {
  const sought = squeeze(name);
  if (sought === '') return false;
  const content = squeeze(text);
  for (let at = content.indexOf(sought); at !== -1; at = content.indexOf(sought, at + 1)) {
    const before = content[at - 1] ?? ' ';
    const after = content[at + sought.length] ?? ' ';
    if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
  }
  return false;
}

/** The model sees evidence with `<` replaced, and may fold white space; neither makes a quote a different one. */
function squeeze(text: string): string {
  return text.replaceAll('<', '‹').replace(/\s+/g, ' ').trim();
}
