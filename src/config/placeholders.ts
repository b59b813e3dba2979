import type { z } from 'zod';
import type { Problem } from '../errors.ts';

const PLACEHOLDER = /\$\{([A-Z0-9_]+)\}/g;
/** One that is the whole value can stand for something else than a text. */
const WHOLE = /^\$\{[A-Z0-9_]+\}$/;

/** Every place of a tree that was nothing but `${NAME}`, as JSON of its path. */
export type FilledPlaces = ReadonlySet<string>;

/** Gives the names of all variables that a text refers to as `${NAME}`. */
export function placeholderNames(text: string): string[] {
  return [...new Set([...text.matchAll(PLACEHOLDER)].map(([, name = '']) => name))];
}

/** Replaces `${NAME}` inside strings by environment variables; an unset one is a mistake. */
export function fillPlaceholders(
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
  problems: Problem[],
): { value: unknown; filled: FilledPlaces } {
  const filled = new Set<string>();
  const fill = (value: unknown, path: readonly (string | number)[]): unknown => {
    if (typeof value === 'string') {
      if (WHOLE.test(value)) filled.add(JSON.stringify(path));
      return value.replace(PLACEHOLDER, (_, name: string) => {
        const found = env[name];
        if (found === undefined) {
          const message = `the environment variable ${name} is not set`;
          const fix = `export ${name} before you start (or ${name}_FILE, the path of a file that holds it), or write the value here`;
          problems.push({ field: path.join('.'), message, fix });
        }
        return found ?? '';
      });
    }
    if (Array.isArray(value)) return value.map((item, index) => fill(item, [...path, index]));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, [...path, key])]));
  };
  return { value: fill(raw, []), filled };
}

/**
 * Parses `input`, which stands at `prefix` in `raw`. What stood there as `${NAME}` is a text; where the schema wants a number or a boolean it is
 * made one, in `raw` as well.
 */
export function parseFilled<T>(
  schema: z.ZodType<T>,
  { raw, filled, prefix, input }: { raw: unknown; filled: FilledPlaces; prefix: readonly string[]; input: unknown },
): z.ZodSafeParseResult<T> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed;
  let changed = false;
  for (const issue of parsed.error.issues) {
    if (!filled.has(JSON.stringify([...prefix, ...issue.path])) || !wantsOther(issue)) continue;
    changed = replaceIn(input, issue.path) || changed;
    replaceIn(raw, [...prefix, ...issue.path]);
  }
  return changed ? schema.safeParse(input) : parsed;
}

function wantsOther(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_union')
    return issue.errors.flat().some((one) => one.path.length === 0 && wantsOther(one));
  return issue.code === 'invalid_type' && ['number', 'int', 'boolean'].includes(issue.expected);
}

function replaceIn(tree: unknown, path: readonly PropertyKey[]): boolean {
  const key = path.at(-1);
  const holder = path.slice(0, -1).reduce<unknown>((at, one) => (at as Record<PropertyKey, unknown>)[one], tree);
  if (key === undefined || holder === null || typeof holder !== 'object') return false;
  const slots = holder as Record<PropertyKey, unknown>;
  const text = slots[key];
  if (typeof text !== 'string') return false;
  const other = { true: true, false: false }[text] ?? (text.trim() === '' ? Number.NaN : Number(text));
  if (Number.isNaN(other)) return false;
  slots[key] = other;
  return true;
}
