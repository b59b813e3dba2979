import { type RawBuilder, sql } from 'kysely';
import { terms } from './terms.ts';

// Postgres keeps no more positions of one lexeme and none beyond this.
const POSITION_MAX = 16_383;
const POSITIONS_MAX = 255;
const QUERY_TERMS_MAX = 200;

/**
 * Makes the full-text value of texts and their weights (A counts most, D least) out of our own terms. It is written as a
 * literal so that no Postgres parser or dictionary comes between what is indexed and what is asked; terms hold no quotes.
 * @see https://www.postgresql.org/docs/17/datatype-textsearch.html
 */
export function searchVector(
  texts: readonly (readonly [weight: 'A' | 'B' | 'C' | 'D', text: string])[],
): RawBuilder<string> {
  const places = new Map<string, string[]>();
  let position = 0;
  for (const [weight, text] of texts) {
    for (const term of terms(text)) {
      position = Math.min(position + 1, POSITION_MAX);
      const found = places.get(term) ?? [];
      if (found.length < POSITIONS_MAX) places.set(term, [...found, `${position}${weight}`]);
    }
  }
  const literal = [...places].map(([term, at]) => `'${term}':${at.join(',')}`).join(' ');
  return sql`${literal}::tsvector`;
}

/** Makes the full-text query that any one term of the text satisfies: with all of them, an alert's words find nothing. */
export function searchQuery(text: string): RawBuilder<string> {
  const distinct = [...new Set(terms(text))].slice(0, QUERY_TERMS_MAX);
  return sql`${distinct.map((term) => `'${term}'`).join(' | ')}::tsquery`;
}
