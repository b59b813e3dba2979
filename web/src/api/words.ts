import { useMutation, useQueryClient } from '@tanstack/react-query';
import { ask } from './client.ts';
import type { KillSwitchAnswer } from './shapes.ts';

/** What a person says to an approval; the digest makes sure that they meant exactly what they saw. */
export interface DecisionWord {
  readonly approval: string;
  readonly decision: 'approve' | 'deny';
  readonly reason: string;
  readonly digest: string;
}

/** Gives the way to approve or deny; whatever came of it, what is shown is read again. */
export function useDecide() {
  const client = useQueryClient();
  return useMutation({
    meta: { isShown: true },
    mutationFn: ({ approval, ...body }: DecisionWord) =>
      ask<{ approval: string; status: string }>(`/approvals/${encodeURIComponent(approval)}/decision`, { body }),
    onSettled: () =>
      Promise.all(['now', 'incident', 'incidents'].map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Gives the way to stop everything, or to ask for the release. */
export function useKillSwitch() {
  const client = useQueryClient();
  return useMutation({
    meta: { isShown: true },
    mutationFn: (body: { engaged: boolean; reason: string }) => ask<KillSwitchAnswer>('/kill-switch', { body }),
    onSettled: () => client.invalidateQueries({ queryKey: ['now'] }),
  });
}

/** Gives the way to say a word about an incident: it is over (and who mended it), ask again, or stop. */
export function useSay(incident: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { word: 'close' | 'ask_again' | 'stop'; did?: string }) =>
      ask<unknown>(`/incidents/${encodeURIComponent(incident)}/words`, { body }),
    onSettled: () => client.invalidateQueries({ queryKey: ['incident', incident] }),
  });
}

/** Gives the way to say whether the handling of an incident was good. */
export function useFeedback(incident: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { verdict: 'good' | 'bad'; why: string }) =>
      ask<unknown>(`/incidents/${encodeURIComponent(incident)}/feedback`, { body }),
    onSettled: () => client.invalidateQueries({ queryKey: ['incident', incident] }),
  });
}
