import 'uplot/dist/uPlot.min.css';
import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Chart, Marker } from '../api/shapes.ts';
import classes from './time-chart.module.css';

const HEIGHT = 170;
/** Lines beyond these could not be told apart. */
const SERIES_MAX = 8;
const LINES = ['--accent', '--signal', '--good', '--info', '--bad', '--warn', '--dim', '--text'];
const MARKS: Readonly<Record<Marker['kind'], string>> = {
  fired: '--bad',
  resolved: '--good',
  action: '--accent',
  verified: '--good',
  approval: '--signal',
};

interface TimeChartProps {
  readonly series: Chart['series'];
  /** A value that is drawn across all of it. */
  readonly threshold?: number | null;
  readonly markers?: readonly Marker[];
  /** Where a replay stands. */
  readonly moment?: string | null;
  /** What it shows, in words. */
  readonly label: string;
}

/** Draws values over time, with marks for what happened. */
export function TimeChart({ series, threshold = null, markers = [], moment = null, label }: TimeChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const colorScheme = useComputedColorScheme('dark');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read anew when the scheme turns.
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const plot = new uPlot(optionsOf(element, { series, threshold, markers, moment }), alignedData(series), element);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [series, threshold, markers, moment, colorScheme]);
  return <div ref={frame} className={classes.chart} role="img" aria-label={label} />;
}

/** Gives the values of all series at all their moments, as uPlot wants them. */
function alignedData(series: Chart['series']): uPlot.AlignedData {
  const shown = series.slice(0, SERIES_MAX);
  const times = [...new Set(shown.flatMap(({ points }) => points.map(([time]) => time)))].sort((a, b) => a - b);
  const values = shown.map(({ points }) => {
    const known = new Map(points.map(([time, value]) => [time, value]));
    return times.map((time) => known.get(time) ?? null);
  });
  return [times, ...values];
}

function optionsOf(
  element: HTMLElement,
  { series, threshold, markers, moment }: Required<Omit<TimeChartProps, 'label'>>,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name);
  const axis: uPlot.Axis = {
    stroke: colour('--dim'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false },
    scales: {
      y: {
        range: (_plot, low, high) => rangeOf(Math.min(0, low ?? 0), Math.max(high ?? 0, threshold ?? 0)),
      },
    },
    axes: [
      {
        ...axis,
        values: (_plot, ticks) => ticks.map((tick) => new Date(tick * 1000).toLocaleTimeString('en-GB')),
        space: 90,
        size: 28,
      },
      { ...axis, size: 46 },
    ],
    series: [
      {},
      ...(series.slice(0, SERIES_MAX).map(({ labels }, index) => ({
        label: Object.values(labels).join(' '),
        stroke: colour(LINES[index] ?? '--accent'),
        width: 1.75,
        fill: series.length === 1 ? `color-mix(in srgb, ${colour('--accent')} 12%, transparent)` : undefined,
        points: { show: false },
      })) as uPlot.Series[]),
    ],
    hooks: {
      draw: [
        (plot) => {
          if (threshold !== null) strike(plot, { y: threshold }, colour('--warn'), [2, 4]);
          for (const { at, kind } of markers) strike(plot, { x: Date.parse(at) / 1000 }, colour(MARKS[kind]), [4, 3]);
          if (moment !== null) strike(plot, { x: Date.parse(moment) / 1000 }, colour('--text'), []);
        },
      ],
    },
  };
}

/** Leaves some air above the highest value. */
function rangeOf(low: number, high: number): [number, number] {
  return [low, high === low ? low + 1 : high + (high - low) * 0.08];
}

/** Draws a line across the whole plot, upright at a moment or level at a value. */
function strike(
  { ctx, bbox, valToPos }: uPlot,
  at: { x: number } | { y: number },
  colour: string,
  dash: number[],
): void {
  const { left, top, width, height } = bbox;
  const [x, y] = 'x' in at ? [valToPos(at.x, 'x', true), null] : [null, valToPos(at.y, 'y', true)];
  if (x !== null && (x < left || x > left + width)) return;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = window.devicePixelRatio * 1.5;
  ctx.setLineDash(dash.map((length) => length * window.devicePixelRatio));
  ctx.beginPath();
  ctx.moveTo(x ?? left, y ?? top);
  ctx.lineTo(x ?? left + width, y ?? top + height);
  ctx.stroke();
  ctx.restore();
}
