import { IconHandStop } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { nowQuery } from '../api/queries.ts';
import { Ago } from '../components/moment.tsx';
import { Trouble } from '../components/trouble.tsx';
import classes from './stopped-banner.module.css';

/** Says on every page that how things stand could not be read, and with it whether everything is stopped; what is shown of it is old. */
export function NowUnknown() {
  const { data, error, refetch } = useQuery(nowQuery);
  if (!error) return null;
  return (
    <Trouble
      error={error}
      says={data ? 'What is shown is old' : 'It is not known whether everything is stopped'}
      retry={refetch}
    />
  );
}

/** Says on every page that everything is stopped, by whom, and who has asked for the release. */
export function StoppedBanner() {
  const { data: now } = useQuery(nowQuery);
  if (!now?.killSwitch.engaged) return null;
  const { why, at, releaseVotes } = now.killSwitch;
  return (
    <div className={classes.banner} role="status">
      <IconHandStop size={20} aria-hidden="true" />
      <div>
        <p className={classes.title}>
          Everything is stopped
          {at ? (
            <>
              , <Ago at={at} />
            </>
          ) : null}
        </p>
        <p>{why}</p>
        {releaseVotes.length > 0 ? <p>For the release so far: {releaseVotes.join(', ')}.</p> : null}
      </div>
    </div>
  );
}
