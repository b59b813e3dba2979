import type { Insights } from '../api/shapes.ts';
import { dollars, span } from '../components/time.ts';
import classes from './insights.module.css';

const time = (seconds: number | null) => (seconds === null ? '–' : span(seconds));

/** The numbers that a team is asked for. */
export function Tiles({
  insights: { mtta, mttr, approvalLatency, cost, outcomes, incidents },
}: {
  readonly insights: Insights;
}) {
  const alone = outcomes.healedAlone + outcomes.healedAfterApproval;
  const tiles = [
    { name: 'Time to act', value: time(mtta.p50), more: `p95 ${time(mtta.p95)}` },
    { name: 'Time to resolve', value: time(mttr.p50), more: `p95 ${time(mttr.p95)}` },
    {
      name: 'Healed by Nightshift',
      value: `${Math.round((100 * alone) / Math.max(1, incidents))} %`,
      more: `${alone} of ${incidents}`,
    },
    {
      name: 'Approval takes',
      value: time(approvalLatency.p50),
      more:
        approvalLatency.count === 0
          ? 'nobody was asked'
          : `p95 ${time(approvalLatency.p95)}, ${approvalLatency.count} asked`,
    },
    {
      name: 'Cost per incident',
      value: cost.perIncidentUsd === null ? '–' : dollars(cost.perIncidentUsd),
      more: `${dollars(cost.totalUsd)} in all`,
    },
  ];
  return (
    <dl className={classes.tiles}>
      {tiles.map(({ name, value, more }) => (
        <div key={name} className={classes.tile}>
          <dt>{name}</dt>
          <dd>
            {value}
            <small>{more}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}
