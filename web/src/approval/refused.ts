import { useQuery } from '@tanstack/react-query';
import { nowQuery } from '../api/queries.ts';
import type { Approval } from '../api/shapes.ts';
import { useClock } from '../components/moment.tsx';

export type Answer = 'approve' | 'deny';

/** Tells whether a question waits for whoever looks: their yes would count. Whom it names, or bars, is for the server to say. */
export function waitsForYou({ refused }: Approval): boolean {
  return refused.approve === null;
}

const STOPPED =
  'everything is stopped, so it would be used up without being run. Fix: release the stop first, or deny it';

/**
 * Gives why an answer would be refused, in the server's words; that it has expired is known here a little earlier. While everything is
 * stopped nothing is approved here, because the yes would come to nothing.
 */
export function useRefused(approval: Approval): Approval['refused'] {
  const { data: now } = useQuery(nowQuery);
  const refused = useRefusedByServer(approval);
  const isStopped = now?.killSwitch.engaged === true && approval.status === 'pending';
  return isStopped ? { ...refused, approve: refused.approve ?? STOPPED } : refused;
}

function useRefusedByServer({ incident, expiresAt, status, refused }: Approval): Approval['refused'] {
  const clock = useClock();
  if (status !== 'pending' || clock < Date.parse(expiresAt)) return refused;
  const expired = `nobody answered in time, so it has expired. Fix: ask again, in ${incident}`;
  return { approve: refused.approve ?? expired, deny: refused.deny ?? expired };
}
