import { IconHandStop, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { nowQuery } from '../api/queries.ts';
import { RoleButton } from '../components/role.tsx';
import { StopDialog } from './stop-dialog.tsx';

/** The switch that stops every change, in reach on every page; where it is engaged, the way to release it. */
export function StopSwitch({ isCompact = false }: { readonly isCompact?: boolean }) {
  const { data: now } = useQuery(nowQuery);
  // What was meant when the dialog was opened, whatever anybody else does meanwhile.
  const [meant, setMeant] = useState<'stop' | 'release' | null>(null);
  const isEngaged = now?.killSwitch.engaged ?? false;
  const Icon = isEngaged ? IconPlayerPlay : IconHandStop;
  return (
    <>
      <RoleButton
        needs="approver"
        variant={isEngaged ? 'filled' : 'default'}
        color={isEngaged ? 'signal.4' : undefined}
        autoContrast
        size={isCompact ? 'compact-sm' : 'sm'}
        leftSection={<Icon size={16} aria-hidden="true" />}
        onClick={() => setMeant(isEngaged ? 'release' : 'stop')}
      >
        {isEngaged ? (isCompact ? 'Release' : 'Release the stop') : isCompact ? 'Stop' : 'Stop everything'}
      </RoleButton>
      {meant ? <StopDialog meant={meant} now={now?.killSwitch} onClose={() => setMeant(null)} /> : null}
    </>
  );
}
