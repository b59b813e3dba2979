import type { ReactNode } from 'react';
import classes from './mark.module.css';

export type Tone = 'plain' | 'bad' | 'warn' | 'info' | 'good' | 'signal' | 'accent';

/** Shows a word with a soft ground; what it means must be in the word, not in the colour. */
export function Pill({
  tone = 'plain',
  children,
  title,
}: {
  readonly tone?: Tone;
  readonly children: ReactNode;
  readonly title?: string;
}) {
  return (
    <span className={classes.pill} data-tone={tone} title={title}>
      {children}
    </span>
  );
}
