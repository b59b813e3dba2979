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
  const byNightshift = outcomes.healedAlone + outcomes.healedAfterApproval;
  const share = (of: number) => `${Math.round((100 * of) / Math.max(1, incidents))} %`;
  const tiles = [
    { name: 'Time to act (MTTA)', value: time(mtta.p50), more: `median; p95 ${time(mtta.p95)}` },
    { name: 'Time to resolve (MTTR)', value: time(mttr.p50), more: `median; p95 ${time(mttr.p95)}` },
    {
      name: 'Healed by Nightshift',
      value: share(byNightshift),
      more: `${byNightshift} of ${incidents}`,
    },
    { name: 'Escalated', value: share(outcomes.escalated), more: `${outcomes.escalated} of ${incidents}` },
    {
      name: 'Approval takes',
      value: time(approvalLatency.p50),
      more:
        approvalLatency.count === 0
          ? 'nobody answered'
          : `p95 ${time(approvalLatency.p95)}, ${approvalLatency.count} answered`,
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
