import { Button, Menu } from '@mantine/core';
import { IconDownload } from '@tabler/icons-react';
import { Link } from 'wouter';
import type { WholeIncident } from '../api/shapes.ts';
import { Ago, Clock, Since } from '../components/moment.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Severity } from '../components/severity.tsx';
import { StateMark } from '../components/state.tsx';
import { dollars, span } from '../components/time.ts';
import classes from './incident.module.css';
import { PersonWords } from './person-words.tsx';

interface IncidentHeadProps {
  readonly incident: WholeIncident;
  /** As of when it is shown in a replay; null where it is shown as it is now. */
  readonly moment: string | null;
}

/** What it is, how bad, how it stands, since when and what it cost; with what a person may say to it. */
export function IncidentHead({ incident, moment }: IncidentHeadProps) {
  const { id, title, severity, state, service, team, openedAt, closedAt, needs, held, foldedUnder, costUsd } = incident;
  return (
    <>
      <PageTitle
        title={`${id} ${title}`}
        tells={
          <span className={classes.marks}>
            <StateMark state={state} />
            <Severity value={severity} />
            {service ? <span>{[service, team].filter(Boolean).join(' · ')}</span> : null}
            <span>opened {moment === null ? <Ago at={openedAt} /> : <Clock at={openedAt} />}</span>
            <span>
              {closedAt ? 'took ' : 'open for '}
              {(closedAt ?? moment) ? (
                span((Date.parse(closedAt ?? moment ?? '') - Date.parse(openedAt)) / 1000)
              ) : (
                <Since at={openedAt} />
              )}
            </span>
            <span>models {dollars(costUsd)}</span>
            {incident.flapping ? <span>flapping</span> : null}
            {incident.cycle > 1 ? <span>fired {incident.cycle} times</span> : null}
          </span>
        }
      >
        {moment !== null ? null : <PersonWords incident={incident} />}
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" leftSection={<IconDownload size={16} aria-hidden="true" />}>
              Download
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item component="a" href={`/api/v1/incidents/${id}/postmortem`} download>
              Postmortem (markdown)
            </Menu.Item>
            <Menu.Item component="a" href={`/api/v1/incidents/${id}/export`} download>
              Everything (JSON)
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </PageTitle>
      {needs || held || foldedUnder ? (
        <div className={classes.needs} role="note">
          {foldedUnder ? (
            <p>
              Folded under <Link href={`/incidents/${foldedUnder}`}>{foldedUnder}</Link>, which is worked on for both.
            </p>
          ) : null}
          {needs ? <p>{needs}</p> : null}
          {held ? <p>Waits: {held}</p> : null}
        </div>
      ) : null}
    </>
  );
}
