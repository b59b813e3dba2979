import type { Citation } from '../api/shapes.ts';
import classes from './timeline.module.css';

/** What an event holds; each type has its own fields, and what is missing is not shown. */
// biome-ignore lint/suspicious/noExplicitAny: events of older versions are shown as far as they go.
export type Data = Readonly<Record<string, any>>;

interface Point {
  readonly name: string;
  readonly says: string;
}

const list = (value: unknown): readonly Data[] => (Array.isArray(value) ? value : []);
const compact = (value: unknown) => JSON.stringify(value) ?? '';

const POINTS: Readonly<Record<string, (data: Data) => Point[]>> = {
  'triage.done': ({ because, blast }) => [
    ...(because ? [{ name: `by ${because.by}`, says: String(because.why) }] : []),
    ...(blast ? [{ name: `${blast.alerts} ${blast.alerts === 1 ? 'alert' : 'alerts'}`, says: String(blast.why) }] : []),
  ],
  'investigation.step': ({ calls }) =>
    list(calls).map(({ tool, arguments: args, came }) => ({
      name: String(tool),
      says: `${compact(args)} ${came ?? ''}`,
    })),
  'investigation.merged': ({ findings }) =>
    list(findings).map(({ text, citations }) => ({
      name: list(citations)
        .map(({ evidence }) => evidence)
        .join(', '),
      says: String(text),
    })),
  'diagnosis.reviewed': ({ objections }) => list(objections).map((text) => ({ name: 'objects', says: String(text) })),
  'diagnosis.made': ({ rootCause, confidence }) => [{ name: `${confidence} confidence`, says: String(rootCause) }],
  'plan.made': ({ actions, checks, notes }) => [
    ...list(actions).map(({ tool, arguments: args, target, risk }) => ({
      name: String(tool),
      says: `${compact(args)} on ${target} (${risk})`,
    })),
    ...list(checks).map((check) => ({ name: 'checked by', says: String(check) })),
    ...list(notes).map((note) => ({ name: 'note', says: String(note) })),
  ],
  'policy.decided': ({ spoke }) =>
    list(spoke).map(({ rule, decision, why }) => ({ name: `${rule} says ${decision}`, says: String(why) })),
  'undo.planned': ({ actions, problems }) => [
    ...list(actions).map(({ tool, arguments: args, target }) => ({
      name: String(tool),
      says: `${compact(args)} on ${target}`,
    })),
    ...list(problems).map((problem) => ({ name: 'not', says: String(problem) })),
  ],
};

const checks = ({ checks: made }: Data): Point[] =>
  list(made).map(({ check, passed, saw }) => ({
    name: passed ? 'pass' : 'fail',
    says: `${check}${passed ? '' : ` (saw ${typeof saw === 'string' ? saw : compact(saw)})`}`,
  }));

/** Shows what stands behind an event, point by point, and the evidence that it names as buttons that open it. */
export function EventPoints({
  type,
  data,
  onCite,
}: {
  readonly type: string;
  readonly data: Data;
  readonly onCite: (citation: Citation) => void;
}) {
  const points = (/^(verification\.|undo\.finished)/.test(type) ? checks : POINTS[type])?.(data) ?? [];
  const refs = [...list(data.evidence), ...list(data.found)].filter((one) => typeof one?.ref === 'string');
  const citations = type === 'diagnosis.made' ? (list(data.citations) as unknown as readonly Citation[]) : [];
  return (
    <>
      {points.length > 0 ? (
        <ul className={classes.points}>
          {points.map(({ name, says }) => (
            <li key={`${name} ${says}`}>
              <b>{name}</b> {says}
            </li>
          ))}
        </ul>
      ) : null}
      {refs.length > 0 || citations.length > 0 ? (
        <div className={classes.refs}>
          {refs.map(({ ref, title }) => (
            <button
              key={ref}
              type="button"
              className={classes.ref}
              onClick={() => onCite({ evidence: ref, quote: '' })}
            >
              <b>{ref}</b>
              <span>{title}</span>
            </button>
          ))}
          {citations.map((citation) => (
            <button
              key={`${citation.evidence} ${citation.quote}`}
              type="button"
              className={classes.ref}
              onClick={() => onCite(citation)}
            >
              <b>{citation.evidence}</b>
              <span>“{citation.quote}”</span>
            </button>
          ))}
        </div>
      ) : null}
    </>
  );
}
