import './styles/mantine.css';
import 'virtual:theme.css';
import '@mantine/notifications/styles.css';
import './styles/base.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { ApiProblem } from './api/client.ts';
import { App } from './app/app.tsx';
import { THEME } from './theme.ts';

/** How often what is shown is read again where the stream is lost, or misses what leaves no event. */
const READ_AGAIN_MS = 30_000;
const TRIES = 2;
const RELOADED_AT = 'nightshift reloaded at';
/** What is gone after a reload too will not come by another one. */
const RELOAD_AGAIN_MS = 60_000;

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      refetchInterval: READ_AGAIN_MS,
      retry: (failures, error) =>
        failures < TRIES && (!(error instanceof ApiProblem) || error.status === 0 || error.status >= 500),
    },
  },
});

// A newer version was built while this page was open: the parts that it would load are gone.
window.addEventListener('vite:preloadError', () => {
  if (Date.now() - Number(sessionStorage.getItem(RELOADED_AT) ?? 0) < RELOAD_AGAIN_MS) return;
  sessionStorage.setItem(RELOADED_AT, String(Date.now()));
  window.location.reload();
});

const root = document.getElementById('root');
if (root)
  createRoot(root).render(
    <MantineProvider
      theme={THEME}
      defaultColorScheme="auto"
      // Both would put style elements into the page, which its policy forbids; the build has made files of them.
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <QueryClientProvider client={client}>
        <App />
        <Notifications position="bottom-right" />
      </QueryClientProvider>
    </MantineProvider>,
  );
