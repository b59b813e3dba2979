import { useCallback, useState } from 'react';
import { useChanges } from '../api/live.ts';
import type { Change } from '../api/shapes.ts';
import classes from './shell.module.css';

/** What is worth an interruption for whoever listens to the page instead of looking at it. */
const SPOKEN: Readonly<Record<string, string>> = {
  'incident.opened': 'was opened',
  'incident.reopened': 'was opened again',
  'approval.requested': 'asks for an approval',
  'approval.decided': 'was decided',
  'action.started': 'is being acted on',
  'incident.resolved': 'is resolved',
  'incident.escalated': 'was handed to a person',
  'incident.stopped': 'was stopped',
  'kill_switch.engaged': 'everything is stopped',
  'kill_switch.released': 'the stop is over',
};
/** Of a log only what is added is read out; these many stay in it. */
const LINES_MAX = 10;

/** Reads out what changes, once. */
export function Announcer() {
  const [lines, setLines] = useState<readonly Change[]>([]);
  const hear = useCallback((change: Change) => {
    if (change.type in SPOKEN) setLines((before) => [...before, change].slice(-LINES_MAX));
  }, []);
  useChanges(hear);
  return (
    <div className={classes.hidden} role="log" aria-label="Changes">
      {lines.map(({ id, incident, type }) => (
        <p key={id}>{[incident, SPOKEN[type]].filter(Boolean).join(' ')}</p>
      ))}
    </div>
  );
}
