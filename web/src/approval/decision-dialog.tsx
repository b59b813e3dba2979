import { Button, Modal, Textarea } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import type { Approval } from '../api/shapes.ts';
import { useDecide } from '../api/words.ts';
import { Trouble } from '../components/trouble.tsx';
import classes from './decision-dialog.module.css';
import { readCard } from './read-card.ts';

interface DecisionDialogProps {
  readonly approval: Approval;
  readonly decision: 'approve' | 'deny';
  readonly onClose: () => void;
}

/** Asks once more before an answer is sent, with what exactly will run, and takes the reason down. */
export function DecisionDialog({ approval, decision, onClose }: DecisionDialogProps) {
  const [reason, setReason] = useState('');
  const decide = useDecide();
  const { lines } = readCard(approval.card);
  const saysOf = (about: string) => lines.find((line) => line.about === about)?.says ?? [];
  const isYes = decision === 'approve';
  const send = () =>
    decide.mutate(
      { approval: approval.id, decision, reason: reason.trim(), digest: approval.digest },
      {
        onSuccess: ({ status }) => {
          const more = status === 'pending' ? '; it needs more people yet' : '';
          notifications.show({
            message: `${approval.incident}: you ${isYes ? 'approved' : 'denied'} it${more}.`,
            color: 'night',
          });
          onClose();
        },
      },
    );
  return (
    <Modal
      opened
      onClose={onClose}
      title={isYes ? 'Approve exactly this?' : 'Deny this?'}
      size="lg"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          send();
        }}
      >
        <div>
          <p className={classes.label}>{isYes ? 'Nightshift will send' : 'Nightshift will not send'}</p>
          <pre className={classes.exact}>{saysOf('runs').join('\n')}</pre>
          <p className={classes.label}>on</p>
          <pre className={classes.exact}>{saysOf('on').join('\n')}</pre>
          {isYes && saysOf('would').length > 0 ? (
            <>
              <p className={classes.label}>which would</p>
              <pre className={classes.exact}>{saysOf('would').join('\n')}</pre>
            </>
          ) : null}
        </div>
        {isYes && saysOf('undo').length > 0 ? (
          <p className={classes.note}>
            <span className={classes.label}>undo </span>
            {saysOf('undo').join(' ')}
          </p>
        ) : null}
        <Textarea
          label="Reason"
          description={isYes ? 'Kept in the audit. May be empty.' : 'Kept in the audit, and told to whoever is next.'}
          value={reason}
          onChange={(event) => setReason(event.currentTarget.value)}
          maxLength={1000}
          rows={3}
          data-autofocus
        />
        {decide.error ? <Trouble error={decide.error} /> : null}
        <div className={classes.answers}>
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button
            type="submit"
            loading={decide.isPending}
            color={isYes ? 'night' : 'red'}
            aria-keyshortcuts="Control+Enter"
          >
            {isYes ? 'Approve' : 'Deny'}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
