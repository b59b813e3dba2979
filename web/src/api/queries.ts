/** What the pages read, each with the key by which the live stream has it read again. */
import { keepPreviousData, queryOptions } from '@tanstack/react-query';
import { ApiProblem, ask, askAll, query } from './client.ts';
import type {
  AuditReport,
  Budgets,
  Chart,
  FoundRunbooks,
  Incident,
  Insights,
  ListedSession,
  ModelCall,
  Now,
  Policy,
  Runbook,
  RunbookFile,
  Session,
  SignInOptions,
  TrackRecord,
  UncoveredAlert,
  WholeIncident,
} from './shapes.ts';

/** The question for whoever is signed in; null where nobody is. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  staleTime: 60_000,
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await ask<Session>('/session', { signal });
    } catch (error) {
      if (error instanceof ApiProblem && error.status === 401) return null;
      throw error;
    }
  },
});

/** The question how one may sign in. */
export const signInOptionsQuery = queryOptions({
  queryKey: ['session', 'options'],
  staleTime: 60_000,
  queryFn: ({ signal }) => ask<SignInOptions>('/session/options', { signal }),
});

/** The question where one is signed in. */
export const sessionsQuery = queryOptions({
  queryKey: ['sessions'],
  queryFn: async ({ signal }) => ({
    sessions: await askAll<ListedSession>('/sessions', 'sessions', { cursor: 'before', signal }),
  }),
});

/** The question for all that the first page shows. */
export const nowQuery = queryOptions({
  queryKey: ['now'],
  queryFn: ({ signal }) => ask<Now>('/now', { signal }),
});

/** The question for a page of incidents, newest first. */
export function incidentsQuery(asked: { state?: string; q?: string; before?: string; limit?: number }) {
  return queryOptions({
    queryKey: ['incidents', asked],
    queryFn: ({ signal }) =>
      ask<{ incidents: readonly Incident[]; next: string | null }>(`/incidents${query(asked)}`, { signal }),
  });
}

/** The question for all about one incident. */
export function incidentQuery(id: string) {
  return queryOptions({
    queryKey: ['incident', id],
    queryFn: ({ signal }) => ask<WholeIncident>(`/incidents/${encodeURIComponent(id)}`, { signal }),
  });
}

/** The question for what models were asked about an incident, in full. */
export function modelCallsQuery(id: string) {
  return queryOptions({
    queryKey: ['model-calls', id],
    // They are long, and the stream tells of each.
    refetchInterval: false,
    queryFn: ({ signal }) =>
      ask<{ calls: readonly ModelCall[] }>(`/incidents/${encodeURIComponent(id)}/model-calls`, { signal }),
  });
}

/** The question for the metrics around an incident, which Prometheus is asked for each time. */
export function chartsQuery(id: string) {
  return queryOptions({
    queryKey: ['incident-charts', id],
    staleTime: 30_000,
    queryFn: ({ signal }) =>
      ask<{ charts: readonly Chart[] }>(`/incidents/${encodeURIComponent(id)}/charts`, { signal }),
  });
}

/** The question for all runbooks and their health. */
export const runbooksQuery = queryOptions({
  queryKey: ['runbooks'],
  queryFn: async ({ signal }) => ({ runbooks: await askAll<Runbook>('/runbooks', 'runbooks', { signal }) }),
});

/** The question for one runbook as it is indexed. */
export function runbookQuery(path: string) {
  return queryOptions({
    queryKey: ['runbooks', 'file', path],
    queryFn: ({ signal }) => ask<RunbookFile>(`/runbooks/file${query({ path })}`, { signal }),
  });
}

/** The question which passages fit some words. */
export function runbookSearchQuery(q: string) {
  return queryOptions({
    queryKey: ['runbook-search', q],
    enabled: q.trim() !== '',
    // An answer may cost a call to a model.
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: false,
    queryFn: ({ signal }) => ask<FoundRunbooks>(`/runbooks/search${query({ q, limit: 8 })}`, { signal }),
  });
}

/** The question for the alerts of the last days that no runbook fits. */
export const uncoveredQuery = queryOptions({
  queryKey: ['runbooks', 'uncovered'],
  queryFn: ({ signal }) => ask<{ alerts: readonly UncoveredAlert[] }>('/runbooks/uncovered?days=30', { signal }),
});

/** The question for the rules that hold. */
export const policyQuery = queryOptions({
  queryKey: ['policy'],
  queryFn: ({ signal }) => ask<Policy>('/policy', { signal }),
});

/** The question for what each tool has earned. */
export const trackRecordsQuery = queryOptions({
  queryKey: ['track-records'],
  queryFn: ({ signal }) => ask<{ records: readonly TrackRecord[] }>('/track-records', { signal }),
});

/** The question for what may still be spent and done. */
export const budgetsQuery = queryOptions({
  queryKey: ['budgets'],
  queryFn: ({ signal }) => ask<Budgets>('/budgets', { signal }),
});

/** The question for the numbers of the last days. */
export function insightsQuery(days: number) {
  return queryOptions({
    queryKey: ['insights', days],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => ask<Insights>(`/insights${query({ days })}`, { signal }),
  });
}

/** The question whether anything of the audit was changed, asked by a click only. */
export const auditVerifyQuery = queryOptions({
  queryKey: ['audit', 'verify'],
  enabled: false,
  retry: false,
  queryFn: ({ signal }) => ask<AuditReport>('/audit/verify', { signal }),
});
