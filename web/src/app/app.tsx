import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Route, Switch, useLocation } from 'wouter';
import { sessionQuery } from '../api/queries.ts';
import { Trouble, Waiting } from '../components/trouble.tsx';
import { Guard } from './guard.tsx';
import { NotFound } from './not-found.tsx';
import { Shell } from './shell.tsx';

const NowPage = lazy(() => import('../now/now-page.tsx'));
const IncidentsPage = lazy(() => import('../incident/incidents-page.tsx'));
const IncidentPage = lazy(() => import('../incident/incident-page.tsx'));
const RunbooksPage = lazy(() => import('../runbooks/runbooks-page.tsx'));
const RunbookPage = lazy(() => import('../runbooks/runbook-page.tsx'));
const PolicyPage = lazy(() => import('../policy/policy-page.tsx'));
const InsightsPage = lazy(() => import('../insights/insights-page.tsx'));
const AuditPage = lazy(() => import('../audit/audit-page.tsx'));
const SessionsPage = lazy(() => import('../sign-in/sessions-page.tsx'));
const SignIn = lazy(() => import('../sign-in/sign-in.tsx'));

/** The whole console: sign-in first, then the pages, each loaded when it is first opened. */
export function App() {
  const session = useQuery(sessionQuery);
  if (session.data === undefined)
    return session.error ? <Trouble error={session.error} retry={session.refetch} /> : null;
  if (session.data === null)
    return (
      <Suspense>
        <SignIn />
      </Suspense>
    );
  return (
    <Shell>
      <Pages />
    </Shell>
  );
}

function Pages() {
  const [path] = useLocation();
  return (
    <Guard key={path}>
      <Suspense fallback={<Waiting lines={4} height={80} />}>
        <Switch>
          <Route path="/" component={NowPage} />
          <Route path="/incidents" component={IncidentsPage} />
          <Route path="/incidents/:id">{({ id }) => <IncidentPage key={id} id={id} />}</Route>
          <Route path="/runbooks" component={RunbooksPage} />
          <Route path="/runbooks/view" component={RunbookPage} />
          <Route path="/policy" component={PolicyPage} />
          <Route path="/insights" component={InsightsPage} />
          <Route path="/audit" component={AuditPage} />
          <Route path="/sessions" component={SessionsPage} />
          <Route component={NotFound} />
        </Switch>
      </Suspense>
    </Guard>
  );
}
