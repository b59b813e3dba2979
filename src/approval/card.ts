import { incidentName, plain } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import type { Verdict } from '../policy/index.ts';
import type { Approval } from './approval.ts';

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
    `  risk:     ${action.risk}`,
    `  asked:    ${why.join('; ')}`,
    `  reason:   ${plain(action.reason)} (as ${plain(action.origin)} says)`,
    `  undo:     ${plain(action.undo)}`,
    `  until:    ${approval.expiresAt.toISOString()}`,
    `  digest:   ${approval.digest}`,
  ];
}
