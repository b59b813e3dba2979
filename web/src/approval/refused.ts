import type { Approval } from '../api/shapes.ts';
import { useClock } from '../components/moment.tsx';

export type Answer = 'approve' | 'deny';

/** Tells whether a question waits for whoever looks: their yes would count. Whom it names, or bars, is for the server to say. */
export function waitsForYou({ refused }: Approval): boolean {
  return refused.approve === null;
}

/** Gives why an answer would be refused, in the server's words; that it has expired is known here a little earlier. */
export function useRefused({ incident, expiresAt, status, refused }: Approval): Approval['refused'] {
  const clock = useClock();
  if (status !== 'pending' || clock < Date.parse(expiresAt)) return refused;
  const expired = `nobody answered in time, so it has expired. Fix: ask again, in ${incident}`;
  return { approve: refused.approve ?? expired, deny: refused.deny ?? expired };
}
