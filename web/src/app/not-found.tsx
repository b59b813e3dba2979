import { IconMoonOff } from '@tabler/icons-react';
import { Link } from 'wouter';
import { PageTitle } from '../components/page-title.tsx';
import { Empty } from '../components/trouble.tsx';

/** Says that there is no such page. */
export function NotFound() {
  return (
    <>
      <PageTitle title="Not found" />
      <Empty icon={<IconMoonOff size={30} />} title="There is no such page">
        Press <kbd>/</kbd> to search, or go to <Link href="/">what is happening now</Link>.
      </Empty>
    </>
  );
}
