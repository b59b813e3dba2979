import { z } from 'zod';

const offlineSchema = z.strictObject({ provider: z.literal('offline') });

const remoteSchema = z
  .strictObject({
    provider: z
      .literal('openai')
      .describe('OpenAI, or with baseUrl whatever has /v1/embeddings: Ollama, vLLM, Voyage.'),
    model: z.string().min(1).max(200),
    apiKey: z.string().min(1).optional(),
    baseUrl: z.url({ protocol: /^https?$/, error: 'write an http:// or https:// URL' }).optional(),
    dimensions: z
      .number()
      .int()
      .min(1)
      .max(4000)
      .optional()
      .describe('Asked of models that can shorten their vectors; what a model gives by itself otherwise.'),
    relatedFrom: z
      .number()
      .min(0)
      .lt(1)
      .default(0.3)
      .describe('The cosine from which two texts count as related; differs from model to model.'),
    batchSize: z.number().int().min(1).max(1000).default(32).describe('How many texts a request carries.'),
    timeoutSeconds: z.number().int().min(1).max(25).default(20),
  })
  .refine(({ apiKey, baseUrl }) => apiKey !== undefined || baseUrl !== undefined, {
    path: ['apiKey'],
    error: 'is missing; set it, or baseUrl for a server that wants no key',
  });

/** What turns texts into vectors: the built-in embedder that needs no network, or a provider. */
export const embeddingsSchema = z
  .discriminatedUnion('provider', [offlineSchema, remoteSchema])
  .default({ provider: 'offline' });

export type EmbeddingsConfig = z.infer<typeof embeddingsSchema>;
export type RemoteEmbeddingsConfig = z.infer<typeof remoteSchema>;
