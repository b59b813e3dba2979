import { Button, Modal, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useQuery } from '@tanstack/react-query';
import { type KeyboardEvent, useRef, useState } from 'react';
import { ApiProblem } from '../api/client.ts';
import { incidentQuery } from '../api/queries.ts';
import type { Approval } from '../api/shapes.ts';
import { useDecide } from '../api/words.ts';
import { useFocusBack } from '../components/focus.ts';
import { Trouble } from '../components/trouble.tsx';
import { CardLines } from './card-lines.tsx';
import classes from './decision-dialog.module.css';
import { readCard } from './read-card.ts';
import { type Answer, useRefused } from './refused.ts';

/** A question as it was when somebody began to answer it. */
export interface Asked {
  readonly approval: Approval;
  readonly decision: Answer;
  /** What has the focus back afterwards. */
  readonly opener: Element | null;
}

/**
 * Asks once more before an answer is sent, with what exactly will run, and takes the reason down. It stays open, with what was typed, where
 * somebody else decides meanwhile or time runs out, and says so.
 */
export function DecisionDialog({
  asked: { approval, decision, opener },
  onClose,
}: {
  readonly asked: Asked;
  readonly onClose: () => void;
}) {
  const [reason, setReason] = useState('');
  const decide = useDecide();
  const { data: incident } = useQuery(incidentQuery(approval.incident));
  const refused = useRefused(incident?.approvals.find(({ id }) => id === approval.id) ?? approval)[decision];
  useFocusBack(opener);
  // A mutation says that it is pending only after the next key may have been pressed.
  const isSent = useRef(false);
  const isYes = decision === 'approve';
  const isOver = refused !== null && (decide.isIdle || decide.isError);
  const send = async () => {
    if (isSent.current || isOver) return;
    isSent.current = true;
    try {
      const { id, digest } = approval;
      const { status } = await decide.mutateAsync({ approval: id, decision, reason: reason.trim(), digest });
      const more = status === 'pending' ? '; it needs more people yet' : '';
      notifications.show({
        message: `${approval.incident}: you ${isYes ? 'approved' : 'denied'} it${more}.`,
        color: 'night',
      });
      onClose();
    } catch {
      // Shown below.
      isSent.current = false;
    }
  };
  const hear = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void send();
  };
  const error = isOver ? new ApiProblem({ status: 409, code: 'conflict', detail: refused }) : decide.error;
  return (
    <Modal
      opened
      onClose={onClose}
      // What is sent cannot be taken back by closing this, and what came of it is said here.
      closeOnEscape={!decide.isPending}
      closeOnClickOutside={!decide.isPending}
      returnFocus={false}
      title={`${approval.incident}: ${isYes ? 'approve exactly this?' : 'deny this?'}`}
      size="lg"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close', disabled: decide.isPending }}
    >
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <div>
          <p className={classes.label}>{isYes ? 'Nightshift will send' : 'Nightshift will not send'}</p>
          <CardLines lines={readCard(approval.card).lines} />
        </div>
        <Textarea
          label="Reason"
          description={isYes ? 'Kept in the audit. May be empty.' : 'Kept in the audit, and told to whoever is next.'}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          onKeyDown={hear}
          readOnly={isOver}
          maxLength={1000}
          rows={3}
          data-autofocus
        />
        {error ? <Trouble error={error} /> : null}
        <div className={classes.answers}>
          <Button variant="default" onClick={onClose} disabled={decide.isPending}>
            {isOver ? 'Close' : 'Cancel'}
          </Button>
          {isOver ? null : (
            <Button
              type="submit"
              loading={decide.isPending}
              color={isYes ? 'night' : 'red'}
              aria-keyshortcuts="Control+Enter"
            >
              {isYes ? 'Approve' : 'Deny'}
            </Button>
          )}
        </div>
      </form>
    </Modal>
  );
}
