import { IconMoonStars } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { nowQuery } from '../api/queries.ts';
import type { Now } from '../api/shapes.ts';
import { ModeMark } from '../app/mode-mark.tsx';
import { Approvals, useAnswering } from '../approval/approvals.tsx';
import { waitsForYou } from '../approval/refused.ts';
import { Ago } from '../components/moment.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { Empty, Waiting } from '../components/trouble.tsx';
import { Facts } from './facts.tsx';
import { IncidentRow } from './incident-row.tsx';
import classes from './now.module.css';

/** What is burning, what is being done about it, and what waits for whoever looks. */
export default function NowPage() {
  const now = useQuery(nowQuery);
  return (
    <>
      <PageTitle title="Now" tells={now.data ? inOneSentence(now.data) : ' '} />
      {/* Every page says above it where this fails. */}
      {now.data ? <Board now={now.data} /> : now.error ? null : <Waiting />}
    </>
  );
}

function Board({ now }: { readonly now: Now }) {
  const { approvals, recent } = now;
  const { onAsk, dialog } = useAnswering();
  const isAsked = approvals.length > 0;
  return (
    <div className={classes.board}>
      <div className={classes.column}>
        {isAsked ? <Approvals approvals={approvals} onAsk={onAsk} /> : <OpenIncidents now={now} />}
      </div>
      <div className={classes.side}>
        {isAsked ? <OpenIncidents now={now} /> : null}
        <div className={classes.onPhone}>
          <ModeMark />
        </div>
        <Facts now={now} />
        <Panel title="Over within the last day" count={recent.length}>
          {recent.length > 0 ? (
            <Card>
              {recent.map((incident) => (
                <IncidentRow key={incident.id} incident={incident} isSmall />
              ))}
            </Card>
          ) : (
            <p className={classes.nothing}>No incident ended within the last 24 hours.</p>
          )}
        </Panel>
      </div>
      {dialog}
    </div>
  );
}

function OpenIncidents({ now }: { readonly now: Now }) {
  const { burning, people } = now;
  return (
    <>
      {burning.length > 0 || people.length === 0 ? (
        <Panel title="Burning" count={burning.length}>
          {burning.length > 0 ? (
            <Card>
              {burning.map((incident) => (
                <IncidentRow key={incident.id} incident={incident} />
              ))}
            </Card>
          ) : (
            <Quiet now={now} />
          )}
        </Panel>
      ) : null}
      {people.length > 0 ? (
        <Panel title="Escalated" count={people.length} tone="signal">
          <p className={classes.nothing}>
            Handed to people: Nightshift does nothing more about {people.length === 1 ? 'it' : 'them'} by itself.
          </p>
          <Card>
            {people.map((incident) => (
              <IncidentRow key={incident.id} incident={incident} />
            ))}
          </Card>
        </Panel>
      ) : null}
    </>
  );
}

function Quiet({ now: { recent } }: { readonly now: Now }) {
  const [last] = recent;
  return (
    <Empty icon={<IconMoonStars size={34} stroke={1.4} />} title="Nothing is burning">
      {last?.closedAt ? (
        <>
          The last incident, {last.id}, was {last.state === 'resolved' ? 'resolved' : 'stopped'}{' '}
          <Ago at={last.closedAt} />.
        </>
      ) : (
        'Alerts that come in show up here by themselves. “nightshift alert send” sends one to try it.'
      )}
    </Empty>
  );
}

function inOneSentence({ burning, people, approvals }: Now): string {
  const yours = approvals.filter(waitsForYou).length;
  const said = [
    ...(burning.length > 0 ? [`${burning.length} burning`] : []),
    ...(people.length > 0 ? [`${people.length} escalated to people`] : []),
    ...(burning.length + people.length === 0 ? ['nothing is burning'] : []),
    ...(yours > 0 ? [`${yours} ${yours === 1 ? 'waits' : 'wait'} for you`] : []),
  ].join(', ');
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
}
