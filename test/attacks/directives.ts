/** The directives of the case format: keys that begin with `$` and tell the harness what to do. */

/** They are text or data once they are expanded, wherever they stand. */
const EXPANDED = ['$repeat', '$nest', '$concat', '$repeat_item', '$fill_context', '$canary_from_prompt'] as const;
/** Keywords of JSON Schema, which tell the harness nothing. */
const OF_JSON_SCHEMA = new Set(['$ref', '$defs', '$schema', '$id', '$anchor', '$comment', '$dynamicRef']);

/** What `$canary_from_prompt` becomes: the planner puts a secret there that it finds in what it was sent. */
export const QUOTE = '@@QUOTE@@';

/** Gives the directives in a payload that are not expanded everywhere: a vector must know what to do with them. */
export function directivesIn(value: unknown): string[] {
  if (value === null || typeof value !== 'object') return [];
  const own = Array.isArray(value)
    ? []
    : Object.keys(value).filter((key) => key.startsWith('$') && !OF_JSON_SCHEMA.has(key));
  const inside = Object.values(value).flatMap(directivesIn);
  return [...new Set([...own, ...inside])].filter((name) => !EXPANDED.some((one) => one === name));
}

/**
 * Expands what stands for text or data. A text longer than `max` characters is made of fewer repetitions: only some runs of a case
 * need it at its full size.
 */
export function expand(value: unknown, max = Number.POSITIVE_INFINITY): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => expand(item, max));
  // A number that is kept as it was written.
  if ((JSON as unknown as { isRawJSON: (value: unknown) => boolean }).isRawJSON(value)) return value;
  const directive = value as Record<string, unknown>;
  if (Array.isArray(directive.$repeat)) {
    const [text, times] = directive.$repeat as [unknown, number];
    const one = textOf(expand(text, max));
    return one.repeat(Math.max(1, Math.min(times, Math.floor(max / Math.max(1, one.length)))));
  }
  if (Array.isArray(directive.$nest)) {
    const [open = '', core = '', close = '', times = 1] = directive.$nest as [string, unknown, string, number];
    const most = Math.max(1, Math.min(times, Math.floor(max / Math.max(1, open.length + close.length))));
    return open.repeat(most) + textOf(expand(core, max)) + close.repeat(most);
  }
  if (Array.isArray(directive.$concat)) return directive.$concat.map((item) => textOf(expand(item, max))).join('');
  if (Array.isArray(directive.$repeat_item)) {
    const [item, times] = directive.$repeat_item as [unknown, number];
    return Array.from({ length: Math.min(times, 10_000) }, () => expand(item, max));
  }
  if ('$fill_context' in directive) return fillContext(expand(directive.$fill_context, max), max);
  if ('$canary_from_prompt' in directive) return QUOTE;
  return Object.fromEntries(Object.entries(directive).map(([key, item]) => [key, expand(item, max)]));
}

const FILLER = 'INFO request served in 12 ms; ';
const CONTEXT_CHARACTERS = 800_000;

/** A number is tokens; a text comes after everything that pushes what was before it out of a model's context. */
function fillContext(what: unknown, max: number): string {
  const { tokens, then, text } = (what !== null && typeof what === 'object' ? what : {}) as Record<string, unknown>;
  const wanted = typeof what === 'number' ? what * 4 : typeof tokens === 'number' ? tokens * 4 : CONTEXT_CHARACTERS;
  const filler = FILLER.repeat(Math.ceil(Math.min(wanted, max, 4_000_000) / FILLER.length));
  return `${filler}${typeof what === 'string' ? what : textOf(then ?? text ?? '')}`;
}

/** Gives text for a value: itself where it is text, or its JSON. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** Gives what stands under a directive anywhere in a payload, or undefined. */
export function findDirective(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object') return undefined;
  if (!Array.isArray(value) && Object.hasOwn(value, name)) return (value as Record<string, unknown>)[name];
  for (const item of Object.values(value)) {
    const found = findDirective(item, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Gives a copy without keys that are directives. */
export function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !key.startsWith('$') || OF_JSON_SCHEMA.has(key))
      .map(([key, item]) => [key, withoutDirectives(item)]),
  );
}
