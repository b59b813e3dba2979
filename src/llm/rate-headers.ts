/** What a provider's answer says of the limits that are left: `anthropic-ratelimit-*`, `x-ratelimit-*` and `retry-after`. */

/** What limits are counted in. */
export const DIMENSIONS = ['requests', 'tokens', 'inputTokens', 'outputTokens'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** How much of one limit was left when the answer was written. */
export interface Remaining {
  readonly remaining: number;
  readonly limit: number | null;
  /** When all of it is there again, in milliseconds since 1970. */
  readonly resetAt: number;
}

const NAMES: Record<Dimension, string> = {
  requests: 'requests',
  tokens: 'tokens',
  inputTokens: 'input-tokens',
  outputTokens: 'output-tokens',
};
const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** Nobody is left alone for longer because of one header. */
const REST_MAX_MS = 3_600_000;
/** The longest limits are those of a day; what is later than this is a mistake, and more than a timer can wait. */
const RESET_MAX_MS = 172_800_000;
/** Where a provider does not say when; its limits are those of a minute. */
const MINUTE_MS = 60_000;

/**
 * Reads what is left of each limit. `now` is ours, in milliseconds since 1970: times of the provider's clock are moved to ours by its
 * `date` header. See https://platform.claude.com/docs/en/api/rate-limits and https://platform.openai.com/docs/guides/rate-limits
 */
export function remainingOf(headers: Headers, now: number): Partial<Record<Dimension, Remaining>> {
  const theirs = Date.parse(headers.get('date') ?? '');
  // Whole seconds, cut off: the real difference is up to a second more.
  const ahead = Number.isNaN(theirs) ? 0 : now - theirs;
  const found: Partial<Record<Dimension, Remaining>> = {};
  for (const dimension of DIMENSIONS) {
    const name = NAMES[dimension];
    const anthropic = (part: string) => headers.get(`anthropic-ratelimit-${name}-${part}`);
    const openai = (part: string) => headers.get(`x-ratelimit-${part}-${name}`);
    const remaining = count(anthropic('remaining') ?? openai('remaining'));
    if (remaining === null) continue;
    const at = Date.parse(anthropic('reset') ?? '');
    const duration = durationOf(openai('reset'));
    const said = Number.isNaN(at) ? now + (duration ?? MINUTE_MS) : at + ahead;
    const resetAt = Math.min(said, now + RESET_MAX_MS);
    found[dimension] = { remaining, limit: count(anthropic('limit') ?? openai('limit')), resetAt };
  }
  return found;
}

/** Gives how long the provider wants to be left alone, in milliseconds up to an hour; null where it does not say (RFC 9110, 10.2.3). */
export function retryAfterOf(headers: Headers, now: number): number | null {
  const ms = headers.get('retry-after-ms');
  if (ms !== null && /^\d+(\.\d+)?$/.test(ms)) return Math.min(Number(ms), REST_MAX_MS);
  const text = headers.get('retry-after');
  if (text === null) return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, REST_MAX_MS);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.min(Math.max(0, at - now), REST_MAX_MS);
}

/** Reads `6s`, `20ms` or `1m30.5s`, in milliseconds. */
function durationOf(text: string | null): number | null {
  if (text === null || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return null;
  let total = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g))
    total += Number(amount) * (UNIT_MS[unit] ?? 0);
  return total;
}

function count(text: string | null): number | null {
  return text !== null && /^\d+$/.test(text) ? Number(text) : null;
}
