import './styles/mantine.css';
import 'virtual:theme.css';
import '@mantine/notifications/styles.css';
import './styles/base.css';
import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { createQueryClient } from './api/query-client.ts';
import { App } from './app/app.tsx';
import { showFailure } from './app/failure.ts';
import { Guard } from './app/guard.tsx';
import { reloadForNewerParts } from './app/reload.ts';
import { THEME } from './theme.ts';

reloadForNewerParts();
const client = createQueryClient(showFailure);

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
        <Guard>
          <App />
        </Guard>
        <Notifications position="bottom-right" />
      </QueryClientProvider>
    </MantineProvider>,
  );
