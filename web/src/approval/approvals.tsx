import { type ReactNode, useState } from 'react';
import type { Approval } from '../api/shapes.ts';
import { Panel } from '../components/panel.tsx';
import { ApprovalCard } from './approval-card.tsx';
import { type Asked, DecisionDialog } from './decision-dialog.tsx';
import { waitsForYou } from './refused.ts';

/** Shows the questions that are pending: those that wait for whoever looks first, then those that wait for others. */
export function Approvals({
  approvals,
  isLinked = true,
  onAsk,
}: {
  readonly approvals: readonly Approval[];
  readonly isLinked?: boolean;
  readonly onAsk: (asked: Asked) => void;
}) {
  const groups = [
    { title: 'Waits for you', tone: 'signal', group: approvals.filter(waitsForYou) },
    { title: 'Waits for others', tone: 'plain', group: approvals.filter((approval) => !waitsForYou(approval)) },
  ] as const;
  return groups
    .filter(({ group }) => group.length > 0)
    .map(({ title, tone, group }) => (
      <Panel key={title} title={title} count={group.length} tone={tone}>
        {group.map((approval) => (
          <ApprovalCard
            key={approval.id}
            approval={approval}
            isLinked={isLinked}
            onAnswer={(decision) => onAsk({ approval, decision, opener: document.activeElement })}
          />
        ))}
      </Panel>
    ));
}

/** Gives a page the way to have a question answered, and the dialog to show: it belongs to the page, since the card may go before it. */
export function useAnswering(): { readonly onAsk: (asked: Asked) => void; readonly dialog: ReactNode } {
  const [asked, setAsked] = useState<Asked | null>(null);
  const dialog = asked ? <DecisionDialog asked={asked} onClose={() => setAsked(null)} /> : null;
  return { onAsk: setAsked, dialog };
}
