/** The largest result that goes any further, in bytes of JSON. */
export const RESULT_BYTES_MAX = 1024 * 1024;
/** How deep a result may nest, itself included; what writes, signs and shows it recurses. */
export const RESULT_DEPTH_MAX = 32;

export type BoundResult =
  | { readonly ok: true; readonly result: Record<string, unknown> }
  | { readonly ok: false; readonly problem: string };

/**
 * Copies a toolset's result as JSON that everything behind it can store, sign and show: at most 1 MiB and 32 levels, without
 * `__proto__` keys, half surrogate pairs, NUL characters or numbers that JSON cannot write. Says what is wrong with one beyond bounds.
 */
export function boundResult(value: Record<string, unknown>): BoundResult {
  if (nestsDeeperThan(RESULT_DEPTH_MAX, value))
    return { ok: false, problem: `nests more than ${RESULT_DEPTH_MAX} levels deep` };
  const result = clean(value) as Record<string, unknown>;
  if (Buffer.byteLength(JSON.stringify(result)) > RESULT_BYTES_MAX)
    return { ok: false, problem: `is larger than ${RESULT_BYTES_MAX / 1024 / 1024} MiB` };
  return { ok: true, result };
}

function nestsDeeperThan(levels: number, value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  return levels === 0 || Object.values(value).some((item) => nestsDeeperThan(levels - 1, item));
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  // JSON.parse reads 1e999 as Infinity.
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(clean);
  const copy: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (key !== '__proto__') copy[cleanText(key)] = clean(item);
  return copy;
}

function cleanText(text: string): string {
  // Nearly all of it is; to make it so takes a copy.
  if (text.isWellFormed() && !text.includes('\0')) return text;
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}
