import '@mantine/core/styles/Combobox.css';
import '@mantine/core/styles/ScrollArea.css';
import { Button, Select, TextInput } from '@mantine/core';
import { IconMoonStars, IconSearch } from '@tabler/icons-react';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useLocation, useSearch } from 'wouter';
import { ask, query } from '../api/client.ts';
import type { Incident } from '../api/shapes.ts';
import { PageTitle } from '../components/page-title.tsx';
import { Card } from '../components/panel.tsx';
import { STATE_WORDS } from '../components/state.tsx';
import { Empty, Loaded } from '../components/trouble.tsx';
import { IncidentRow } from '../now/incident-row.tsx';
import classes from './incidents-page.module.css';

const STATES = Object.entries(STATE_WORDS).map(([value, { word }]) => ({ value, label: word }));

/** All incidents, newest first, by state and by words. */
export default function IncidentsPage() {
  const [, navigate] = useLocation();
  const asked = Object.fromEntries(new URLSearchParams(useSearch())) as { state?: string; q?: string };
  const show = (next: { state?: string | null; q?: string }) =>
    navigate(`/incidents${query({ ...asked, ...next })}`, { replace: true });
  const pages = useInfiniteQuery({
    queryKey: ['incidents', 'pages', asked],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam, signal }) =>
      ask<{ incidents: readonly Incident[]; next: string | null }>(
        `/incidents${query({ ...asked, limit: 50, before: pageParam })}`,
        { signal },
      ),
    getNextPageParam: ({ next }) => next,
  });
  return (
    <>
      <PageTitle title="Incidents" tells="Everything that was worked on, newest first." />
      <form
        className={classes.filters}
        onSubmit={(event) => {
          event.preventDefault();
          show({ q: String(new FormData(event.currentTarget).get('q')).trim() });
        }}
      >
        <TextInput
          // Another address has other words in its field.
          key={asked.q ?? ''}
          name="q"
          className={classes.search}
          aria-label="Search incidents"
          placeholder="Title, service, label …"
          leftSection={<IconSearch size={16} aria-hidden="true" />}
          defaultValue={asked.q}
        />
        <Select
          aria-label="State"
          placeholder="Every state"
          data={STATES}
          clearable
          value={asked.state ?? null}
          onChange={(state) => show({ state })}
        />
        <Button type="submit" variant="default">
          Search
        </Button>
      </form>
      <Loaded query={pages}>
        {({ pages: loaded }) => {
          const incidents = loaded.flatMap(({ incidents: some }) => some);
          if (incidents.length === 0)
            return (
              <Empty icon={<IconMoonStars size={30} stroke={1.5} />} title="No incident fits">
                Take a filter away, or send a first alert: nightshift alert send.
              </Empty>
            );
          return (
            <Card>
              {incidents.map((incident) => (
                <IncidentRow key={incident.id} incident={incident} />
              ))}
            </Card>
          );
        }}
      </Loaded>
      {pages.hasNextPage ? (
        <div className={classes.more}>
          <Button variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            Older ones
          </Button>
        </div>
      ) : null}
    </>
  );
}
