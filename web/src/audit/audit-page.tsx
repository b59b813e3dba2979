import { Button, TextInput } from '@mantine/core';
import { IconHistory, IconShieldCheck } from '@tabler/icons-react';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link, useLocation, useSearch } from 'wouter';
import { ask, query } from '../api/client.ts';
import { auditVerifyQuery } from '../api/queries.ts';
import type { AuditEvents } from '../api/shapes.ts';
import { Clock } from '../components/moment.tsx';
import { PageTitle } from '../components/page-title.tsx';
import { Card } from '../components/panel.tsx';
import { Empty, Loaded, Trouble } from '../components/trouble.tsx';
import classes from './audit.module.css';
import { VerifyReport } from './verify-report.tsx';

const FILTERS = [
  { name: 'actor', label: 'Who', placeholder: 'alice, nightshift' },
  { name: 'type', label: 'What', placeholder: 'approval, action.started' },
  { name: 'incident', label: 'Incident', placeholder: 'INC-7' },
] as const;
type Asked = Partial<Record<(typeof FILTERS)[number]['name'], string>>;

/** Who did what, newest first; and the proof that nothing of it was changed. */
export default function AuditPage() {
  const [, navigate] = useLocation();
  const search = useSearch();
  const asked: Asked = Object.fromEntries(new URLSearchParams(search));
  const verify = useQuery(auditVerifyQuery);
  const pages = useInfiniteQuery({
    queryKey: ['audit', 'events', asked],
    initialPageParam: null as string | number | null,
    queryFn: ({ pageParam, signal }) =>
      ask<AuditEvents>(`/audit${query({ limit: 100, ...asked, before: pageParam })}`, { signal }),
    getNextPageParam: ({ next }) => next,
  });
  return (
    <>
      <PageTitle title="Audit" tells="Who did what. Sealed into a chain: what was changed afterwards shows.">
        <Button
          leftSection={<IconShieldCheck size={16} aria-hidden="true" />}
          loading={verify.isFetching}
          onClick={() => void verify.refetch()}
        >
          Verify
        </Button>
      </PageTitle>
      <div role="status">
        {verify.error ? (
          <Trouble error={verify.error} />
        ) : verify.data ? (
          <VerifyReport report={verify.data} at={new Date(verify.dataUpdatedAt).toISOString()} />
        ) : null}
      </div>
      <form
        // Another address has other words in its fields.
        key={search}
        className={classes.filters}
        onSubmit={(event) => {
          event.preventDefault();
          const typed = [...new FormData(event.currentTarget)].map(([name, value]) => [name, written(name, value)]);
          navigate(`/audit${query(Object.fromEntries(typed))}`, { replace: true });
        }}
      >
        {FILTERS.map(({ name, label, placeholder }) => (
          <TextInput
            key={name}
            name={name}
            className={classes.filter}
            label={label}
            placeholder={placeholder}
            defaultValue={asked[name]}
          />
        ))}
        <Button type="submit" variant="default">
          Show
        </Button>
      </form>
      <Loaded query={pages}>
        {({ pages: loaded }) => {
          const events = loaded.flatMap(({ events: some }) => some);
          if (events.length === 0)
            return (
              <Empty icon={<IconHistory size={30} stroke={1.5} />} title="No event fits that">
                Take a filter away.
              </Empty>
            );
          return (
            <Card>
              <ol className={classes.events}>
                {events.map(({ id, at, actor, type, words, incident }) => (
                  <li key={id} className={classes.event}>
                    <Clock at={at} />
                    <span className={classes.actor}>{actor}</span>
                    <span className={classes.words}>
                      {words}
                      <code>{type}</code>
                    </span>
                    {incident ? <Link href={`/incidents/${incident}`}>{incident}</Link> : <span />}
                  </li>
                ))}
              </ol>
            </Card>
          );
        }}
      </Loaded>
      {pages.hasNextPage ? (
        <div className={classes.more}>
          <Button variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            More
          </Button>
        </div>
      ) : null}
    </>
  );
}

/** A kind without its second word is all of that kind. */
function written(name: string, value: FormDataEntryValue): string {
  const text = String(value).trim();
  return name === 'type' && /^[a-z_]+$/.test(text) ? `${text}.*` : text;
}
