import { tokens } from './terms.ts';

/** The terms of a text, in reading order and with repetitions. */
export interface SearchTerms {
  readonly words: readonly string[];
  /** Neighbouring words in one (crashloop), and whole identifiers: what stands together says more than its parts. */
  readonly pairs: readonly string[];
}

const STEM_MIN = 4;
const ENDING = /(?:ations?|ions?|ings?|ed|ers?|e)$/;

/**
 * Gives a text's words, their endings cut off, and its pairs of neighbours. A pair is spelt like the one word that others
 * make of it, so that "file system" and "filesystem", "crash loop" and CrashLoop, meet. No pair spans a sentence or a line.
 */
export function searchTerms(text: string): SearchTerms {
  const words: string[] = [];
  const pairs: string[] = [];
  for (const part of text.split(/[\n.;:!?|,()]+/)) {
    let previous: string | null = null;
    for (const token of tokens(part)) {
      for (const word of token.words) {
        const stem = stemOf(word);
        words.push(stem);
        if (previous !== null) pairs.push(previous + stem);
        previous = stem;
      }
      if (token.joined !== null && token.words.length > 2) pairs.push(token.joined);
    }
  }
  return { words, pairs };
}

/** Cuts one English ending where enough is left: failed, failing and fail; restart and restarting; expire and expiration. */
function stemOf(word: string): string {
  const stem = word.replace(ENDING, '');
  return stem.length >= STEM_MIN ? stem : word;
}
