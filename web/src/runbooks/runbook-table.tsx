import { IconAlertTriangle, IconCheck, IconClock, IconPin, IconX } from '@tabler/icons-react';
import { Link } from 'wouter';
import type { Runbook } from '../api/shapes.ts';
import { Ago } from '../components/moment.tsx';
import { Card } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Table } from '../components/table.tsx';
import { runbookAddress } from './address.ts';
import classes from './runbooks.module.css';

/** Lists runbooks with what came of them; those that need a look stand first. */
export function RunbookTable({ runbooks }: { readonly runbooks: readonly Runbook[] }) {
  const needsLook = ({ failing, problems, stale }: Runbook) =>
    Number(failing) * 4 + Number(problems.length > 0) * 2 + Number(stale !== null);
  const sorted = [...runbooks].sort(
    (a, b) => needsLook(b) - needsLook(a) || b.used - a.used || a.title.localeCompare(b.title),
  );
  return (
    <Card>
      <Table
        label="Runbooks"
        columns={['Runbook', 'Service', 'Steps', 'Used', 'Healed', 'Failed', 'Last used', 'Health']}
        numbers={[2, 3, 4, 5]}
        rows={sorted.map((runbook) => ({
          key: runbook.path,
          cells: [
            <span key="name" className={classes.name}>
              <Link href={runbookAddress(runbook.path)} data-row>
                {runbook.title}
              </Link>
              <span className={classes.path}>{runbook.path}</span>
            </span>,
            runbook.service ?? '–',
            runbook.steps,
            runbook.used,
            runbook.healed,
            runbook.failed,
            runbook.lastUsed ? <Ago key="used" at={runbook.lastUsed} /> : 'never',
            <Health key="health" runbook={runbook} />,
          ],
        }))}
      />
    </Card>
  );
}

/** Says in words what is good and what is wrong with a runbook. */
export function Health({ runbook: { failing, problems, stale, pinned, steps } }: { readonly runbook: Runbook }) {
  const isWell = !failing && problems.length === 0 && stale === null;
  return (
    <span className={classes.health}>
      {failing ? (
        <Pill tone="bad" title="Its remedies fail more often than they heal">
          <IconX size={13} aria-hidden="true" /> failing
        </Pill>
      ) : null}
      {problems.length > 0 ? (
        <Pill tone="warn" title={problems.join('\n')}>
          <IconAlertTriangle size={13} aria-hidden="true" /> {problems.length} to mend
        </Pill>
      ) : null}
      {stale === null ? null : (
        <Pill tone="warn" title={stale}>
          <IconClock size={13} aria-hidden="true" /> stale
        </Pill>
      )}
      {isWell ? (
        <Pill tone="good">
          <IconCheck size={13} aria-hidden="true" /> well
        </Pill>
      ) : null}
      {steps > 0 && pinned ? (
        <Pill title="An operator vouches for exactly this text">
          <IconPin size={13} aria-hidden="true" /> pinned
        </Pill>
      ) : null}
    </span>
  );
}
