import type { types } from '@slack/bolt';
import { type Approval, describeSecret, digestOf, type Subject, type Vote, whoMayApprove } from '../approval/index.ts';
import { type Incident, incidentName } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import { redact } from '../telemetry/index.ts';
import {
  BLOCKS_JSON_MAX,
  bold,
  buttons,
  heading,
  type Inline,
  lines,
  message,
  moment,
  plainly,
  points,
  preformatted,
  type Rendered,
  rich,
  smallPrint,
} from './render-blocks.ts';
import { ACTION_IDS, button } from './render-buttons.ts';
import { exact, exactJson, exactLine, saidBy, words } from './render-words.ts';

/** What does not fit in this many characters is not decided in Slack: nobody should agree to what they cannot see. */
const SHOWN_IN_FULL_MAX = 2000;
const BEGINNING_MAX = 600;
const RULES_MAX = 8;
const SECRETS_MAX = 8;

const RISKS: Readonly<Record<string, string>> = {
  safe: 'it is bounded, and can be taken back or heals itself',
  destructive: 'it changes or deletes what may not come back',
  critical: 'it can take a whole service down or cannot be undone',
};

const ENDINGS: Readonly<Record<Exclude<Approval['status'], 'pending'>, string>> = {
  approved: '✅ approved',
  denied: '⛔ denied',
  expired: '⌛ expired unanswered',
  superseded: '➖ no longer needed',
};

export interface CardView {
  readonly incident: Pick<Incident, 'id' | 'title'>;
  readonly approval: Approval;
  /** The action that is asked about; it adds why, and nothing of what would run. */
  readonly action: Pick<Action, 'origin' | 'reason' | 'expectedEffect' | 'decision'> | null;
}

/**
 * Renders the card of one question from the stored record that its digest binds: what exactly will run, on what, why, what it
 * risks, how it is undone, who may approve and until when. It can be approved only where all of that is shown in full.
 */
export function renderApprovalCard(view: CardView): Rendered {
  return view.approval.status === 'pending' ? renderOpen(view) : renderDecided(view);
}

function renderOpen(view: CardView): Rendered {
  const { approval, incident } = view;
  const { subject, required } = approval;
  const name = incidentName(incident.id);
  const what = required === 1 ? 'an approval' : `${required} approvals`;
  const text = `${name} asks for ${what}: ${words(`${subject.tool} on ${subject.target}`)} (${words(subject.risk)})`;
  const head = heading(`❓ ${name} asks for ${what}: ${words(incident.title)}`);
  const whole = [head, ...explain(view, describeCall(subject), describePreview(subject))];
  const why = whyNotHere(approval, whole);
  const value = { approval: approval.id, digest: approval.digest };
  const deny = button(ACTION_IDS.deny, 'Deny…', value, { style: 'danger' });
  const details = button(ACTION_IDS.details, 'Details', { incident: incident.id });
  if (why === null) {
    const approve = button(ACTION_IDS.approve, 'Approve', value, { style: 'primary' });
    return message(`card:${approval.id}`, text, [...whole, buttons(approve, deny, details), print(approval)], ASKING);
  }
  const call = describeCall(subject);
  const cut =
    call.length > BEGINNING_MAX ? `${call.slice(0, BEGINNING_MAX)}\n… (${call.length} characters in all)` : call;
  const warning = rich(lines([[bold(`It cannot be approved here: ${why}. Decide in the CLI: nightshift approvals`)]]));
  const blocks = [head, warning, ...explain(view, cut, null), buttons(deny, details), print(approval)];
  return message(`card:${approval.id}`, text, blocks, ASKING);
}

const ASKING = { broadcast: true, urgent: true } as const;

/** What was decided stays readable: what it was about, how it ended, who said so and through which door. No button is left. */
function renderDecided({ approval, incident }: CardView): Rendered {
  const { subject, status, votes } = approval;
  const ending = status === 'pending' ? '' : ENDINGS[status];
  const name = incidentName(incident.id);
  const about = words(`${subject.tool} on ${subject.target}`);
  const blocks = [
    heading(`${ending}: ${about}`),
    rich(lines([[plainly(`${name} ${words(incident.title)}`)], ...votes.map(describeVote)])),
    print(approval),
  ];
  return message(`card:${approval.id}`, `${name}: ${ending}: ${about}`, blocks, { broadcast: true, onlyUpdate: true });
}

