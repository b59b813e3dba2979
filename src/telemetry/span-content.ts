import { redactValue } from './redact-shared.ts';

/** Characters of one text, and of all that one attribute holds. */
const TEXT_MAX = 8192;
const JSON_MAX = 32 * 1024;

/**
 * Writes what people, models and tools said as JSON for an attribute of a span: without secrets, each text cut to 8,192 characters, all of it to
 * 32,768, and of a list that is longer the last items.
 */
export function contentOf(value: unknown): string {
  const bounded = cut(redactValue(value));
  const items = Array.isArray(bounded) ? bounded.map((item) => JSON.stringify(item)) : [];
  while (items.length > 1 && lengthOf(items) > JSON_MAX) items.shift();
  const text = items.length > 0 ? `[${items.join(',')}]` : JSON.stringify(bounded);
  return text.slice(0, JSON_MAX).toWellFormed();
}

function lengthOf(items: readonly string[]): number {
  return items.reduce((sum, item) => sum + item.length + 1, 1);
}

function cut(value: unknown): unknown {
  if (typeof value === 'string') return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX).toWellFormed()}…` : value;
  if (Array.isArray(value)) return value.map(cut);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, cut(one)]));
}
