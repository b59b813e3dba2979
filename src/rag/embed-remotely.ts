import { createHash } from 'node:crypto';
import type { EmbeddingsConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import { createVectors } from '../llm/index.ts';
import { type Embedder, hashEmbedder } from './embed.ts';

const QUIET_MS = 60_000;

/**
 * Makes the embedder that the configuration names: the offline one, or a provider's. Its id is made of everything that its vectors
 * depend on, so that another model, another address or another number of dimensions embeds anew.
 * What keeps questions from being embedded is logged once a minute at most.
 */
export function createEmbedder(
  config: EmbeddingsConfig,
  log: { warn(fields: object, message: string): void },
): Embedder {
  if (config.provider === 'offline') return hashEmbedder;
  const { model, baseUrl = '', dimensions, relatedFrom, batchSize } = config;
  const made = createHash('sha256')
    .update(JSON.stringify([model, baseUrl, dimensions ?? null]))
    .digest('hex');
  let quietUntil = 0;
  return {
    id: `${model}@${made.slice(0, 12)}`,
    isLocal: false,
    relatedFrom,
    batchSize,
    embed: createVectors(config),
    onTrouble(error) {
      if (Date.now() < quietUntil) return;
      quietUntil = Date.now() + QUIET_MS;
      log.warn({ error: messageOf(error) }, 'no vector for a question; words alone find');
    },
  };
}
