import { z } from 'zod';

const MODEL = 'write the name of a model, as the provider calls it';
const KEY = 'write the key of the provider, or name an environment variable that holds it';
const DIMENSIONS = 'write a whole number from 1 to 4000';
const RELATED = 'write a number from 0 up to, not including, 1';
const BATCH = 'write a whole number from 1 to 1000';
const TIMEOUT = 'write a whole number of seconds from 1 to 25';

const offlineSchema = z.strictObject({
  provider: z.literal('offline').describe('The built-in embedder, which needs no network.'),
});

const remoteSchema = z
  .strictObject({
    provider: z
      .literal('openai')
      .describe('OpenAI, or with baseUrl whatever has /v1/embeddings: Ollama, vLLM, Voyage.'),
    model: z
      .string(MODEL)
      .min(1, MODEL)
      .max(200, 'is longer than 200 characters')
      .describe('The model as the provider calls it.'),
    apiKey: z.string(KEY).min(1, KEY).optional().describe('The key of the provider.'),
    baseUrl: z
      .url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' })
      .optional()
      .describe('Where it is asked instead of OpenAI.'),
    dimensions: z
      .int(DIMENSIONS)
      .min(1, DIMENSIONS)
      .max(4000, DIMENSIONS)
      .optional()
      .describe('Asked of models that can shorten their vectors; what a model gives by itself otherwise.'),
    relatedFrom: z
      .number(RELATED)
      .min(0, RELATED)
      .lt(1, RELATED)
      .default(0.3)
      .describe('The cosine from which two texts count as related; differs from model to model.'),
    batchSize: z.int(BATCH).min(1, BATCH).max(1000, BATCH).default(32).describe('How many texts a request carries.'),
    timeoutSeconds: z
      .int(TIMEOUT)
      .min(1, TIMEOUT)
      .max(25, TIMEOUT)
      .default(20)
      .describe('How long one request may take.'),
  })
  .refine(({ apiKey, baseUrl }) => apiKey !== undefined || baseUrl !== undefined, {
    path: ['apiKey'],
    error: 'is missing; set it, or baseUrl for a server that wants no key',
  });

/** What turns texts into vectors: the built-in embedder that needs no network, or a provider. */
export const embeddingsSchema = z
  .discriminatedUnion('provider', [offlineSchema, remoteSchema], {
    error: 'write `provider: offline`, or `provider: openai` with a model (see docs/retrieval.md)',
  })
  .default({ provider: 'offline' })
  .describe(
    'What turns texts into vectors: the built-in embedder that needs no network, or a provider; docs/retrieval.md.',
  );

export type EmbeddingsConfig = z.infer<typeof embeddingsSchema>;
export type RemoteEmbeddingsConfig = z.infer<typeof remoteSchema>;
