import '@mantine/spotlight/styles.css';
import { Spotlight, type SpotlightActionData, spotlight } from '@mantine/spotlight';
import { IconArrowRight, IconBook2, IconFlame, IconSearch } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import { incidentsQuery, runbooksQuery } from '../api/queries.ts';
import { lookOf } from '../components/state.tsx';
import { runbookAddress } from '../runbooks/address.ts';
import { PLACES } from './keys.ts';

/** Search: pages, incidents and runbooks, by a few letters. */
export default function Palette({ onClose }: { readonly onClose: () => void }) {
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState('');
  const { data: incidents } = useQuery(incidentsQuery({ limit: 50 }));
  const { data: runbooks } = useQuery(runbooksQuery);
  useEffect(() => spotlight.open(), []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: what came in meanwhile stands before what was chosen.
  useEffect(chooseFirst, [incidents, runbooks]);

  const pages: SpotlightActionData[] = PLACES.map(({ path, name, key }) => ({
    id: `page ${name}`,
    label: name,
    description: `g ${key}`,
    leftSection: <IconArrowRight size={18} aria-hidden="true" />,
    onClick: () => navigate(path),
  }));
  const found: SpotlightActionData[] = (incidents?.incidents ?? []).map(({ id, title, state, service }) => ({
    id,
    label: `${id} ${title}`,
    description: [lookOf(state).word, service].filter(Boolean).join(' · '),
    keywords: [id, service ?? ''],
    leftSection: <IconFlame size={18} aria-hidden="true" />,
    onClick: () => navigate(`/incidents/${id}`),
  }));
  const books: SpotlightActionData[] = (runbooks?.runbooks ?? []).map(({ path, title }) => ({
    id: `runbook ${path}`,
    label: title,
    description: path,
    leftSection: <IconBook2 size={18} aria-hidden="true" />,
    onClick: () => navigate(runbookAddress(path)),
  }));
  const search: SpotlightActionData[] =
    typed.trim() === ''
      ? []
      : [
          {
            id: 'search runbooks',
            label: `Ask the runbooks: ${typed}`,
            // Whatever was typed, this fits.
            keywords: [typed],
            leftSection: <IconSearch size={18} aria-hidden="true" />,
            onClick: () => navigate(`/runbooks?q=${encodeURIComponent(typed)}`),
          },
        ];
  return (
    <Spotlight
      query={typed}
      onQueryChange={setTyped}
      onSpotlightClose={onClose}
      shortcut={null}
      attributes={{ content: { 'aria-label': 'Search or jump to' } }}
      transitionProps={{ duration: 0 }}
      lockScroll={false}
      limit={12}
      scrollable
      maxHeight={420}
      actions={[
        { group: 'Pages', actions: pages },
        { group: 'Incidents', actions: found },
        { group: 'Runbooks', actions: books },
        ...(search.length > 0 ? [{ group: 'Search', actions: search }] : []),
      ]}
      nothingFound="Nothing bears that name. Press Enter on the last line to ask the runbooks."
      searchProps={{
        'aria-label': 'Search or jump to',
        placeholder: 'An incident, a runbook, a page …',
        leftSection: <IconSearch size={18} aria-hidden="true" />,
      }}
    />
  );
}

/** Enter takes the first line; Spotlight chooses it when something is typed, and not when more lines come in. */
function chooseFirst(): void {
  const list = document.querySelector('.mantine-Spotlight-actionsList');
  const chosen = list?.querySelector('[data-selected]');
  if (!chosen) return;
  chosen.removeAttribute('data-selected');
  list?.querySelector('[data-action]')?.setAttribute('data-selected', 'true');
}
