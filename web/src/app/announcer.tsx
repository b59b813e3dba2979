import { useLastChange } from '../api/live.ts';
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

/** Reads out what changes, once. */
export function Announcer() {
  const change = useLastChange();
  const words = change ? SPOKEN[change.type] : undefined;
  return (
    <div className={classes.hidden} role="status" aria-live="polite">
      {change && words ? [change.incident, words].filter(Boolean).join(' ') : ''}
    </div>
  );
}
