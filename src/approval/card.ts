import { incidentName, plain } from '../incident/index.ts';
import type { Action, PutBack } from '../planning/index.ts';
import type { Verdict } from '../policy/index.ts';
import { redactValue } from '../telemetry/index.ts';
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
  const { subject } = approval;
  const yes = approval.votes.filter(({ decision }) => decision === 'approve').map(({ principal }) => plain(principal));
  const why = about.spoke
    .filter(({ decision }) => decision === 'ask')
    .map(({ rule, why: words }) => `${words} (${rule})`);
  return [
    `${incidentName(approval.incidentId)} ${plain(about.title)} asks for ${approval.required === 1 ? 'an approval' : `${approval.required} approvals`}: ${approval.id}`,
    `  runs:     ${exact(subject.tool)} ${exact(JSON.stringify(subject.arguments))}`,
    ...(subject.secrets ?? []).map((secret) => `  secret:   ${describeSecret(secret)}`),
    `  on:       ${exact(subject.target)} (instance ${exact(subject.instance)})`,
    `  for:      ${exact(asSelector(redactValue(subject.labels) as Subject['labels']))}`,
    `  risk:     ${subject.risk}${subject.risk === action.risk ? '' : ` (the tool declares ${action.risk}; a line of the policy says otherwise)`}`,
    ...(subject.preview ?? []).map((line, index) => `  ${index === 0 ? 'would:   ' : '         '} ${plain(line)}`),
    `  asked:    ${why.join('; ')}`,
    `  reason:   ${plain(action.reason)} (as ${plain(action.origin)} says)`,
    `  undo:     ${plain(subject.undo)}`,
    `  who:      ${whoMayApprove(approval)}`,
    ...(yes.length > 0 ? [`  yes:      ${yes.join(', ')}`] : []),
    `  until:    ${approval.expiresAt.toISOString()}`,
    `  digest:   ${approval.digest}`,
  ];
}

/** Says in one line, in printable ASCII, which secret goes into which argument when it is sent; never the secret. */
export function describeSecret({ argument, characters, alert, field, name, places }: PutBack): string {
  const more = places > 1 ? ` (and in ${places - 1} more labels or annotations)` : '';
  const [into, where, of] = [argument, name, alert].map((one) => exact(JSON.stringify(plain(one))));
  return `a secret of ${characters} characters is put into the argument ${into} when it is sent; it stands in the ${field} ${where} of ${of}${more}`;
}

/** Says in words who may say yes, and who may not. */
export function whoMayApprove({ subject, required }: { subject: Subject; required: number }): string {
  const who = subject.approvers === null ? 'every approver' : subject.approvers.map(plain).join(', ');
  const not = subject.barred.length > 0 ? `, but not ${subject.barred.map(plain).join(', ')}` : '';
  return `${required > 1 ? `${required} of ` : ''}${who}${not}`;
}

/** Writes labels as Prometheus does, each value in quotes, and a name that is none of Prometheus' as well. */
function asSelector(labels: Subject['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const shown = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
    return `${shown}=${JSON.stringify(value)}`;
  });
  return `{${pairs.join(', ')}}`;
}

/** Shows what will run in full and unmistakably: whatever is not printable ASCII is written as its escape. */
function exact(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
