/** What can be said for certain about matchers without having seen an alert. */
import { type Labels, type Matcher, matchesLabels } from '../alert/index.ts';

/** A value that nobody writes into a matcher, for labels that may be anything. */
const ANY = 'x';
const LITERAL = /^(?:[\w\s/:@%&=,;<>!"'#~`-]|\\[^\w\s])+$/;

/**
 * Tells why no alert can ever have labels for which all these matchers hold, or gives null where one may. Sound and not complete:
 * what it says is certain, and what it cannot tell it does not say.
 */
export function whyNeverMatches(matchers: readonly Matcher[]): string | null {
  for (const [label, own] of byLabel(matchers)) {
    const values = finiteValues(own);
    if (values?.every((value) => !holds(own, label, value))) {
      const equal = own.filter(({ operator }) => operator === '=').map(({ value }) => JSON.stringify(value));
      if (new Set(equal).size > 1) return `${label} cannot be ${[...new Set(equal)].join(' and ')} at once`;
      return `no value of ${label} satisfies ${own.map(write).join(' and ')}`;
    }
    for (const { operator, value } of own) {
      if (operator === '!~' && isAnything(value)) return `${label}!~"${value}" excludes every value`;
      if (operator === '=~' && isNothing(value)) return `${label}=~"${value}" holds a class of no character`;
      const denied = own.some((other) => other.operator === '!~' && other.value === value);
      if (operator === '=~' && denied) return `${label} cannot match "${value}" and not match it`;
    }
  }
  return null;
}

/** Labels that satisfy two lists of matchers. */
export interface Overlap {
  readonly labels: Labels;
  /** Whether one of the two demands no label that the other leaves open; otherwise nobody knows whether such an alert exists. */
  readonly certain: boolean;
}

/**
 * Finds labels for which both lists of matchers hold, by trying the values that they name themselves; null where none is found. With
 * only `=` and alternations of literals that is exact; otherwise an overlap may go unseen, and what is found always holds.
 */
export function findOverlap(a: readonly Matcher[], b: readonly Matcher[]): Overlap | null {
  const labels: Record<string, string> = {};
  for (const [label, own] of byLabel([...a, ...b])) {
    const found = candidates(own).find((value) => holds(own, label, value));
    if (found === undefined) return null;
    if (found !== '') labels[label] = found;
  }
  if (Object.keys(labels).length === 0) return null;
  const demanded = (list: readonly Matcher[]) =>
    new Set([...byLabel(list)].flatMap(([label, own]) => (own.some(isPositive) ? [label] : [])));
  const [ofA, ofB] = [demanded(a), demanded(b)];
  return { labels, certain: [...ofA].every((label) => ofB.has(label)) || [...ofB].every((label) => ofA.has(label)) };
}

function byLabel(matchers: readonly Matcher[]): Map<string, Matcher[]> {
  const found = new Map<string, Matcher[]>();
  for (const matcher of matchers) found.set(matcher.label, [...(found.get(matcher.label) ?? []), matcher]);
  return found;
}

function holds(matchers: readonly Matcher[], label: string, value: string): boolean {
  return matchesLabels(matchers, { [label]: value });
}

function isPositive({ operator, value }: Matcher): boolean {
  return (operator === '=' && value !== '') || operator === '=~';
}

/** All values that these matchers of one label can hold for, where that is a short list; null where it is none. */
function finiteValues(matchers: readonly Matcher[]): readonly string[] | null {
  for (const { operator, value } of matchers) {
    const values = operator === '=' ? [value] : operator === '=~' ? literals(value) : null;
    if (values) return values;
  }
  return null;
}

/** The words of a pattern that is nothing but words and bars; null for any other pattern. */
function literals(pattern: string): string[] | null {
  const parts = pattern.split('|');
  if (!parts.every((part) => part === '' || LITERAL.test(part))) return null;
  return parts.map((part) => part.replace(/\\([^\w\s])/g, '$1'));
}

function candidates(matchers: readonly Matcher[]): string[] {
  const finite = finiteValues(matchers);
  if (finite) return [...finite];
  const samples = matchers.flatMap(({ operator, value }) =>
    operator === '=~' || operator === '!~' ? samplesOf(value) : [],
  );
  // A pattern that is demanded comes first; an absent label satisfies the rest.
  return [...samples, ANY, `${ANY}1`, '0', ''];
}

/** A few texts that a pattern probably matches; each is tried against the pattern itself before it counts. */
function samplesOf(pattern: string): string[] {
  return pattern
    .split('|')
    .flatMap((part) => {
      const plain = part
        .replace(/\(\?[:=!<]*|[()^$]/g, '')
        .replace(/\\d/g, '1')
        .replace(/\\w|\[[^\]]*\]/g, (set) => /^\[\^?(.)/.exec(set)?.[1]?.replace('\\', ANY) ?? ANY)
        .replace(/\\([^\w\s])/g, '$1');
      return [plain.replace(/\.[*?]/g, '').replace(/\.\+?/g, ANY), plain.replace(/\.[*+?]?/g, ANY)].map((text) =>
        text.replace(/[*+?]|\{\d*,?\d*\}/g, ''),
      );
    })
    .filter((text) => text !== '');
}

function isAnything(pattern: string): boolean {
  return ['.*', '.*?', '(.*)', '[\\s\\S]*', '(?:.*)', '|.+', '.+|'].includes(pattern);
}

/** A class that excludes a class and its opposite holds no character; nothing else of the pattern may make it optional. */
function isNothing(pattern: string): boolean {
  const rest = pattern.replace(/\[\^\\([sdw])\\([SDW])\]/g, (all, one: string, other: string) =>
    one.toUpperCase() === other ? '' : all,
  );
  return rest !== pattern && !/[|()*?{\\[]/.test(rest);
}

function write({ label, operator, value }: Matcher): string {
  return `${label}${operator}"${value}"`;
}
