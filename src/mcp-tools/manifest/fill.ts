import { toolFailed } from '../tool.ts';

/** What placeholders may name: an argument as `{{ name }}`, anything else by where it stands, as `{{ before.replicas }}`. */
export type Fields = Readonly<Record<string, unknown>>;

const WHOLE = /^\{\{ (\w+(?:\.\w+)*) \}\}$/;
const INSIDE = /\{\{ (\w+(?:\.\w+)*) \}\}/g;

/**
 * Fills whole values into a template: a text that is a placeholder and nothing else becomes the field itself, a number a number.
 * A field whose argument was left out is left out too, and so is a whole item of a list; no text is ever put together.
 * @throws NightshiftError `tool_failed` for a text that has a placeholder and something beside it.
 */
export function fill(template: unknown, fields: Fields): unknown {
  if (typeof template === 'string') {
    const name = WHOLE.exec(template)?.[1];
    if (name !== undefined) return fieldOf(fields, name);
    if (isPartlyFilled(template)) throw toolFailed(`the manifest fills a part of ${JSON.stringify(template)}`);
    return template;
  }
  if (Array.isArray(template))
    return template.filter((item) => isComplete(item, fields)).map((item) => fill(item, fields));
  if (template === null || typeof template !== 'object') return template;
  const filled = Object.entries(template).map(([key, item]) => [key, fill(item, fields)] as const);
  return Object.fromEntries(filled.filter(([, item]) => item !== undefined));
}

function isComplete(item: unknown, fields: Fields): boolean {
  const own = item !== null && typeof item === 'object' && !Array.isArray(item) ? Object.values(item) : [item];
  return own.every((value) => typeof value !== 'string' || fill(value, fields) !== undefined);
}

/** Fills the segments of a path, each percent-encoded, so that no argument reaches beyond its own. @throws NightshiftError `tool_failed` for one that is empty, `.` or `..`. */
export function fillPath(path: string, fields: Fields): string {
  return path
    .split('/')
    .map((segment) => {
      const name = WHOLE.exec(segment)?.[1];
      if (name === undefined) return segment;
      const value = String(fieldOf(fields, name) ?? '');
      if (['', '.', '..'].includes(value)) throw toolFailed(`${name} cannot be ${JSON.stringify(value)} in an address`);
      return encodeURIComponent(value);
    })
    .join('/');
}

/** Writes a text for people with arguments filled in; what was left out reads as `any`. */
export function fillText(text: string, fields: Fields): string {
  return text.replace(INSIDE, (_, name: string) => String(fieldOf(fields, name) ?? 'any'));
}

/** Tells a text that has a placeholder and something beside it. */
export function isPartlyFilled(text: string): boolean {
  return text.includes('{{') && !WHOLE.test(text);
}

/** Names every field that a template fills in. */
export function placeholdersIn(template: unknown): string[] {
  return [...JSON.stringify(template ?? null).matchAll(INSIDE)].map(([, name = '']) => name);
}

/** Tells whether there is anything to fill a placeholder of this name with. */
export function isFilled(fields: Fields, name: string): boolean {
  const value = fieldOf(fields, name);
  return value !== undefined && value !== null;
}

function fieldOf(fields: Fields, name: string): unknown {
  return name.split('.').reduce<unknown>((at, step) => {
    const isThere = at !== null && typeof at === 'object' && Object.hasOwn(at, step);
    return isThere ? (at as Fields)[step] : undefined;
  }, fields);
}
