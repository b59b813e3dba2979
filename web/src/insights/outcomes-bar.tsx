import type { Outcomes } from '../api/shapes.ts';
import classes from './insights.module.css';

/** Every outcome, with its words and the tone that repeats them. */
export const OUTCOMES: readonly {
  readonly key: keyof Outcomes;
  readonly words: string;
  readonly short: string;
  readonly tone: string;
}[] = [
  { key: 'healedAlone', words: 'healed alone', short: 'Alone', tone: 'good' },
  { key: 'healedAfterApproval', words: 'healed after an approval', short: 'Approved', tone: 'accent' },
  { key: 'healedByPeople', words: 'healed by people', short: 'By people', tone: 'info' },
  { key: 'resolvedByItself', words: 'went by themselves', short: 'By itself', tone: 'dim' },
  { key: 'escalated', words: 'escalated', short: 'Escalated', tone: 'signal' },
  { key: 'stopped', words: 'stopped', short: 'Stopped', tone: 'bad' },
  { key: 'open', words: 'open', short: 'Open', tone: 'open' },
];

/** Shows the shares of all outcomes as one bar, with their numbers in words below it. */
export function OutcomesBar({ outcomes }: { readonly outcomes: Outcomes }) {
  const given = OUTCOMES.filter(({ key }) => outcomes[key] > 0);
  return (
    <div className={classes.outcomes}>
      <div className={classes.bar} aria-hidden="true">
        {given.map(({ key, tone }) => (
          <div key={key} data-tone={tone} style={{ flexGrow: outcomes[key] }} />
        ))}
      </div>
      <ul className={classes.legend}>
        {OUTCOMES.map(({ key, words, tone }) => (
          <li key={key} data-tone={tone}>
            <b>{outcomes[key]}</b> {words}
          </li>
        ))}
      </ul>
    </div>
  );
}
