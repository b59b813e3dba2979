import { Link } from 'wouter';
import type { Incident, NowIncident } from '../api/shapes.ts';
import { Ago, Since } from '../components/moment.tsx';
import { Severity } from '../components/severity.tsx';
import { StateMark } from '../components/state.tsx';
import { span } from '../components/time.ts';
import classes from './now.module.css';

/** One incident as a line to open: how bad, what, how it stands, and what is being done. */
export function IncidentRow({
  incident,
  isSmall = false,
}: {
  readonly incident: NowIncident | Incident;
  readonly isSmall?: boolean;
}) {
  const { id, title, severity, state, service, openedAt, closedAt, needs, held } = incident;
  const doing = 'doing' in incident ? incident.doing : null;
  const says = needs ?? held ?? doing?.words ?? null;
  return (
    <Link href={`/incidents/${id}`} className={classes.row} data-row data-small={isSmall || undefined}>
      <span className={classes.top}>
        <StateMark state={state} />
        {isSmall ? null : <Severity value={severity} />}
        <span className={classes.id}>
          {id}
          {service ? ` · ${service}` : ''}
        </span>
      </span>
      <span className={classes.when}>
        {closedAt ? (
          <>
            <Ago at={closedAt} /> · took {span((Date.parse(closedAt) - Date.parse(openedAt)) / 1000)}
          </>
        ) : (
          <Since at={openedAt} />
        )}
      </span>
      <span className={classes.titleLine}>{title}</span>
      {says && !isSmall ? (
        <span className={classes.doing}>
          <span>{says}</span>
        </span>
      ) : null}
    </Link>
  );
}
