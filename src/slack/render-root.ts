import type { Alert } from '../alert/index.ts';
import { type Incident, incidentName, isClosed, type State, type StoredEvent } from '../incident/index.ts';
import {
  bold,
  buttons,
  heading,
  type Inline,
  lines,
  message,
  moment,
  plainly,
  type Rendered,
  rich,
} from './render-blocks.ts';
import { ACTION_IDS, button, TAKE_OVER_QUESTION } from './render-buttons.ts';
import { words } from './render-words.ts';

const STATES: Readonly<Record<State, readonly [symbol: string, words: string]>> = {
  received: ['🔴', 'received'],
  triaged: ['🔴', 'looking for evidence'],
  investigated: ['🔴', 'diagnosing'],
  diagnosed: ['🔴', 'planning'],
  planned: ['🔴', 'being judged by the policy'],
  awaiting_approval: ['❓', 'waits for an approval'],
  acting: ['🔧', 'acting'],
  verifying: ['🔎', 'verifying'],
  resolved: ['✅', 'resolved'],
  escalated: ['🙋', 'needs a person'],
  stopped: ['🛑', 'stopped by a person'],
};

const NAMES_SHOWN = 10;
const STOP_QUESTION = 'Nightshift then changes nothing anywhere, for any incident, until people release it. Go on?';

export interface RootView {
  readonly incident: Incident;
  readonly alerts: readonly Alert[];
  readonly events: readonly StoredEvent[];
  /** How many questions to people are not shown here, because enough cards were posted in the last hour. */
  readonly heldCards: number;
}

/** Renders the message that an incident's thread hangs on; it is updated as the incident moves, and ends without buttons. */
export function renderRoot({ incident, alerts, events, heldCards }: RootView): Rendered {
  const { id, state, severity, title, labels, context, openedAt } = incident;
  const [symbol, working] = STATES[state];
  const saying = isClosed(state) || context.held === null ? working : `waits: ${words(context.held)}`;
  const folded = new Set(
    events.filter(({ type }) => type === 'incident.took_in').flatMap(({ data }) => data.incidents as string[]),
  );
  const name = incidentName(id);
  const mode = events.findLast(({ type }) => type === 'triage.done')?.data.mode;
  const about = alerts[0]?.annotations.summary ?? alerts[0]?.annotations.description;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  const rows: Inline[][] = [
    [bold('State: '), plainly(saying)],
    [
      bold('Severity: '),
      plainly(words(severity)),
      bold('   Mode: '),
      plainly(typeof mode === 'string' ? words(mode) : '–'),
    ],
    [bold('Alerts: '), plainly(countAlerts(alerts)), bold('   Since: '), moment(openedAt)],
    ...(folded.size > 0 ? [[bold('Folded under it: '), plainly(shortened([...folded]))]] : []),
    ...(pairs.length > 0 ? [[bold('Labels: '), plainly(words(pairs.join(', ')))]] : []),
    ...(about === undefined ? [] : [[bold('The alert says: '), plainly(`“${words(about)}”`)]]),
    ...(state === 'escalated' ? [[bold('Needs a person: '), plainly(words(context.escalation?.reason ?? ''))]] : []),
    ...(heldCards > 0
      ? [[bold(`${heldCards} more question${heldCards === 1 ? ' waits' : 's wait'}: nightshift approvals`)]]
      : []),
  ];
  const head = `${symbol} ${name} ${words(title)}`;
  const value = { incident: id };
  const open = buttons(
    button(ACTION_IDS.details, 'Details', value),
    button(ACTION_IDS.takeOver, 'Take over', value, { confirm: TAKE_OVER_QUESTION }),
    button(ACTION_IDS.stopEverything, 'Stop everything', value, { style: 'danger', confirm: STOP_QUESTION }),
  );
  const blocks = [heading(head), rich(lines(rows)), ...(isClosed(state) ? [] : [open])];
  const urgent = state === 'awaiting_approval' || state === 'escalated';
  return message('root', `${head}: ${saying}`, blocks, { urgent });
}

function countAlerts(alerts: readonly Alert[]): string {
  const firing = alerts.filter(({ status }) => status === 'firing').length;
  return `${firing} firing, ${alerts.length - firing} resolved`;
}

function shortened(names: readonly string[]): string {
  const more = names.length - NAMES_SHOWN;
  return more > 0 ? `${names.slice(0, NAMES_SHOWN).join(', ')} and ${more} more` : names.join(', ');
}
