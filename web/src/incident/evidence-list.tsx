import { IconBook2, IconHistory, IconTool } from '@tabler/icons-react';
import type { Evidence } from '../api/shapes.ts';
import { Card, Panel } from '../components/panel.tsx';
import classes from './evidence.module.css';

const ICONS = { runbook: IconBook2, past_incident: IconHistory, tool: IconTool } as const;

/** Everything that was looked at, each to open. */
export function EvidenceList({
  evidence,
  onOpen,
}: {
  readonly evidence: readonly Evidence[];
  readonly onOpen: (ref: string) => void;
}) {
  if (evidence.length === 0) return null;
  return (
    <Panel title="Evidence" count={evidence.length}>
      <Card>
        {evidence.map(({ ref, kind, title }) => {
          const Icon = ICONS[kind];
          return (
            <button key={ref} type="button" className={classes.item} onClick={() => onOpen(ref)}>
              <Icon size={15} aria-hidden="true" />
              <b>{ref}</b>
              <span>{title}</span>
            </button>
          );
        })}
      </Card>
    </Panel>
  );
}