/** Why it cannot be approved here, or null. */
function whyNotHere({ subject, digest }: Approval, blocks: readonly types.KnownBlock[]): string | null {
  if (digestOf(subject) !== digest) return 'the stored question is not the one that was asked';
  const [call, preview] = [describeCall(subject), describePreview(subject) ?? ''];
  if (redact(call) !== call || redact(preview) !== preview)
    return 'it holds what looks like a secret, which is not shown here';
  const tooLong = Math.max(call.length, preview.length) > SHOWN_IN_FULL_MAX;
  return tooLong || JSON.stringify(blocks).length > BLOCKS_JSON_MAX ? 'it is too long to show in full' : null;
}

/** Names a tool by the operator's name of its instance and its own exact name; a title from elsewhere never comes in. */
function describeCall({ instance, tool, arguments: args, target, uid }: Subject): string {
  return [
    `instance   ${exact(instance)}`,
    `tool       ${exact(tool)}`,
    `arguments  ${exactJson(args)}`,
    `target     ${exact(target)}`,
    ...(uid === null ? [] : [`uid        ${exact(uid)}`]),
  ].join('\n');
}

function describePreview({ preview }: Subject): string | null {
  return preview === null || preview.length === 0 ? null : preview.map(exactLine).join('\n');
}

function explain({ approval, action }: CardView, call: string, preview: string | null): types.KnownBlock[] {
  const { subject } = approval;
  const asking = (action?.decision?.spoke ?? []).filter(({ decision }) => decision === 'ask').slice(0, RULES_MAX);
  const said = action ? saidBy(action.origin) : '';
  const secrets = (subject.secrets ?? []).map(describeSecret);
  const more = secrets.length - SECRETS_MAX;
  const rows: Inline[][] = [
    ...secrets.slice(0, SECRETS_MAX).map((secret) => [bold('Secret: '), plainly(words(secret))]),
    ...(more > 0 ? [[bold('Secrets: '), plainly(`${more} more; nightshift approvals shows them all`)]] : []),
    [bold('Risk: '), plainly([words(subject.risk), RISKS[subject.risk]].filter(Boolean).join(': '))],
    [bold('Undo: '), plainly(words(subject.undo))],
    [bold('Who may approve: '), plainly(words(whoMayApprove(approval)))],
    ...(subject.requestedBy === null ? [] : [[bold('Asked for by hand by: '), plainly(words(subject.requestedBy))]]),
    [bold('Until: '), moment(approval.expiresAt)],
    ...(action ? [[bold('Why: '), plainly(`${said}: “${words(action.reason)}”`)]] : []),
    ...(action?.expectedEffect ? [[bold('Expected: '), plainly(`${said}: “${words(action.expectedEffect)}”`)]] : []),
    ...approval.votes.map(describeVote),
  ];
  return [
    rich(lines([[bold('Will run exactly this')]]), preformatted(call)),
    ...(preview === null
      ? []
      : [rich(lines([[bold('What it would do, as a look at the target found')]]), preformatted(preview))]),
    rich(lines(rows)),
    ...(asking.length === 0
      ? []
      : [
          rich(
            lines([[bold('Asked because')]]),
            points(asking.map(({ rule, why }) => [plainly(words(`${why} (${rule})`))])),
          ),
        ]),
  ];
}

function describeVote({ principal, decision, reason, via, at }: Vote): Inline[] {
  const said = `${words(principal)} ${decision === 'approve' ? 'approved' : 'denied'} via ${words(via)}`;
  return [plainly(`${said}${reason ? `: “${words(reason)}”` : ''}, `), moment(at)];
}

function print({ id, digest }: Approval): types.ContextBlock {
  return smallPrint(`approval ${exact(id)} · digest ${digest.slice(0, 16)}…`);
}
