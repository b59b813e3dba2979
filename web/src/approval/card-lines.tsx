import classes from './card-lines.module.css';
import type { CardLine } from './read-card.ts';

/** Set in monospace, since it is shown to be compared letter by letter. */
const EXACT = new Set(['runs', 'on', 'for', 'would', 'secret']);
/** Shown elsewhere on the card. */
const ELSEWHERE = new Set(['until', 'digest', 'yes']);

/** Shows what a card says, line by line: what runs on what and why, whom it takes, and how it is taken back. */
export function CardLines({ lines }: { readonly lines: readonly CardLine[] }) {
  return (
    <dl className={classes.lines}>
      {lines
        .filter(({ about }) => !ELSEWHERE.has(about))
        .map(({ about, says }) => (
          <Line key={about} about={about} says={says} />
        ))}
    </dl>
  );
}

function Line({ about, says }: CardLine) {
  return (
    <>
      <dt>{about}</dt>
      <dd
        data-exact={EXACT.has(about) || undefined}
        data-destructive={(about === 'risk' && says.join(' ').startsWith('destructive')) || undefined}
      >
        {says.map((text, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: two lines may say the same, and none ever moves.
          <span key={index} className={classes.text}>
            {text}
          </span>
        ))}
      </dd>
    </>
  );
}
