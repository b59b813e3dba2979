import { Button, Modal, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import type { KillSwitch, KillSwitchAnswer } from '../api/shapes.ts';
import { useKillSwitch } from '../api/words.ts';
import { Trouble } from '../components/trouble.tsx';
import classes from './stop-switch.module.css';

const MEANT = {
  stop: {
    title: 'Stop everything?',
    tells:
      'No tool that changes anything is sent from now on. Looking, diagnosing and asking go on. What was sent already is not taken back.',
    word: 'Stop everything',
    color: 'red',
  },
  release: {
    title: 'Release the stop?',
    tells: 'Changes may run again once enough people have asked for it: two, where there are two who may decide.',
    word: 'Ask for the release',
    color: 'night',
  },
} as const;

interface StopDialogProps {
  readonly meant: 'stop' | 'release';
  /** How it stands; undefined where that is not known. */
  readonly now: KillSwitch | undefined;
  readonly onClose: () => void;
}

/** Asks once more, and sends what was meant; where somebody else did it meanwhile, it says so and sends nothing. */
export function StopDialog({ meant, now, onClose }: StopDialogProps) {
  const [reason, setReason] = useState('');
  const word = useKillSwitch();
  const { title, tells, word: button, color } = MEANT[meant];
  const isDone = now !== undefined && !word.isPending && now.engaged === (meant === 'stop');
  const send = () =>
    word.mutate(
      { engaged: meant === 'stop', reason: reason.trim() },
      {
        onSuccess: (answer) => {
          notifications.show({ message: cameOf(meant, answer), color: meant === 'stop' ? 'signal' : 'night' });
          onClose();
        },
      },
    );
  return (
    <Modal opened onClose={onClose} title={title} lockScroll={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          if (!isDone && !word.isPending) send();
        }}
      >
        <p role="status">{isDone ? doneBy(meant, now) : tells}</p>
        {meant === 'stop' && !isDone ? (
          <Textarea
            label="Reason"
            description="Whoever wonders at 3 a.m. reads this."
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={1000}
            rows={2}
            data-autofocus
          />
        ) : null}
        {word.error && !isDone ? <Trouble error={word.error} /> : null}
        <div className={classes.answers}>
          <Button variant="default" onClick={onClose}>
            {isDone ? 'Close' : 'Cancel'}
          </Button>
          {isDone ? null : (
            <Button type="submit" loading={word.isPending} color={color}>
              {button}
            </Button>
          )}
        </div>
      </form>
    </Modal>
  );
}

function doneBy(meant: StopDialogProps['meant'], { why }: KillSwitch): string {
  return meant === 'stop' ? `It is done already. ${why}` : 'It was released meanwhile. Changes may run again.';
}

function cameOf(meant: StopDialogProps['meant'], { released, needs }: KillSwitchAnswer): string {
  if (meant === 'stop') return 'Everything is stopped. Nothing is sent until it is released.';
  return released ? 'Released. Changes may run again.' : `Noted. It needs ${needs}.`;
}
