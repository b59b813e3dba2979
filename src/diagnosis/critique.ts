import type { Diagnosis } from '../incident/index.ts';
import type { Evidence } from './store.ts';

/**
 * Checks a diagnosis against its evidence without any model: every cited id must exist and every quote must occur in it.
 * Gives the problems, and the diagnosis without the citations that failed; one with none left is inconclusive.
 */
export function critique(
  diagnosis: Diagnosis,
  evidence: readonly Evidence[],
): { problems: string[]; diagnosis: Diagnosis } {
  const contents = new Map(evidence.map(({ ref, content }) => [ref, content]));
  const problems: string[] = [];
  const citations = diagnosis.citations.filter(({ evidence: ref, quote }) => {
    const content = contents.get(ref);
    if (content === undefined) problems.push(`citation of ${ref}: there is no such evidence`);
    else if (!quoteOccurs(quote, content))
      problems.push(`citation of ${ref}: the quote ${JSON.stringify(quote.slice(0, 80))} does not occur in it`);
    else return true;
    return false;
  });
  const grounded = citations.length > 0;
  if (!grounded && !diagnosis.inconclusive) problems.push('nothing that is cited supports the root cause');
  return { problems, diagnosis: { ...diagnosis, citations, inconclusive: diagnosis.inconclusive || !grounded } };
}

/** Tells whether a quote stands in a text, in one piece; an empty one stands nowhere. */
export function quoteOccurs(quote: string, content: string): boolean {
  const sought = squeeze(quote);
  return sought !== '' && squeeze(content).includes(sought);
}

/** The model sees evidence with `<` replaced, and may fold white space; neither makes a quote a different one. */
function squeeze(text: string): string {
  return text.replaceAll('<', '‹').replace(/\s+/g, ' ').trim();
}
