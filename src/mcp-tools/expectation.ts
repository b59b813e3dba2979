import { NightshiftError } from '../errors.ts';

type Literal = string | number | boolean | null;
interface Condition {
  readonly path: readonly (string | number)[];
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>=';
  readonly value: Literal;
}

const CONDITION =
  /^\s*([a-zA-Z_][a-zA-Z0-9_]*(?:\.[a-zA-Z_][a-zA-Z0-9_]*|\[\d{1,6}\])*)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*$/;

/**
 * Parses an expectation about a tool's result: `status == 200`, `processes[0].state == "RUNNING"`, several joined by ` and `.
 * @throws NightshiftError `invalid_runbook` naming the part that does not parse and the form that does.
 */
export function parseExpectation(text: string): Condition[] {
  return text.split(/\s+and\s+/).map((part) => {
    const found = CONDITION.exec(part);
    const value = found ? parseLiteral(found[3] ?? '') : undefined;
    if (!found || value === undefined) {
      const fix = 'write field, comparison and value, for example: status == 200, or: processes[0].state == "RUNNING"';
      throw new NightshiftError('invalid_runbook', `expect: cannot read ${JSON.stringify(part)}. Fix: ${fix}`, {
        problems: [{ field: 'expect', value: part, message: 'cannot be read', fix }],
      });
    }
    const path = (found[1] ?? '')
      .split(/[.[\]]/)
      .filter((step) => step !== '')
      .map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    return { path, operator: found[2] as Condition['operator'], value };
  });
}

function parseLiteral(text: string): Literal | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value === null || ['string', 'number', 'boolean'].includes(typeof value) ? (value as Literal) : undefined;
  } catch {
    return undefined;
  }
}

/** Tells whether a tool's result is as expected; a field that is not there is not as expected, whatever the comparison. */
export function meetsExpectation(text: string, result: unknown): boolean {
  return parseExpectation(text).every(({ path, operator, value }) => {
    const actual = path.reduce<unknown>(
      (at, step) =>
        at !== null && typeof at === 'object' && Object.hasOwn(at, step)
          ? (at as Record<string | number, unknown>)[step]
          : undefined,
      result,
    );
    if (actual === undefined) return false;
    if (operator === '==') return actual === value;
    if (operator === '!=') return actual !== value;
    // Prometheus writes sample values as strings.
    const [left, right] = [typeof actual === 'string' ? Number(actual) : actual, value];
    if (typeof left !== 'number' || typeof right !== 'number' || Number.isNaN(left)) return false;
    if (operator === '<') return left < right;
    if (operator === '<=') return left <= right;
    return operator === '>' ? left > right : left >= right;
  });
}
