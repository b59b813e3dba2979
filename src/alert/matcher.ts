/** Alertmanager's matcher syntax: `name="value"`, `!=`, `=~`, `!~`, several joined by commas, optionally in braces. */
import { RE2JS } from 're2js';
import { NightshiftError } from '../errors.ts';
import type { Labels } from './alert.ts';

export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
  /** RE2, as in Alertmanager: the time that it takes grows with the text only, whoever wrote the pattern. */
  readonly regex?: { matches(text: string): boolean };
}

const MATCHER = /^\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",{}]+))\s*(?:,|$)/;
const REGEX_LENGTH_MAX = 512;

/**
 * Parses one matcher string into its matchers, all of which must hold.
 * Values may be quoted or bare; regular expressions are anchored at both ends, as in Prometheus.
 * @throws NightshiftError `invalid_config` naming the text that does not parse.
 * @see https://prometheus.io/docs/alerting/latest/configuration/#matcher
 */
export function parseMatchers(text: string): Matcher[] {
  const trimmed = text.trim();
  let rest = trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1) : trimmed;
  const matchers: Matcher[] = [];
  while (rest.trim() !== '') {
    const found = MATCHER.exec(rest);
    if (!found) throw invalid(text, `cannot read a matcher at ${JSON.stringify(rest.trim().slice(0, 40))}`);
    const [whole, label = '', operator = '=', quoted, bare] = found;
    const value = quoted === undefined ? (bare ?? '') : quoted.replace(/\\(["\\n])/g, (_, c) => (c === 'n' ? '\n' : c));
    matchers.push(makeMatcher(label, operator as Matcher['operator'], value, text));
    rest = rest.slice(whole.length);
  }
  return matchers;
}

/** Makes a matcher of its parts; `text` names it where it is wrong. @throws NightshiftError `invalid_config`. */
export function makeMatcher(
  label: string,
  operator: Matcher['operator'],
  value: string,
  text: string = `${label}${operator}${value}`,
): Matcher {
  if (operator === '=' || operator === '!=') return { label, operator, value };
  if (value.length > REGEX_LENGTH_MAX) throw invalid(text, `its pattern is longer than ${REGEX_LENGTH_MAX} characters`);
  try {
    const compiled = RE2JS.compile(value, RE2JS.DOTALL);
    return { label, operator, value, regex: { matches: (actual) => compiled.matches(actual) } };
  } catch (cause) {
    throw invalid(text, `its pattern is not a regular expression: ${(cause as Error).message}`);
  }
}

function invalid(text: string, message: string): NightshiftError {
  const fix = 'write matchers as Alertmanager does, for example alertname="CheckoutDown" or env=~"prod|staging"';
  return new NightshiftError('invalid_config', `matcher ${JSON.stringify(text)}: ${message}`, {
    problems: [{ field: 'match', value: text, message, fix }],
  });
}

/** Tells whether every matcher holds for these labels; a missing label counts as the empty string, as in Prometheus. */
export function matchesLabels(matchers: readonly Matcher[], labels: Labels): boolean {
  return matchers.every(({ label, operator, value, regex }) => {
    const actual = Object.hasOwn(labels, label) ? (labels[label] ?? '') : '';
    if (operator === '=') return actual === value;
    if (operator === '!=') return actual !== value;
    const hit = regex?.matches(actual) ?? false;
    return operator === '=~' ? hit : !hit;
  });
}

/** Parses a list of matcher strings into one list of matchers that must all hold. */
export function parseMatcherList(texts: readonly string[]): Matcher[] {
  return texts.flatMap(parseMatchers);
}
