import { Button, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy, IconHourglassHigh, IconX } from '@tabler/icons-react';
import { useRef } from 'react';
import { Link } from 'wouter';
import type { Approval } from '../api/shapes.ts';
import { useFocusLeft } from '../components/focus.ts';
import { Countdown } from '../components/moment.tsx';
import { Card } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { RoleButton } from '../components/role.tsx';
import classes from './approval-card.module.css';
import { CardLines } from './card-lines.tsx';
import { readCard } from './read-card.ts';
import { type Answer, useRefused } from './refused.ts';

interface ApprovalCardProps {
  readonly approval: Approval;
  readonly isLinked?: boolean;
  /** What the two buttons do; where it is left out there are none, and what is shown is what was asked. */
  readonly onAnswer?: (decision: Answer) => void;
}

/** Shows what a person is asked, in the words that Slack and the command line use, with the two answers. */
export function ApprovalCard({ approval, isLinked = true, onAnswer }: ApprovalCardProps) {
  const card = useRef<HTMLElement>(null);
  useFocusLeft(card);
  const { headline, lines } = readCard(approval.card);
  const isAsked = onAnswer !== undefined && approval.status === 'pending';
  const yes = approval.votes.filter(({ decision }) => decision === 'approve');
  const title = headline.replace(/^INC-\d+ /, '').replace(/: \S+$/, '');
  return (
    <Card tone={isAsked ? 'signal' : 'plain'}>
      <article
        ref={card}
        className={classes.card}
        data-approval={isAsked ? approval.id : undefined}
        aria-label={headline}
      >
        <header className={classes.head}>
          <h3 className={classes.title}>
            {isLinked ? <Link href={`/incidents/${approval.incident}`}>{approval.incident}</Link> : approval.incident}{' '}
            {title}
          </h3>
          {isAsked ? (
            <Pill tone="signal">
              <IconHourglassHigh size={14} aria-hidden="true" />
              <Countdown until={approval.expiresAt} />
            </Pill>
          ) : (
            <Pill tone={approval.status === 'approved' ? 'good' : 'plain'}>{approval.status}</Pill>
          )}
        </header>
        <div className={classes.lines}>
          <CardLines lines={lines} />
        </div>
        <footer className={classes.foot}>
          <div className={classes.facts}>
            <span>
              {yes.length} of {approval.required} {approval.required === 1 ? 'approval' : 'approvals'}
              {yes.length > 0 ? `: ${yes.map(({ principal }) => principal).join(', ')}` : ''}
            </span>
            <CopyButton value={approval.digest}>
              {({ copied, copy }) => (
                <Button
                  size="compact-xs"
                  variant="subtle"
                  color="gray"
                  className={classes.digest}
                  onClick={copy}
                  title={`digest ${approval.digest}`}
                  leftSection={
                    copied ? <IconCheck size={12} aria-hidden="true" /> : <IconCopy size={12} aria-hidden="true" />
                  }
                >
                  {copied ? 'copied' : `digest ${approval.digest.slice(0, 12)}`}
                </Button>
              )}
            </CopyButton>
          </div>
          {isAsked ? <Answers approval={approval} onAnswer={onAnswer} /> : null}
        </footer>
      </article>
    </Card>
  );
}

function Answers({ approval, onAnswer }: Required<Pick<ApprovalCardProps, 'approval' | 'onAnswer'>>) {
  const refused = useRefused(approval);
  return (
    <div className={classes.answers}>
      <RoleButton
        needs="approver"
        because={refused.deny}
        variant="default"
        leftSection={<IconX size={16} aria-hidden="true" />}
        onClick={() => onAnswer('deny')}
        keys="d"
      >
        Deny
      </RoleButton>
      <RoleButton
        needs="approver"
        because={refused.approve}
        leftSection={<IconCheck size={16} aria-hidden="true" />}
        onClick={() => onAnswer('approve')}
        keys="a"
      >
        Approve
      </RoleButton>
    </div>
  );
}
