import { Button } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import { sessionsQuery } from '../api/queries.ts';
import type { ListedSession } from '../api/shapes.ts';
import { Ago } from '../components/moment.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Card } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { Table } from '../components/table.tsx';
import { Loaded } from '../components/trouble.tsx';
import { browserOf } from './browser.ts';

/** Where one is signed in, and the way to end each of those. */
export default function SessionsPage() {
  const sessions = useQuery(sessionsQuery);
  const isAll = new Set(sessions.data?.sessions.map(({ person }) => person)).size > 1;
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: ({ id }: ListedSession) => ask(`/sessions/${encodeURIComponent(id)}`, { method: 'DELETE' }),
    onSettled: () =>
      Promise.all([sessionsQuery.queryKey, ['session']].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  return (
    <>
      <PageTitle
        title="Where you are signed in"
        tells={isAll ? 'And everybody else, since you are an administrator.' : undefined}
      />
      <Loaded query={sessions}>
        {(data) => (
          <Card>
            <Table
              label="Sessions"
              columns={['Person', 'Role', 'By', 'Client', 'Last seen', 'Ends', '']}
              rows={data.sessions.map((session) => ({
                key: session.id,
                cells: [
                  <>
                    {session.person} {session.current ? <Pill tone="accent">this one</Pill> : null}
                  </>,
                  session.role,
                  session.via,
                  <span key="client" title={session.client}>
                    {browserOf(session.client)}
                  </span>,
                  <Ago key="seen" at={session.lastSeenAt} />,
                  <Ago key="ends" at={session.expiresAt} />,
                  <Button key="end" size="compact-sm" variant="default" onClick={() => end.mutate(session)}>
                    Sign out
                  </Button>,
                ],
              }))}
            />
          </Card>
        )}
      </Loaded>
    </>
  );
}
