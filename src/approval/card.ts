import { incidentName, plain } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { Approval } from './approval.ts';
import type { Subject } from './subject.ts';

/**
 * Renders what a person is asked, from the stored record only. Words of a runbook or a model are labelled as such,
 * stripped of control, bidirectional and invisible characters, and cut at 300 characters; what will run is shown in full.
 */
export function renderCard(
  approval: Approval,
  action: Action,
  about: { title: string; spoke: Verdict['spoke'] },
): string[] {
  const why = about.spoke
    .filter(({ decision }) => decision === 'ask')
    .map(({ rule, why: words }) => `${words} (${rule})`);
  return [
    `${incidentName(approval.incidentId)} ${plain(about.title)} asks for ${approval.required === 1 ? 'an approval' : `${approval.required} approvals`}: ${approval.id}`,
    `  runs:     ${action.tool} ${JSON.stringify(action.arguments)}`,
    `  on:       ${action.target}`,
    `  risk:     ${approval.subject.risk}`,
    ...(approval.subject.preview ?? []).map(
      (line, index) => `  ${index === 0 ? 'would:   ' : '         '} ${plain(line)}`,
    ),
    `  asked:    ${why.join('; ')}`,
    `  reason:   ${plain(action.reason)} (as ${plain(action.origin)} says)`,
    `  undo:     ${plain(action.undo)}`,
    `  who:      ${whoMayApprove(approval)}`,
    `  until:    ${approval.expiresAt.toISOString()}`,
    `  digest:   ${approval.digest}`,
  ];
}

/** Says in words who may say yes, and who may not. */
export function whoMayApprove({ subject, required }: { subject: Subject; required: number }): string {
  const who = subject.approvers === null ? 'every approver' : subject.approvers.map(plain).join(', ');
  const not = subject.barred.length > 0 ? `, but not ${subject.barred.map(plain).join(', ')}` : '';
  return `${required > 1 ? `${required} of ` : ''}${who}${not}`;
}
