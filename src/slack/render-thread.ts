import type { Alert } from '../alert/index.ts';
import type { Approval } from '../approval/index.ts';
import type { Evidence } from '../diagnosis/index.ts';
import type { Incident, StoredEvent } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import { renderAttempts } from './render-attempts.ts';
import type { Rendered } from './render-blocks.ts';
import { renderApprovalCard } from './render-card.ts';
import { renderDiagnosis } from './render-diagnosis.ts';
import { renderEscalations, renderSummary } from './render-endings.ts';
import { renderRoot } from './render-root.ts';

/** All that is stored about an incident and shown in its thread. */
export interface ThreadView {
  readonly incident: Incident;
  readonly alerts: readonly Alert[];
  readonly evidence: readonly Evidence[];
  readonly actions: readonly Action[];
  /** The questions that have a card. */
  readonly approvals: readonly Approval[];
  readonly events: readonly StoredEvent[];
  readonly heldCards: number;
}

/** Renders the thread of an incident as it should stand now, its root first; the same rows always give the same messages. */
export function renderThread(view: ThreadView): Rendered[] {
  const { incident, evidence, actions, approvals, events } = view;
  const diagnosis = renderDiagnosis(incident, evidence);
  const summary = renderSummary(incident, actions, events);
  return [
    renderRoot(view),
    ...(diagnosis ? [diagnosis] : []),
    ...approvals.map((approval) =>
      renderApprovalCard({ incident, approval, action: actions.find(({ id }) => id === approval.actionId) ?? null }),
    ),
    ...renderAttempts(incident, actions, events),
    ...renderEscalations(incident, events),
    ...(summary ? [summary] : []),
  ];
}
