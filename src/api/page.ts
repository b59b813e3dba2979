import { NightshiftError } from '../errors.ts';

/** One page of a list, and what to ask for the one after it; null where this is the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/**
 * Gives a page of a list that is read whole, because it is small by what it is about: what stands behind the item with the key `cursor`.
 * @throws NightshiftError `conflict` where that item is not in the list any more.
 */
export function pageOf<T>(
  all: readonly T[],
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
  keyOf: (item: T) => string,
): Page<T> {
  const at = cursor === undefined ? -1 : all.findIndex((item) => keyOf(item) === cursor);
  if (cursor !== undefined && at < 0) {
    const fix = 'begin again without a cursor';
    throw new NightshiftError('conflict', `the list has changed, and ${cursor} is not in it. Fix: ${fix}`);
  }
  return cut(all.slice(at + 1, at + 2 + limit), limit, keyOf);
}

/** Cuts what was read beyond a page, one item at least, where there is more. */
export function cut<T>(read: readonly T[], limit: number, keyOf: (item: T) => string): Page<T> {
  const items = read.slice(0, limit);
  const last = items.at(-1);
  return { items, next: read.length > limit && last !== undefined ? keyOf(last) : null };
}
