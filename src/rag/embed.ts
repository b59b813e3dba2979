import { tokens } from './terms.ts';

const DIMENSIONS = 512;
const BIGRAM_WEIGHT = 0.5;

/** Turns texts into vectors whose cosine tells how alike they are. */
export interface Embedder {
  /** Names the method and its version; when it changes, everything is embedded again. */
  readonly id: string;
  /** The cosine similarity, 0 to 1, from which two texts count as related at all. */
  readonly relatedFrom: number;
  /** Whether it works in this process, without a network: at once, and always. */
  readonly isLocal: boolean;
  /** How many texts it is given at a time. */
  readonly batchSize: number;
  /**
   * Gives one vector for each text, in the same order, all of the same length, 1 to 4,000 numbers.
   * @throws NightshiftError `llm_failed` or `invalid_config` when a provider gives none; `signal` gives up sooner.
   */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<number[][]>;
  /** Told when a question went without a vector because of this. */
  onTrouble?(error: unknown): void;
}

/**
 * The offline default: signed feature hashing of words and word pairs into 512 numbers, scaled to length one.
 * It needs no model and no network, gives the same vector everywhere, and knows words but no synonyms.
 * @see https://arxiv.org/abs/0902.2206 (Weinberger et al., feature hashing with signs)
 */
export const hashEmbedder: Embedder = {
  id: 'hash-512-1',
  // Texts without a word in common have cosines around 0 with a standard deviation of 1/√512 ≈ 0.044. The best of ten
  // thousand unrelated passages comes to about four of these by chance, 0.18; what reaches 0.2 has words in common.
  // That is all it says: it was derived from chance and not fitted to any set of alerts.
  relatedFrom: 0.2,
  isLocal: true,
  batchSize: 100,
  embed: async (texts) => texts.map(hashVector),
};

function hashVector(text: string): number[] {
  const counts = new Map<string, number>();
  const count = (feature: string) => counts.set(feature, (counts.get(feature) ?? 0) + 1);
  let previous: string | null = null;
  for (const { words, joined } of tokens(text)) {
    for (const word of words) {
      count(word);
      if (previous !== null) count(`${previous} ${word}`);
      previous = word;
    }
    if (joined !== null) count(joined);
  }
  const vector = new Array<number>(DIMENSIONS).fill(0);
  for (const [feature, occurrences] of counts) {
    const hash = hash32(feature);
    const weight = (1 + Math.log(occurrences)) * (feature.includes(' ') ? BIGRAM_WEIGHT : 1);
    const at = hash % DIMENSIONS;
    vector[at] = (vector[at] ?? 0) + (hash >>> 31 === 0 ? weight : -weight);
  }
  const length = Math.hypot(...vector);
  return length === 0 ? vector : vector.map((value) => value / length);
}

/** FNV-1a with MurmurHash3's last mixing step, so that the low bits and the sign bit are independent. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
