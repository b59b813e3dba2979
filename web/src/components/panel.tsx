import type { ReactNode } from 'react';
import classes from './panel.module.css';

interface PanelProps {
  readonly title: string;
  /** How many it holds, beside the title. */
  readonly count?: number | undefined;
  /** What can be done about it as a whole, at the right of the title. */
  readonly aside?: ReactNode;
  /** `signal`: a person is needed. */
  readonly tone?: 'plain' | 'signal';
  readonly children: ReactNode;
}

/** Shows a titled part of a page. */
export function Panel({ title, count, aside, tone = 'plain', children }: PanelProps) {
  const name = `${title.toLowerCase().replace(/[^a-z]+/g, '-')}-title`;
  return (
    <section className={classes.panel} aria-labelledby={name}>
      <header className={classes.head}>
        <h2 className={classes.title} id={name} data-tone={tone}>
          {title}
          {count === undefined ? null : <span className={classes.count}>{count}</span>}
        </h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** Frames content as a card of its own. */
export function Card({
  children,
  tone = 'plain',
}: {
  readonly children: ReactNode;
  readonly tone?: 'plain' | 'signal';
}) {
  return (
    <div className={classes.card} data-tone={tone}>
      {children}
    </div>
  );
}
