import { type ReactNode, useEffect } from 'react';
import classes from './page-title.module.css';

/** The title of a page, in the page and on its tab, with what can be done about all of it at the right. */
export function PageTitle({
  title,
  tells,
  children,
}: {
  readonly title: string;
  readonly tells?: ReactNode;
  readonly children?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Nightshift`;
  }, [title]);
  return (
    <div className={classes.head}>
      <div className={classes.words}>
        <h1 className={classes.title}>{title}</h1>
        {tells ? <p className={classes.tells}>{tells}</p> : null}
      </div>
      {children ? <div className={classes.aside}>{children}</div> : null}
    </div>
  );
}
