import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { chartsQuery } from '../api/queries.ts';
import type { Chart } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import { clockTime, dayOf } from '../components/time.ts';
import { TimeChart } from '../components/time-chart.tsx';
import { Trouble } from '../components/trouble.tsx';
import { until } from './as-it-was.ts';
import classes from './charts.module.css';
import { clockSince } from './clock.ts';

/** So many of the newest marks are named below a chart; all of them are drawn. */
const MARKERS_MAX = 10;

/** The alert's own metric around the event, with what fired and what was done marked in it. */
export default function Charts({ id, moment }: { readonly id: string; readonly moment: string | null }) {
  const { data, error, refetch } = useQuery(chartsQuery(id));
  const charts = useMemo(() => (data?.charts ?? []).map((chart) => chartUntil(moment, chart)), [data, moment]);
  if (charts.length === 0 && !error) return null;
  return (
    <Panel title="Metrics" count={charts.length}>
      {error ? <Trouble error={error} retry={refetch} /> : null}
      {charts.map((chart) => (
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
                  <time dateTime={at}>{clockSince(at, chart.from)}</time> {label}
                </li>
              ))}
            </ul>
          </figure>
        </Card>
      ))}
    </Panel>
  );
}

/** In a replay, what came later is left out; the axis stays. */
function chartUntil(moment: string | null, chart: Chart): Chart {
  if (moment === null) return chart;
  const end = Date.parse(moment) / 1000;
  const series = chart.series.map(({ labels, points }) => ({
    labels,
    points: points.map(([at, value]) => [at, at <= end ? value : null] as [number, number | null]),
  }));
  return { ...chart, series, markers: [...until(moment, chart.markers)] };
}

function describe({ title, series, from, to }: Chart): string {
  const told = series.map(({ labels, points }) => {
    const values = points.map(([, value]) => value).filter((value) => value !== null);
    const name = Object.values(labels).join(' ') || 'value';
    return values.length === 0
      ? `${name}: no values`
      : `${name}: from ${Math.min(...values)} to ${Math.max(...values)}, last ${values.at(-1)}`;
  });
  return `${title} between ${dayOf(from)}, ${clockTime(from)} and ${clockSince(to, from)}. ${told.slice(0, 5).join('; ')}`;
}
