import { useQuery } from '@tanstack/react-query';
import { budgetsQuery } from '../api/queries.ts';
import { Card, Panel } from '../components/panel.tsx';
import { dollars, span } from '../components/time.ts';
import { Loaded } from '../components/trouble.tsx';
import classes from './policy.module.css';

/** Where no more than this share is left, a budget is nearly used up. */
const LOW_UP_TO = 0.2;

/** What may still be spent on models and done by tools; a meter is as full as what is left. */
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
              says={(left) =>
                left === null
                  ? `no ceiling; ${dollars(dayUsd.spent)} spent`
                  : `${dollars(left)} left of ${dollars(dayUsd.limit ?? 0)}`
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
                says={(left) => `${left} left of ${limit} in ${span(windowSeconds)}`}
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
  /** Says how much is left; null where there is no limit. */
  readonly says: (left: number | null) => string;
}) {
  const left = limit === null ? null : Math.max(0, limit - used);
  const share = left === null || limit === null ? 1 : limit === 0 ? 0 : left / limit;
  return (
    <div className={classes.budget}>
      <div className={classes.budgetTop}>
        <span>{name}</span>
        <span>
          {says(left)}
          {share === 0 ? ' (used up)' : share <= LOW_UP_TO ? ' (nearly used up)' : ''}
        </span>
      </div>
      <div className={classes.meter} data-low={share <= LOW_UP_TO || undefined} aria-hidden="true">
        <div style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
