import { z } from 'zod';
import { type Labels, titleOf } from '../alert/index.ts';
import type { Database } from '../database/index.ts';
import { alertsOf, eventsAfter, type Incident, type StoredAlert } from '../incident/index.ts';
import type { Catalogue, Look } from '../mcp-tools/index.ts';
import { redact } from '../telemetry/index.ts';
import { type Marker, markersOf } from './markers.ts';
import { lastOccurrence } from './occurrence.ts';
import { shownExpression } from './shown-expression.ts';

const TOOL = 'prometheus.range';
const LOOK_MS_MAX = 15_000;
const CHARTS_MAX = 6;
const SERIES_MAX = 20;
/** As many as the tool gives for a series. */
const POINTS_MAX = 200;
const BEFORE_MS = 30 * 60_000;
const AFTER_MS = 15 * 60_000;
/** What a sender says that began longer before it was sent is not shown from there: its days would hide the minutes that matter. */
const BEGAN_MS_MAX = 6 * 3_600_000;
const EVENTS_MAX = 5000;

const rangeSchema = z.object({
  series: z.array(
    z.object({ metric: z.record(z.string(), z.string()), values: z.array(z.tuple([z.number(), z.string()])) }),
  ),
  stepSeconds: z.number(),
});

/** What an alert is about, over the time around its incident. */
export interface Chart {
  readonly title: string;
  /** The alert's own expression; where it compares with a number, what it compares is shown. */
  readonly expr: string;
  /** With what it compares; null where that is no single number. */
  readonly threshold: number | null;
  /** The name of the toolset instance that was asked; empty where none is for this alert. */
  readonly source: string;
  readonly from: Date;
  readonly to: Date;
  readonly stepSeconds: number;
  /** Points are seconds since 1970 with a value, or null where there is no number. */
  readonly series: readonly {
    readonly labels: Labels;
    readonly points: readonly (readonly [number, number | null])[];
  }[];
  readonly markers: readonly Marker[];
  /** Why there is nothing to see, and what to do; null where all is well. */
  readonly problem: string | null;
}

interface ChartDependencies {
  readonly db: Database;
  readonly catalogue: Catalogue;
  readonly look: Look;
}

/**
 * Draws what the alerts of an incident are about: asks Prometheus for the expression of each (from the link that its sender gives), from 30 minutes
 * before the first fired until 15 minutes after it was over, with at most 200 points for a series. At most six charts, none where no
 * alert names an expression. A failing look is a chart with a problem.
 */
export async function chartsOf(incident: Incident, { db, catalogue, look }: ChartDependencies): Promise<Chart[]> {
  const alerts = await alertsOf(db, incident);
  const byExpression = Map.groupBy(
    alerts.flatMap((alert) => {
      const expr = expressionOf(alert);
      return expr === null ? [] : [{ alert, expr }];
    }),
    ({ expr }) => expr,
  );
  if (byExpression.size === 0) return [];
  const events = lastOccurrence(await eventsAfter(db, incident.id, 0, EVENTS_MAX));
  const begun = events[0]?.at ?? incident.openedAt;
  const span = spanOf(incident.closedAt, { alerts, begun, now: await db.now() });
  const markers = markersOf(events).filter(({ at }) => at >= span.from && at <= span.to);
  return Promise.all(
    [...byExpression].slice(0, CHARTS_MAX).map(async ([expr, of]): Promise<Chart> => {
      const concerned = of.map(({ alert }) => alert);
      const [first] = concerned as [StoredAlert, ...StoredAlert[]];
      const { shown, threshold } = shownExpression(expr);
      const chart = { title: titleOf(first), expr: redact(expr), threshold, ...span, markers };
      const nothing = (problem: string, source = ''): Chart => ({ ...chart, source, series: [], problem });
      const { from, to, stepSeconds } = span;
      const asked = { query: shown, start: from.toISOString(), end: to.toISOString(), stepSeconds };
      const resolution = catalogue.resolve(TOOL, asked, first.labels);
      if (!resolution.ok) return nothing(resolution.message);
      const { call } = resolution;
      const answer = await look(call, AbortSignal.timeout(LOOK_MS_MAX));
      if (answer.outcome !== 'succeeded')
        return nothing(`${answer.error}. Fix: see whether toolsets.${call.instance} can be reached`, call.instance);
      const range = rangeSchema.safeParse(answer.result);
      if (!range.success) return nothing(`${TOOL} gave what is no range`, call.instance);
      const series = aboutAlerts(range.data.series, concerned);
      const problem = series.length > 0 ? null : 'Prometheus has no data of this expression for this time';
      return { ...chart, source: call.instance, stepSeconds: range.data.stepSeconds, series, problem };
    }),
  );
}

/** Prometheus and whoever speaks like it put the rule's expression into the link of the alert. */
function expressionOf({ generatorUrl }: StoredAlert): string | null {
  if (generatorUrl === null || !URL.canParse(generatorUrl)) return null;
  return new URL(generatorUrl).searchParams.get('g0.expr')?.trim() || null;
}

function spanOf(closedAt: Date | null, of: { alerts: readonly StoredAlert[]; begun: Date; now: Date }) {
  const { alerts, begun, now } = of;
  const said = Math.min(begun.getTime(), ...alerts.map(({ startsAt }) => startsAt.getTime()));
  const from = new Date(Math.max(said, begun.getTime() - BEGAN_MS_MAX) - BEFORE_MS);
  const to = closedAt === null ? now : new Date(Math.min(closedAt.getTime() + AFTER_MS, now.getTime()));
  const stepSeconds = Math.max(1, Math.ceil((to.getTime() - from.getTime()) / 1000 / (POINTS_MAX - 1)));
  return { from, to, stepSeconds };
}

type Series = z.infer<typeof rangeSchema>['series'];

/** Of the series, those that agree with an alert in every label that both have; all of them where none does. */
function aboutAlerts(all: Series, alerts: readonly StoredAlert[]): Chart['series'] {
  const agrees = (metric: Labels, { labels }: StoredAlert) =>
    Object.entries(metric).every(([name, value]) => labels[name] === undefined || labels[name] === value);
  const own = all.filter(({ metric }) => alerts.some((alert) => agrees(metric, alert)));
  return (own.length > 0 ? own : all).slice(0, SERIES_MAX).map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([at, value]) => [at, Number.isFinite(Number(value)) ? Number(value) : null] as const),
  }));
}
