/** What a call costs: the operator's price, or else the dated list that ships with Nightshift. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { type ModelConfig, PROVIDERS } from '../config/index.ts';

const FILE = join(import.meta.dirname, 'prices.yaml');
/** What may follow the id of a model without making it another one: a date, or that it is the latest. */
const VERSION = /^(?:[-@](?:\d{8}|\d{4}-\d{2}-\d{2}|latest))?$/;

const dollars = z.number().min(0);
const lineSchema = z.strictObject({
  input: dollars,
  output: dollars,
  cachedInput: dollars.optional(),
  cacheWrite: dollars.optional(),
  /** Requests with more input than `from` cost this many times as much. */
  long: z.strictObject({ from: z.int().min(1), input: z.number().min(1), output: z.number().min(1) }).optional(),
  contextTokens: z.int().min(1).optional(),
  source: z.string().min(1),
});
const listSchema = z.strictObject({ as_of: z.iso.date(), models: z.record(z.string(), lineSchema) });

/** US dollars for a million tokens, with where they come from. */
export interface Price {
  readonly input: number;
  readonly output: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly long: { readonly from: number; readonly input: number; readonly output: number } | null;
  /** The date of the list, as YYYY-MM-DD; null for the operator's own price. */
  readonly asOf: string | null;
  /** True where nobody knows the price, and the dearest of the provider's stands in for it. */
  readonly assumed: boolean;
}

/** Tokens as they are paid for; each counts once, in `inputTokens` or `outputTokens` and then in one of the others. */
export interface PaidTokens {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
}

let list: z.infer<typeof listSchema> | undefined;

/**
 * Gives the price of a model: the operator's, or that of the list. A model that neither knows costs what the dearest of its provider's
 * costs where the provider itself serves it, since a ceiling must hold; elsewhere nobody knows, and it is null.
 */
export function priceOf({ provider, model, price, baseUrl }: ModelConfig): Price | null {
  const own = { long: null, asOf: null, assumed: false };
  if (price)
    return {
      ...own,
      ...price,
      cachedInput: price.cachedInput ?? price.input,
      cacheWrite: price.cacheWrite ?? price.input,
    };
  const line = lineOf(model);
  if (line) return listed(line, false);
  if (baseUrl) return null;
  const [dearest] = Object.entries(readList().models)
    .flatMap(([id, one]) => (id.startsWith(PROVIDERS[provider].priced) ? [one] : []))
    .sort((a, b) => b.output - a.output);
  return dearest ? listed(dearest, true) : null;
}

/** Gives how many tokens a model can read at once, in tokens: as configured, as listed, or 32,000. */
export function contextTokensOf({ model, contextTokens }: ModelConfig): number {
  return contextTokens ?? lineOf(model)?.contextTokens ?? 32_000;
}

/** Gives what these tokens cost in US dollars. */
export function costOf(
  price: Price,
  { inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens }: PaidTokens,
): number {
  const isLong = price.long !== null && inputTokens > price.long.from;
  const [inputTimes, outputTimes] = isLong && price.long ? [price.long.input, price.long.output] : [1, 1];
  const plain = Math.max(0, inputTokens - cachedInputTokens - cacheWriteTokens);
  const input = plain * price.input + cachedInputTokens * price.cachedInput + cacheWriteTokens * price.cacheWrite;
  return (input * inputTimes + outputTokens * price.output * outputTimes) / 1_000_000;
}

/** Gives the name of a model without the provider that gateways put before it and, where the list knows it, without its date. */
export function modelIdOf(model: string): string {
  // As in anthropic/claude-sonnet-5-5.
  const id = model.slice(model.lastIndexOf('/') + 1);
  const known = Object.keys(readList().models);
  return known.find((one) => id.startsWith(one) && VERSION.test(id.slice(one.length))) ?? id;
}

function lineOf(model: string) {
  const id = modelIdOf(model);
  const { models } = readList();
  return Object.hasOwn(models, id) ? models[id] : undefined;
}

function listed(line: z.infer<typeof lineSchema>, assumed: boolean): Price {
  const { input, output, cachedInput = input, cacheWrite = input, long = null } = line;
  return { input, output, cachedInput, cacheWrite, long, asOf: readList().as_of, assumed };
}

function readList(): z.infer<typeof listSchema> {
  // A date stays text: YAML 1.2 has none.
  list ??= listSchema.parse(parse(readFileSync(FILE, 'utf8'), { maxAliasCount: 0 }));
  return list;
}
