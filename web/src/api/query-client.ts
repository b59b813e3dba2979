import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiProblem } from './client.ts';
import { sessionQuery } from './queries.ts';

declare module '@tanstack/react-query' {
  interface Register {
    mutationMeta: {
      /** The place that sends it shows itself why it failed. */
      readonly isShown?: boolean;
    };
  }
}

/** How often what is shown is read again where the stream is lost, or misses what leaves no event. */
const READ_AGAIN_MS = 30_000;
const TRIES = 2;

/**
 * Makes the cache of what is read. Whichever question is refused because nobody is signed in any more, the page asks for a sign-in;
 * `onFailure` is told of every word to Nightshift that failed, but for those whose place shows it.
 */
export function createQueryClient(onFailure: (error: Error) => void): QueryClient {
  const signOut = (error: Error) => {
    if (error instanceof ApiProblem && error.status === 401 && client.getQueryData(sessionQuery.queryKey))
      client.setQueryData(sessionQuery.queryKey, null);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: signOut }),
    mutationCache: new MutationCache({
      onError(error, _variables, _onMutateResult, { meta }) {
        signOut(error);
        if (!meta?.isShown) onFailure(error);
      },
    }),
    defaultOptions: {
      queries: {
        // Without a network, this machine's own server still answers; and what cannot be sent must fail, and never be sent later.
        networkMode: 'always',
        staleTime: 5000,
        refetchInterval: READ_AGAIN_MS,
        retry: (failures, error) =>
          failures < TRIES && (!(error instanceof ApiProblem) || error.status === 0 || error.status >= 500),
      },
      mutations: { networkMode: 'always' },
    },
  });
  return client;
}
