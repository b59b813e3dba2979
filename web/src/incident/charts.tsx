import { useQuery } from '@tanstack/react-query';
import { chartsQuery } from '../api/queries.ts';
import type { Chart } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { clockTime } from '../components/time.ts';
import { TimeChart } from '../components/time-chart.tsx';
import classes from './charts.module.css';

/** So many of the newest marks are named below a chart; all of them are drawn. */
const MARKERS_MAX = 10;

/** The alert's own metric around the event, with what fired and what was done marked in it. */
export default function Charts({ id, moment }: { readonly id: string; readonly moment: string | null }) {
  const { data } = useQuery(chartsQuery(id));
  if (!data || data.charts.length === 0) return null;
  return (
    <Panel title="Metrics" count={data.charts.length}>
      {data.charts.map((chart) => (
        <Card key={`${chart.source} ${chart.expr}`}>
          <figure className={classes.figure}>
            <figcaption className={classes.caption}>
              <span className={classes.title}>{chart.title}</span>
              <code className={classes.expr}>{chart.expr}</code>
            </figcaption>
            {chart.problem ? (
              <p className={classes.problem}>{chart.problem}</p>
            ) : (
              <TimeChart
                series={chart.series}
                threshold={chart.threshold ?? null}
                markers={chart.markers}
                moment={moment}
                label={describe(chart)}
              />
            )}
            <ul className={classes.markers} aria-label="What happened then">
              {chart.markers.slice(-MARKERS_MAX).map(({ at, label, kind }) => (
                <li key={`${at} ${label}`} data-kind={kind}>
                  <time dateTime={at}>{clockTime(at)}</time> {label}
                </li>
              ))}
            </ul>
          </figure>
        </Card>
      ))}
    </Panel>
  );
}

function describe({ title, series, from, to }: Chart): string {
  const told = series.map(({ labels, points }) => {
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    const name = Object.values(labels).join(' ') || 'value';
    return values.length === 0
      ? `${name}: no values`
      : `${name}: from ${Math.min(...values)} to ${Math.max(...values)}, last ${values.at(-1)}`;
  });
  return `${title} between ${clockTime(from)} and ${clockTime(to)}. ${told.slice(0, 5).join('; ')}`;
}
