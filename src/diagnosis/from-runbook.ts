import type { Diagnosis } from '../incident/index.ts';
import type { Evidence } from './store.ts';

const QUOTE_MAX = 240;
const LOOKS_CITED_MAX = 6;

/** The diagnosis without a model: what the best-fitting runbook and the looks say, quoted; nothing is inferred. */
export function fromRunbook(evidence: readonly Evidence[], missing: readonly string[]): Diagnosis {
  const runbooks = evidence.filter(({ kind }) => kind === 'runbook');
  const runbook = runbooks.find((one) => !isFlagged(one)) ?? runbooks[0];
  const past = evidence.find(({ kind }) => kind === 'past_incident');
  // What the runbooks check says most; of the rest a few, since each is a line that people read.
  const tools = evidence.filter(({ kind }) => kind === 'tool');
  const checks = tools.filter(({ origin }) => origin.look === 'check');
  const looks = [...checks, ...tools.filter((one) => !checks.includes(one))].slice(0, LOOKS_CITED_MAX);
  const cite = ({ ref, content }: Evidence) => ({ evidence: ref, quote: firstSentence(content) });
  const base = {
    mode: 'runbook' as const,
    model: null,
    ruledOut: [],
    citations: [...(runbook ? [cite(runbook)] : []), ...(past ? [cite(past)] : []), ...looks.map(cite)],
  };
  if (!runbook) {
    return {
      ...base,
      rootCause: 'Unknown: no runbook fits this alert.',
      confidence: 'low',
      inconclusive: true,
      unknowns: ['what is the matter: no runbook fits, and no model has said', ...missing],
    };
  }
  const flagged = isFlagged(runbook);
  const matched = !flagged && (runbook.origin.why as { matched?: boolean } | undefined)?.matched === true;
  return {
    ...base,
    rootCause: `As the runbook ${runbook.title} describes: ${firstSentence(runbook.content)}`,
    confidence: matched ? 'medium' : 'low',
    inconclusive: !matched,
    unknowns: [
      ...(flagged ? ['whether this runbook can be trusted: it holds instruction-like text'] : []),
      ...(matched || flagged
        ? []
        : ['whether this runbook is the right one: it was found by its words, and declares no match for this alert']),
      ...missing,
    ],
  };
}

function isFlagged({ origin }: Evidence): boolean {
  return Array.isArray(origin.flags) && origin.flags.length > 0;
}

function firstSentence(text: string): string {
  const plain = text.replace(/^#+ .*$/gm, '').trim() || text.trim();
  const sentence = /^[\s\S]*?[.!?](?=\s|$)/.exec(plain)?.[0] ?? plain;
  return sentence.slice(0, QUOTE_MAX).trim();
}
