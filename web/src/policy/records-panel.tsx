import { IconAward } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { trackRecordsQuery } from '../api/queries.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Table } from '../components/table.tsx';
import { Empty, Loaded } from '../components/trouble.tsx';
import classes from './policy.module.css';

/** What each tool has done for each alert, and the rules that such a record has earned. */
export function RecordsPanel() {
  const records = useQuery(trackRecordsQuery);
  const suggestions = records.data?.records.filter(({ suggestion }) => suggestion !== null) ?? [];
  return (
    <>
      {suggestions.length > 0 ? (
        <Panel title="Suggested promotions" count={suggestions.length} tone="signal">
          <Card tone="signal">
            {suggestions.map(({ tool, alertname, service, healed, ran, suggestion }) => (
              <div key={`${tool} ${alertname} ${service}`} className={classes.suggestion}>
                <p>
                  <b>{tool}</b> for {alertname} of {service || 'any service'} healed {healed} of {ran} times. It has
                  earned this rule:
                </p>
                <CodeBlock label="For a file of policies" text={suggestion ?? ''} />
              </div>
            ))}
          </Card>
        </Panel>
      ) : null}
      <Panel title="Earned record" count={records.data?.records.length}>
        <Loaded query={records}>
          {({ records: all }) =>
            all.length === 0 ? (
              <Empty icon={<IconAward size={28} stroke={1.5} />} title="No tool has a record yet">
                What is proposed, approved and run counts here, for each alert and service. Twenty runs that heal earn a
                promotion.
              </Empty>
            ) : (
              <Card>
                <Table
                  label="Earned record"
                  columns={['Tool', 'Proposed', 'Approved', 'Denied', 'Ran', 'Healed', 'Worse', 'At least']}
                  numbers={[1, 2, 3, 4, 5, 6, 7]}
                  rows={all.map((one) => ({
                    key: `${one.tool} ${one.alertname} ${one.service}`,
                    cells: [
                      <span key="tool" className={classes.tool}>
                        {one.tool}
                        <small>
                          {one.alertname}
                          {one.service ? ` · ${one.service}` : ''}
                        </small>
                      </span>,
                      one.proposed,
                      one.approved,
                      one.denied,
                      one.ran,
                      one.healed,
                      one.worse,
                      <span key="bound" title="lower bound of the 95 % interval of healed">
                        {Math.round(one.lowerBound * 100)} %
                      </span>,
                    ],
                  }))}
                />
              </Card>
            )
          }
        </Loaded>
      </Panel>
    </>
  );
}
