import { Button, Modal, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconHandStop, IconPlayerPlay } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { nowQuery } from '../api/queries.ts';
import { useKillSwitch } from '../api/words.ts';
import { RoleButton } from '../components/role.tsx';
import { Trouble } from '../components/trouble.tsx';
import classes from './stop-switch.module.css';

/** The switch that stops every change, in reach on every page; where it is engaged, the way to release it. */
export function StopSwitch({ isCompact = false }: { readonly isCompact?: boolean }) {
  const { data: now } = useQuery(nowQuery);
  const [isAsked, setAsked] = useState(false);
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
        onClick={() => setAsked(true)}
      >
        {isEngaged ? 'Release' : isCompact ? 'Stop' : 'Stop everything'}
      </RoleButton>
      {isAsked ? <StopDialog isEngaged={isEngaged} onClose={() => setAsked(false)} /> : null}
    </>
  );
}

function StopDialog({ isEngaged, onClose }: { readonly isEngaged: boolean; readonly onClose: () => void }) {
  const [reason, setReason] = useState('');
  const word = useKillSwitch();
  const send = () =>
    word.mutate(
      { engaged: !isEngaged, reason: reason.trim() },
      {
        onSuccess: ({ released, needs }) => {
          const said = isEngaged
            ? released
              ? 'Released. Changes may run again.'
              : `Noted. It needs ${needs}.`
            : 'Everything is stopped. Nothing is sent until it is released.';
          notifications.show({ message: said, color: isEngaged ? 'night' : 'signal' });
          onClose();
        },
      },
    );
  return (
    <Modal
      opened
      onClose={onClose}
      title={isEngaged ? 'Release the stop?' : 'Stop everything?'}
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <p>
          {isEngaged
            ? 'Changes may run again once enough people have asked for it: two, where there are two who may decide.'
            : 'No tool that changes anything is sent from now on. Looking, diagnosing and asking go on. What was sent already is not taken back.'}
        </p>
        {isEngaged ? null : (
          <Textarea
            label="Reason"
            description="Whoever wonders at 3 a.m. reads this."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={1000}
            rows={2}
            data-autofocus
          />
        )}
        {word.error ? <Trouble error={word.error} /> : null}
        <div className={classes.answers}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={word.isPending} color={isEngaged ? 'night' : 'red'}>
            {isEngaged ? 'Ask for the release' : 'Stop everything'}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
