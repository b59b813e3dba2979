import { Button, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy, IconHourglassHigh, IconX } from '@tabler/icons-react';
import { useState } from 'react';
import { Link } from 'wouter';
import type { Approval } from '../api/shapes.ts';
import { Countdown } from '../components/moment.tsx';
import { Card } from '../components/panel.tsx';
import { Pill } from '../components/pill.tsx';
import { RoleButton } from '../components/role.tsx';
import classes from './approval-card.module.css';
import { DecisionDialog } from './decision-dialog.tsx';
import { type CardLine, readCard } from './read-card.ts';

/** Set in monospace, since it is shown to be compared letter by letter. */
const EXACT = new Set(['runs', 'on', 'for', 'would', 'secret']);
/** Shown elsewhere on the card. */
const ELSEWHERE = new Set(['until', 'digest', 'yes']);

/** Shows what a person is asked, in the words that Slack and the command line use, with the two answers. */
export function ApprovalCard({
  approval,
  isLinked = true,
}: {
  readonly approval: Approval;
  readonly isLinked?: boolean;
}) {
  const [asked, setAsked] = useState<'approve' | 'deny' | null>(null);
  const { headline, lines } = readCard(approval.card);
  const isPending = approval.status === 'pending';
  const yes = approval.votes.filter(({ decision }) => decision === 'approve');
  const title = headline.replace(/^INC-\d+ /, '').replace(/: \S+$/, '');
  return (
    <Card tone={isPending ? 'signal' : 'plain'}>
      <article className={classes.card} data-approval={isPending ? approval.id : undefined} aria-label={headline}>
        <header className={classes.head}>
          <h3 className={classes.title}>
            {isLinked ? <Link href={`/incidents/${approval.incident}`}>{approval.incident}</Link> : approval.incident}{' '}
            {title}
          </h3>
          {isPending ? (
            <Pill tone="signal">
              <IconHourglassHigh size={14} aria-hidden="true" />
              <Countdown until={approval.expiresAt} />
            </Pill>
          ) : (
            <Pill tone={approval.status === 'approved' ? 'good' : 'plain'}>{approval.status}</Pill>
          )}
        </header>
        <dl className={classes.lines}>
          {lines
            .filter(({ about }) => !ELSEWHERE.has(about))
            .map((line) => (
              <Line key={line.about} line={line} />
            ))}
        </dl>
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
          {isPending ? (
            <div className={classes.answers}>
              <RoleButton
                needs="approver"
                variant="default"
                leftSection={<IconX size={16} aria-hidden="true" />}
                onClick={() => setAsked('deny')}
                keys="d"
              >
                Deny
              </RoleButton>
              <RoleButton
                needs="approver"
                leftSection={<IconCheck size={16} aria-hidden="true" />}
                onClick={() => setAsked('approve')}
                keys="a"
              >
                Approve
              </RoleButton>
            </div>
          ) : null}
        </footer>
      </article>
      {asked ? <DecisionDialog approval={approval} decision={asked} onClose={() => setAsked(null)} /> : null}
    </Card>
  );
}

function Line({ line: { about, says } }: { readonly line: CardLine }) {
  return (
    <>
      <dt>{about}</dt>
      <dd data-exact={EXACT.has(about) || undefined}>
        {says.map((text) => (
          <span key={text} className={classes.text}>
            {text}
          </span>
        ))}
      </dd>
    </>
  );
}
