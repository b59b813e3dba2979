import { useQuery } from '@tanstack/react-query';
import { budgetsQuery } from '../api/queries.ts';
import { Card, Panel } from '../components/panel.tsx';
import { dollars, span } from '../components/time.ts';
import { Loaded } from '../components/trouble.tsx';
import classes from './policy.module.css';

/** From this share on, a budget is nearly used up. */
const LOW_FROM = 0.8;

/** What may still be spent on models and done by tools. */
export function BudgetsPanel() {
  const budgets = useQuery(budgetsQuery);
  return (
    <Panel title="Budgets left">
      <Loaded query={budgets}>
        {({ models: { dayUsd, incidentUsd }, actions }) => (
          <Card>
            <Budget
              name="Models, today"
              used={dayUsd.spent}
              limit={dayUsd.limit}
              says={
                dayUsd.limit === null
                  ? `${dollars(dayUsd.spent)}, no ceiling`
                  : `${dollars(dayUsd.spent)} of ${dollars(dayUsd.limit)}`
              }
            />
            {incidentUsd === null ? null : (
              <div className={classes.budget}>
                <div className={classes.budgetTop}>
                  <span>Models, for one incident</span>
                  <span>at most {dollars(incidentUsd)}</span>
                </div>
              </div>
            )}
            {actions.map(({ scope, limit, used, windowSeconds }) => (
              <Budget
                key={`${scope} ${windowSeconds}`}
                name={scope}
                used={used}
                limit={limit}
                says={`${used} of ${limit} in ${span(windowSeconds)}`}
              />
            ))}
          </Card>
        )}
      </Loaded>
    </Panel>
  );
}

function Budget({
  name,
  used,
  limit,
  says,
}: {
  readonly name: string;
  readonly used: number;
  readonly limit: number | null;
  readonly says: string;
}) {
  const share = limit === null || limit === 0 ? 0 : Math.min(1, used / limit);
  return (
    <div className={classes.budget}>
      <div className={classes.budgetTop}>
        <span>{name}</span>
        <span>
          {says}
          {share >= 1 ? ' (used up)' : share >= LOW_FROM ? ' (nearly used up)' : ''}
        </span>
      </div>
      <div className={classes.meter} data-low={share >= LOW_FROM || undefined} aria-hidden="true">
        <div style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
