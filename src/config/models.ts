import { z } from 'zod';
import type { Problem } from '../errors.ts';
import { PROVIDER_NAMES } from './providers.ts';

/** What a question to a model is for; routing, ceilings, metrics and the record go by it. */
export const MODEL_ROLES = [
  'triage',
  'investigate',
  'summarise',
  'diagnose',
  'critique',
  'plan',
  'judge',
  'answer',
  'rerank',
] as const;
export type ModelRole = (typeof MODEL_ROLES)[number];

/** How able and how dear a model is, the cheapest last. */
export const MODEL_TIERS = ['frontier', 'standard', 'small'] as const;
export type ModelTier = (typeof MODEL_TIERS)[number];

const MODEL = 'write the name of a model, as the provider calls it';
const KEY = 'write the key of the provider, or name an environment variable that holds it';
const modelSeconds = (max: number) => {
  const words = `write a whole number of seconds from 1 to ${max}`;
  return z.int(words).min(1, words).max(max, words);
};
const dollars = z.number().gt(0).max(1_000_000);
const perMillion = z.number().min(0).max(10_000);

const priceSchema = z
  .strictObject({
    input: perMillion.describe('What is asked.'),
    output: perMillion.describe('What is answered.'),
    cachedInput: perMillion.optional().describe('What is read from the cache of the provider; as input otherwise.'),
    cacheWrite: perMillion.optional().describe('What is written to that cache; as input otherwise.'),
  })
  .describe('US dollars for a million tokens; what the list of prices says of this model otherwise.');
export type ModelPrice = z.infer<typeof priceSchema>;

export const modelSchema = z.strictObject(
  {
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._/-]{0,63}$/i, 'use letters, digits and . _ / -')
      .optional()
      .describe('How `routing` calls it; PROVIDER/MODEL otherwise.'),
    provider: z
      .enum(PROVIDER_NAMES, `write ${PROVIDER_NAMES.join(' or ')}`)
      .describe('Whose protocol is spoken; `openai` with `baseUrl` for every compatible server.'),
    model: z.string(MODEL).min(1, MODEL).describe('The model as the provider calls it.'),
    api: z
      .enum(['chat', 'responses'], 'write chat or responses')
      .default('chat')
      .describe('Of provider openai: Chat Completions, which compatible servers speak, or Responses.'),
    apiKey: z.string(KEY).min(1, KEY).optional().describe('The key of the provider; none where its server wants none.'),
    baseUrl: z
      .url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' })
      .optional()
      .describe("Where it is asked; the provider's own address otherwise."),
    timeoutSeconds: modelSeconds(600).default(40).describe('How long one answer may take.'),
    tier: z.enum(MODEL_TIERS).default('standard').describe('Small ones are asked first where little is at stake.'),
    price: priceSchema.optional(),
    contextTokens: z
      .int()
      .min(4_000)
      .max(10_000_000)
      .optional()
      .describe('How much it can read at once; what the list of prices says of it, or 32,000, otherwise.'),
    limits: z
      .strictObject({
        requestsPerMinute: z.int().min(1).max(1_000_000).optional().describe('Requests in a minute.'),
        tokensPerMinute: z.int().min(1_000).max(1_000_000_000).optional().describe('Tokens in a minute.'),
      })
      .prefault({})
      .describe('What the provider lets this account do; counted before sending, so that no limit is met.'),
    weight: z.int().min(1).max(100).default(1).describe('Its share under the strategy balance.'),
  },
  {
    error: (issue) =>
      issue.code === 'invalid_type'
        ? 'write a provider and a model, for example { provider: openai, model: NAME }'
        : undefined,
  },
);
export type ModelConfig = z.infer<typeof modelSchema>;

/** Gives the name by which routes and records call a model: its own, or `provider/model`. */
export function modelName({ name, provider, model }: Pick<ModelConfig, 'name' | 'provider' | 'model'>): string {
  return name ?? `${provider}/${model}`;
}

const routeSchema = z.strictObject({
  models: z.array(z.string().min(1)).min(1).describe('Names of models, the preferred one first.'),
  strategy: z
    .enum(['fallback', 'balance', 'fastest'])
    .default('fallback')
    .describe('In this order; spread by weight; or by measured time. Whoever fails is followed by the others.'),
});
export type RouteConfig = z.infer<typeof routeSchema>;
/** For each role that has one, who answers it. */
export type RoutingConfig = Readonly<Partial<Record<ModelRole, RouteConfig>>>;

