import { useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { nowQuery } from '../api/queries.ts';
import classes from './mode-mark.module.css';

/** What each mode lets Nightshift do, in one line. */
export const MODES: Readonly<Record<string, string>> = {
  observe: 'only looks and diagnoses',
  ask: 'asks before every change',
  auto: 'runs what the policy allows',
};

/** Shows the mode of autonomy, and leads to what it means. */
export function ModeMark() {
  const { data: now } = useQuery(nowQuery);
  const mode = now?.mode;
  return (
    <Link href="/policy" className={classes.mode}>
      <span className={classes.label}>Mode</span>
      <span className={classes.name}>{mode ?? '…'}</span>
      <span className={classes.tells}>{mode ? (MODES[mode] ?? '') : ' '}</span>
    </Link>
  );
}
