import { TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { IconBook2, IconRefresh, IconSearch } from '@tabler/icons-react';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useSearch } from 'wouter';
import { ask } from '../api/client.ts';
import { runbooksQuery } from '../api/queries.ts';
import { PageTitle } from '../components/page-title.tsx';
import { Panel } from '../components/panel.tsx';
import { RoleButton } from '../components/role.tsx';
import { Empty, Loaded } from '../components/trouble.tsx';
import { RunbookTable } from './runbook-table.tsx';
import classes from './runbooks.module.css';
import { SearchResults } from './search-results.tsx';
import { Uncovered } from './uncovered.tsx';

/** All runbooks with their health, the search with its reasons, and the alerts that have none. */
export default function RunbooksPage() {
  const asked = new URLSearchParams(useSearch()).get('q') ?? '';
  const [typed, setTyped] = useState(asked);
  const [words] = useDebouncedValue(typed, 250);
  const runbooks = useQuery(runbooksQuery);
  useEffect(() => setTyped(asked), [asked]);
  return (
    <>
      <PageTitle title="Runbooks" tells="What Nightshift knows, how well it works, and what is missing.">
        <Sync />
      </PageTitle>
      <TextInput
        className={classes.search}
        size="md"
        aria-label="Ask the runbooks"
        placeholder="Ask the runbooks: disk full, connection refused, ServiceDown …"
        leftSection={<IconSearch size={18} aria-hidden="true" />}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      {words.trim() === '' ? null : <SearchResults words={words.trim()} />}
      <div className={classes.board}>
        <Panel title="Health" count={runbooks.data?.runbooks.length}>
          <Loaded query={runbooks}>
            {({ runbooks: all }) =>
              all.length > 0 ? (
                <RunbookTable runbooks={all} />
              ) : (
                <Empty icon={<IconBook2 size={30} stroke={1.5} />} title="There are no runbooks yet">
                  Put markdown files into the folders of <code>runbooks:</code> in nightshift.yaml. They are read
                  whenever they change.
                </Empty>
              )
            }
          </Loaded>
        </Panel>
        <Uncovered />
      </div>
    </>
  );
}

function Sync() {
  const client = useQueryClient();
  const sync = useMutation({
    mutationFn: () => ask<unknown>('/runbooks/sync', { body: {} }),
    onSettled: () => client.invalidateQueries({ queryKey: ['runbooks'] }),
  });
  return (
    <RoleButton
      needs="approver"
      variant="default"
      loading={sync.isPending}
      leftSection={<IconRefresh size={16} aria-hidden="true" />}
      onClick={() => sync.mutate()}
    >
      Read them now
    </RoleButton>
  );
}
