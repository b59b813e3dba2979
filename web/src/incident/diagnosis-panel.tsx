import { IconQuote, IconStethoscope } from '@tabler/icons-react';
import type { Citation, WholeIncident } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Empty } from '../components/trouble.tsx';
import classes from './diagnosis.module.css';

/** So many citations are shown at once; runbook mode cites all that it saw. */
const CITED_MAX = 3;
/** What has come so far without a diagnosis gets none. */
const WITHOUT: ReadonlySet<string> = new Set(['escalated', 'resolved', 'stopped']);

interface DiagnosisPanelProps {
  readonly incident: WholeIncident;
  readonly onCite: (citation: Citation) => void;
}

/** What was the matter, as far as the evidence goes; each citation opens what it quotes. */
export function DiagnosisPanel({ incident: { diagnosis, evidence, state }, onCite }: DiagnosisPanelProps) {
  if (!diagnosis) {
    const isGivenUp = WITHOUT.has(state);
    return (
      <Panel title="Diagnosis">
        <Empty
          icon={<IconStethoscope size={26} stroke={1.5} />}
          title={isGivenUp ? 'No diagnosis' : 'No diagnosis yet'}
        >
          {isGivenUp ? 'None was made; the story says why.' : 'It shows up here as soon as it is made.'}
        </Empty>
      </Panel>
    );
  }
  const { rootCause, confidence, inconclusive, review, mode, model, citations, ruledOut, unknowns } = diagnosis;
  const titleOf = (ref: string) => evidence.find((one) => one.ref === ref)?.title ?? '';
  return (
    <Panel
      title="Diagnosis"
      aside={
        <span className={classes.marks}>
          <Pill tone={inconclusive ? 'warn' : confidence === 'high' ? 'good' : 'info'}>
            {inconclusive ? 'inconclusive' : `${confidence} confidence`}
          </Pill>
          {review && review !== 'none' ? (
            <Pill tone={review === 'passed' ? 'good' : 'warn'}>review {review}</Pill>
          ) : null}
        </span>
      }
    >
      <Card>
        <div className={classes.body}>
          <p className={classes.cause}>{rootCause}</p>
          <p className={classes.by}>
            {mode === 'model' ? `by ${model}, checked against the evidence` : 'in the runbook’s own words'}
          </p>
          <Citations citations={citations.slice(0, CITED_MAX)} titleOf={titleOf} onCite={onCite} />
          {citations.length > CITED_MAX ? (
            <details className={classes.more}>
              <summary>{citations.length - CITED_MAX} more citations</summary>
              <Citations citations={citations.slice(CITED_MAX)} titleOf={titleOf} onCite={onCite} />
            </details>
          ) : null}
          {ruledOut.length > 0 ? (
            <div className={classes.more}>
              <h3>Ruled out</h3>
              <ul>
                {ruledOut.map(({ hypothesis, why }) => (
                  <li key={hypothesis}>
                    {hypothesis}: {why}
                  </li>
                ))}
              </ul>
            </div>
          ) : null}
          {unknowns.length > 0 ? (
            <div className={classes.more}>
              <h3>Not known</h3>
              <ul>
                {unknowns.map((one) => (
                  <li key={one}>{one}</li>
                ))}
              </ul>
            </div>
          ) : null}
        </div>
      </Card>
    </Panel>
  );
}

function Citations({
  citations,
  titleOf,
  onCite,
}: {
  readonly citations: readonly Citation[];
  readonly titleOf: (ref: string) => string;
  readonly onCite: (citation: Citation) => void;
}) {
  if (citations.length === 0) return null;
  return (
    <ul className={classes.citations} aria-label="Citations">
      {citations.map((citation) => (
        <li key={`${citation.evidence} ${citation.quote}`}>
          <button type="button" className={classes.citation} onClick={() => onCite(citation)}>
            <IconQuote size={14} aria-hidden="true" />
            <span>
              <span className={classes.quote}>{citation.quote}</span>
              <span className={classes.source}>
                {citation.evidence} {titleOf(citation.evidence)}
              </span>
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
