import { useQuery } from '@tanstack/react-query';
import { policyQuery } from '../api/queries.ts';
import type { Policy } from '../api/shapes.ts';
import { MODES } from '../app/mode-mark.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Loaded } from '../components/trouble.tsx';
import { BudgetsPanel } from './budgets-panel.tsx';
import { DecisionMark } from './decision-mark.tsx';
import { ExplainPanel } from './explain-panel.tsx';
import classes from './policy.module.css';
import { RecordsPanel } from './records-panel.tsx';

/** What Nightshift may do by itself, why, what it has earned, and what is left to spend. */
export default function PolicyPage() {
  const policy = useQuery(policyQuery);
  return (
    <>
      <PageTitle
        title="Policy & autonomy"
        tells="The most restrictive rule that speaks wins; what no rule allows is asked."
      />
      <div className={classes.board}>
        <div className={classes.main}>
          <Loaded query={policy}>
            {(data) => (
              <>
                <Autonomy policy={data} />
                <Rules policy={data} />
              </>
            )}
          </Loaded>
          <RecordsPanel />
        </div>
        <div className={classes.side}>
          <ExplainPanel />
          <BudgetsPanel />
        </div>
      </div>
    </>
  );
}

function Autonomy({ policy: { mode, autonomy } }: { readonly policy: Policy }) {
  return (
    <Panel title="Autonomy">
      <Card>
        <dl className={classes.modes}>
          <div>
            <dt>{autonomy.length > 0 ? 'everything else' : 'everything'}</dt>
            <dd>
              <b>{mode}</b> {MODES[mode] ?? ''}
            </dd>
          </div>
          {autonomy.map(({ match, mode: own }) => {
            const words = typeof match === 'string' ? match : match.join(', ');
            return (
              <div key={words}>
                <dt>
                  <code>{words}</code>
                </dt>
                <dd>
                  <b>{own}</b> {MODES[own] ?? ''}
                </dd>
              </div>
            );
          })}
        </dl>
      </Card>
    </Panel>
  );
}

function Rules({ policy: { rules, limits, risks = [], windows = [] } }: { readonly policy: Policy }) {
  return (
    <>
      <Panel title="Rules in force" count={rules.length}>
        <Card>
          {rules.map(({ id, origin, decision, when, why }) => (
            <details key={`${origin} ${id}`} className={classes.rule}>
              <summary data-row>
                <DecisionMark decision={decision} />
                <b>{id}</b>
                <span className={classes.why}>{why}</span>
              </summary>
              <div className={classes.inside}>
                <p className={classes.origin}>{origin}</p>
                {when ? <pre className={classes.when}>{when}</pre> : null}
              </div>
            </details>
          ))}
        </Card>
      </Panel>
      {risks.length + windows.length > 0 ? (
        <Panel title="Risk classes and windows" count={risks.length + windows.length}>
          <Card>
            {risks.map(({ id, origin, risk, when, why }) => (
              <details key={`${origin} ${id}`} className={classes.rule}>
                <summary data-row>
                  <Pill>{risk}</Pill>
                  <b>{id}</b>
                  <span className={classes.why}>{why}</span>
                </summary>
                <div className={classes.inside}>
                  <p className={classes.origin}>{origin}</p>
                  <pre className={classes.when}>{when}</pre>
                </div>
              </details>
            ))}
            {windows.map(({ id, origin, when }) => (
              <details key={`${origin} ${id}`} className={classes.rule}>
                <summary data-row>
                  <Pill>window</Pill>
                  <b>{id}</b>
                  <span className={classes.why}>{when}</span>
                </summary>
                <div className={classes.inside}>
                  <p className={classes.origin}>{origin}</p>
                </div>
              </details>
            ))}
          </Card>
        </Panel>
      ) : null}
      <Panel title="Limits">
        <Card>
          <dl className={classes.limits}>
            {Object.entries(limits).map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </Card>
      </Panel>
    </>
  );
}
