import '@mantine/core/styles/FloatingIndicator.css';
import '@mantine/core/styles/SegmentedControl.css';
import { SegmentedControl } from '@mantine/core';
import { IconChartHistogram } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { insightsQuery } from '../api/queries.ts';
import type { Insights } from '../api/shapes.ts';
import { PageTitle } from '../components/page-title.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Table } from '../components/table.tsx';
import { dollars, span } from '../components/time.ts';
import { Empty, Loaded, Waiting } from '../components/trouble.tsx';
import classes from './insights.module.css';
import { OUTCOMES, OutcomesBar } from './outcomes-bar.tsx';
import { Tiles } from './tiles.tsx';
import { Trend } from './trend.tsx';

const SPANS = ['7', '30', '90', '365'] as const;

/** What came of all incidents of the last days: how fast, by whom, for how much, and how noisy. */
export default function InsightsPage() {
  const [days, setDays] = useState('30');
  const insights = useQuery(insightsQuery(Number(days)));
  return (
    <>
      <PageTitle title="Insights" tells="What came of the incidents, how fast, by whom, and for how much.">
        <SegmentedControl
          aria-label="How far back"
          value={days}
          onChange={setDays}
          data={SPANS.map((value) => ({ value, label: `${value} d` }))}
        />
      </PageTitle>
      <Loaded query={insights} waiting={<Waiting lines={3} height={150} />}>
        {(data) =>
          data.incidents === 0 ? (
            <Empty icon={<IconChartHistogram size={30} stroke={1.5} />} title="No incident within this time">
              Numbers show up here with the first one.
            </Empty>
          ) : (
            <Report insights={data} />
          )
        }
      </Loaded>
    </>
  );
}

function Report({ insights }: { readonly insights: Insights }) {
  const { outcomes, byAlert, cost, noise, trend, mttr, approvalLatency } = insights;
  return (
    <div className={classes.board}>
      <Tiles insights={insights} />
      <Panel title="What came of them" count={insights.incidents}>
        <Card>
          <OutcomesBar outcomes={outcomes} />
        </Card>
      </Panel>
      <Panel title="Day by day">
        <div className={classes.trends}>
          <Trend title="Incidents" trend={trend} of={({ incidents }) => incidents} tone="accent" />
          <Trend title="Healed" trend={trend} of={({ healed }) => healed} tone="good" />
          <Trend title="Escalated" trend={trend} of={({ escalated }) => escalated} tone="signal" />
          <Trend
            title="Time to resolve"
            trend={trend}
            of={({ mttrP50 }) => mttrP50 ?? 0}
            says={timeOf}
            whole={mttr.p50 ?? 0}
            tone="accent"
          />
          <Trend
            title="Approval takes"
            trend={trend}
            of={({ approvalP50 }) => approvalP50 ?? 0}
            says={timeOf}
            whole={approvalLatency.p50 ?? 0}
            tone="signal"
          />
          <Trend title="Alerts delivered" trend={trend} of={({ alerts }) => alerts} tone="info" />
          <Trend title="Said again only" trend={trend} of={({ repeated }) => repeated} tone="dim" />
          <Trend title="Model cost" trend={trend} of={({ usd }) => usd} says={dollars} tone="info" />
        </div>
      </Panel>
      <Panel title="By alert and service" count={byAlert.length}>
        <Card>
          <Table
            label="By alert and service"
            columns={['Alert', 'Service', 'Incidents', ...OUTCOMES.map(({ short }) => short), 'MTTA p50', 'MTTR p50']}
            numbers={[2, 3, 4, 5, 6, 7, 8, 9, 10, 11]}
            rows={byAlert.map((one) => ({
              key: `${one.alertname} ${one.service}`,
              cells: [
                one.alertname,
                one.service || '–',
                one.incidents,
                ...OUTCOMES.map(({ key }) => one[key]),
                timeOf(one.mttaP50 ?? 0),
                timeOf(one.mttrP50 ?? 0),
              ],
            }))}
          />
        </Card>
      </Panel>
      <div className={classes.halves}>
        <Panel title="Cost by model">
          <Card>
            <Table
              label="Cost by model"
              columns={['Model', 'Calls', 'Tokens', 'Cost']}
              numbers={[1, 2, 3]}
              rows={cost.byModel.map(({ model, calls, tokens, usd }) => ({
                key: model,
                cells: [model, calls, tokens.toLocaleString('en-GB'), usd === null ? 'no price' : dollars(usd)],
              }))}
            />
            {cost.byModel.length === 0 ? <p className={classes.none}>No model was asked.</p> : null}
          </Card>
        </Panel>
        <Panel title="Costliest incidents">
          <Card>
            <Table
              label="Costliest incidents"
              columns={['Incident', 'Calls', 'Tokens', 'Cost']}
              numbers={[1, 2, 3]}
              rows={cost.byIncident.map(({ incident, title, calls, tokens, usd }) => ({
                key: incident,
                cells: [
                  <Link key="incident" href={`/incidents/${incident}`}>
                    {incident} {title}
                  </Link>,
                  calls,
                  tokens.toLocaleString('en-GB'),
                  dollars(usd),
                ],
              }))}
            />
            {cost.byIncident.length === 0 ? <p className={classes.none}>No incident has cost anything.</p> : null}
          </Card>
        </Panel>
        <Panel title="Noise">
          <Card>
            <dl className={classes.noise}>
              {Object.entries(NOISE).map(([key, words]) => (
                <div key={key}>
                  <dt>{words}</dt>
                  <dd>{noise[key as keyof Insights['noise']].toLocaleString('en-GB')}</dd>
                </div>
              ))}
            </dl>
          </Card>
        </Panel>
      </div>
    </div>
  );
}

/** A time of nothing is none that was measured. */
function timeOf(seconds: number): string {
  return seconds === 0 ? '–' : span(seconds);
}

const NOISE: Readonly<Record<keyof Insights['noise'], string>> = {
  deliveries: 'deliveries',
  alerts: 'alerts in them',
  repeated: 'said again only',
  incidents: 'incidents made of them',
  folded: 'folded under others',
  flapping: 'flapping',
  shed: 'not begun under load',
};