/** Gives what is wrong with the names of models: two of one name, and routes to names that no model has. */
export function modelNameProblems(models: readonly ModelConfig[], routing: RoutingConfig): Problem[] {
  const names = models.map(modelName);
  const twice = names.flatMap((name, index) => {
    if (names.indexOf(name) === index) return [];
    const fix = 'give each a name of its own';
    return [{ field: `models.${index}.name`, value: name, message: 'stands here twice', fix }];
  });
  const unknown = Object.entries(routing).flatMap(([role, route]) =>
    route.models.flatMap((name, index) => {
      const field = `routing.${role}.models.${index}`;
      if (route.models.indexOf(name) !== index)
        return [{ field, value: name, message: 'stands here twice', fix: 'remove it' }];
      if (names.includes(name)) return [];
      const fix = names.length > 0 ? `use one of ${names.join(', ')}` : 'add it under models';
      return [{ field, value: name, message: 'no model has this name', fix }];
    }),
  );
  return [...twice, ...unknown];
}

export const routingSchema = z
  .partialRecord(z.enum(MODEL_ROLES), routeSchema)
  .default({})
  .describe('Which models answer which kind of question; all of them in their order otherwise, and nobody for rerank.');

export const spendingSchema = z
  .strictObject({
    incidentUsd: dollars.default(2).describe('Ceiling for one incident.'),
    dayUsd: dollars.default(50).describe('Ceiling for one day.'),
    roleUsd: z
      .partialRecord(z.enum(MODEL_ROLES), dollars)
      .default({})
      .describe('Ceilings of single kinds of questions for a day.'),
    cheaperFrom: z
      .number()
      .gt(0)
      .max(1)
      .default(0.8)
      .describe('The share of a ceiling from which the cheapest models are asked.'),
  })
  .prefault({})
  .describe('What models may cost, in US dollars; days are those of UTC. Beyond it the runbooks alone are followed.');
export type SpendingConfig = z.infer<typeof spendingSchema>;

export const investigationSchema = z
  .strictObject({
    steps: z.int().min(0).max(30).default(6).describe('How often a model may look further; 0 for not at all.'),
    tokens: z.int().min(2_000).max(1_000_000).default(60_000).describe('Of all its questions and answers together.'),
    seconds: z.int().min(5).max(600).default(90).describe('How long it may look further.'),
    deep: z
      .enum(['never', 'critical', 'always'])
      .default('critical')
      .describe('When a lead hands sub-questions to specialists: for incidents of that severity.'),
    critiqueRounds: z
      .int()
      .min(1)
      .max(3)
      .default(3)
      .describe('How many answers a diagnosis that is objected to may have.'),
    specialists: z
      .string()
      .min(1)
      .optional()
      .describe('A folder of specialists of your own; docs/diagnosis.md says how to write one.'),
    critiqueUsd: dollars.default(0.5).describe('What the rounds of critique of one diagnosis may cost together.'),
  })
  .prefault({})
  .describe('How a model looks further, and how its diagnosis is doubted; docs/diagnosis.md.');
export type InvestigationConfig = z.infer<typeof investigationSchema>;

export const judgeSchema = z
  .strictObject({
    share: z.number().min(0).max(1).default(0.1).describe('Which share of closed incidents a model scores.'),
    langfuse: z
      .strictObject({
        baseUrl: z.url().describe('Where it is.'),
        publicKey: z.string().min(1).describe('Public key of the project.'),
        secretKey: z.string().min(1).describe('Secret key of the project.'),
      })
      .optional()
      .describe('Where scores are sent as well: a Langfuse.'),
  })
  .prefault({})
  .describe('Scores that a model gives to closed incidents; docs/judge.md.');
export type JudgeConfig = z.infer<typeof judgeSchema>;

/** Writes an amount for people: in cents, and what is less than one as exactly as it takes to see it. */
export function inDollars(usd: number): string {
  return `$${usd === 0 || usd >= 0.01 ? usd.toFixed(2) : usd.toPrecision(2)}`;
}
