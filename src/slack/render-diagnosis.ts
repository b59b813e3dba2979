import type { Evidence } from '../diagnosis/index.ts';
import { type Incident, incidentName } from '../incident/index.ts';
import { bold, heading, type Inline, lines, message, plainly, points, type Rendered, rich } from './render-blocks.ts';
import { cut, words } from './render-words.ts';

const CITATIONS_MAX = 6;
const OTHERS_MAX = 4;
const TITLE_MAX = 100;
const QUOTE_MAX = 150;

/** Renders what is the matter as far as it is known, with the title and the quoted words of everything that it cites; null before that. */
export function renderDiagnosis(
  { id, cycle, context }: Pick<Incident, 'id' | 'cycle' | 'context'>,
  evidence: readonly Evidence[],
): Rendered | null {
  const { diagnosis } = context;
  if (diagnosis === null) return null;
  const { mode, model, confidence, inconclusive, rootCause, citations, ruledOut, unknowns } = diagnosis;
  const found = new Map(evidence.map((one) => [one.ref, one]));
  const cited = citations.map(({ evidence: ref, quote }): Inline[] => {
    const one = found.get(ref);
    const from = one ? `${one.kind.replace('_', ' ')}: ${cut(words(one.title), TITLE_MAX)}` : 'which is gone';
    return [bold(`${words(ref)} `), plainly(`${from}: “${cut(words(quote), QUOTE_MAX)}”`)];
  });
  const source = mode === 'model' ? `the model ${words(model ?? '')} says` : 'the runbook says';
  const more = citations.length - CITATIONS_MAX;
  const blocks = [
    heading(`🩺 Diagnosis${inconclusive ? ' (inconclusive)' : ''}`),
    rich(
      lines([
        [bold(`${source[0]?.toUpperCase()}${source.slice(1)}: `), plainly(`“${words(rootCause)}”`)],
        [
          bold('Confidence: '),
          plainly(inconclusive ? `${confidence}; this is not grounded enough to act on` : confidence),
        ],
        ...(cited.length > 0 ? [[bold('It cites:')]] : [[plainly('It cites nothing.')]]),
      ]),
      ...(cited.length > 0 ? [points(cited.slice(0, CITATIONS_MAX))] : []),
      ...list(
        'Ruled out:',
        ruledOut.map(({ hypothesis, why }) => words(`${hypothesis}: ${why}`)),
      ),
      ...list('Not known:', unknowns.map(words)),
      ...(more > 0 ? [lines([[plainly(`${more} more citations: nightshift incident ${incidentName(id)}`)]])] : []),
    ),
  ];
  return message(`diagnosis:${cycle}`, `${incidentName(id)}: ${source}: ${words(rootCause)}`, blocks);
}

function list(title: string, items: readonly string[]) {
  if (items.length === 0) return [];
  return [lines([[bold(title)]]), points(items.slice(0, OTHERS_MAX).map((item) => [plainly(cut(item, QUOTE_MAX))]))];
}
