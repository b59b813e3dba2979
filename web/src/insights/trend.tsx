import type { Insights } from '../api/shapes.ts';
import { dayOf } from '../components/time.ts';
import classes from './insights.module.css';

type Day = Insights['trend'][number];

interface TrendProps {
  readonly title: string;
  readonly trend: readonly Day[];
  readonly of: (day: Day) => number;
  readonly says?: (value: number) => string;
  /** What all days are together, where that is not their sum. */
  readonly whole?: number;
  readonly tone: string;
}

const [WIDTH, HEIGHT] = [320, 64];

/** Draws one number a day as bars, and says it in words. */
export function Trend({ title, trend, of, says = String, whole, tone }: TrendProps) {
  const values = trend.map(of);
  const highest = Math.max(...values, 0);
  const all = whole ?? values.reduce((total, value) => total + value, 0);
  const step = WIDTH / Math.max(1, values.length);
  const top = values.indexOf(highest);
  const words = `${title}: ${says(all)} in ${values.length} days; most on ${trend[top] ? dayOf(trend[top].day) : 'no day'} (${says(highest)})`;
  return (
    <figure className={classes.trend} data-tone={tone}>
      <figcaption>
        <span>{title}</span>
        <b>{says(all)}</b>
      </figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words}>
        {trend.map((day, index) => {
          const height = highest === 0 ? 0 : Math.max(of(day) > 0 ? 3 : 0, (of(day) / highest) * (HEIGHT - 4));
          return (
            <rect
              key={day.day}
              x={index * step + step * 0.14}
              y={HEIGHT - height - 1}
              width={step * 0.72}
              height={height + 1}
              rx={Math.min(2, step * 0.2)}
              opacity={height === 0 ? 0.35 : 1}
            >
              <title>{`${dayOf(day.day)}: ${says(of(day))}`}</title>
            </rect>
          );
        })}
      </svg>
      <p className={classes.ends}>
        <span>{trend[0] ? dayOf(trend[0].day) : ''}</span>
        <span>{trend.at(-1) ? dayOf(trend.at(-1)?.day ?? '') : ''}</span>
      </p>
    </figure>
  );
}
