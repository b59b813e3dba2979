import type { Alert } from '../api/shapes.ts';
import { Ago } from '../components/moment.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import classes from './alerts.module.css';

/** The alerts as they were sent, with all of their labels. */
export function Alerts({ alerts }: { readonly alerts: readonly Alert[] }) {
  return (
    <Panel title="Alerts" count={alerts.length}>
      <Card>
        {alerts.map(({ fingerprint, status, labels, annotations, startsAt, source }) => (
          <div key={fingerprint} className={classes.alert}>
            <p className={classes.top}>
              <Pill tone={status === 'firing' ? 'bad' : 'good'}>{status}</Pill>
              <b>{labels.alertname}</b>
              <span>
                from {source}, since <Ago at={startsAt} />
              </span>
            </p>
            {annotations.summary ? <p>{annotations.summary}</p> : null}
            <ul className={classes.labels} aria-label="Labels">
              {Object.entries(labels).map(([name, value]) => (
                <li key={name}>
                  <span>{name}</span> {value}
                </li>
              ))}
            </ul>
          </div>
        ))}
      </Card>
    </Panel>
  );
}
