import { type Incident, incidentName, isClosed, type StoredEvent } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import {
  bold,
  buttons,
  code,
  heading,
  type Inline,
  lines,
  message,
  plainly,
  points,
  type Rendered,
  rich,
} from './render-blocks.ts';
import { ACTION_IDS, button, TAKE_OVER_QUESTION } from './render-buttons.ts';
import { isVerification, renderVerification } from './render-checks.ts';
import { cut, exact, words } from './render-words.ts';

const SENT: ReadonlySet<Action['status']> = new Set(['succeeded', 'failed', 'unknown']);
const RUNS_MAX = 6;
const TARGET_MAX = 150;
const RATERS_MAX = 10;
const NAME_MAX = 64;
const EFFECTS = {
  healed: 'healed it',
  unchanged: 'did not help',
  worse: 'made it worse',
  unknown: 'nobody knows whether it helped',
};

/** Renders one message for each time that a person was needed; only the present one is posted anew, and it has buttons. */
export function renderEscalations(
  incident: Pick<Incident, 'id' | 'title' | 'state'>,
  events: readonly StoredEvent[],
): Rendered[] {
  const escalated = events.filter(({ type }) => type === 'incident.escalated');
  const name = incidentName(incident.id);
  const value = { incident: incident.id };
  return escalated.map(({ data }, index) => {
    const present = incident.state === 'escalated' && index === escalated.length - 1;
    const next = typeof data.escalateTo === 'string' ? ` (${words(data.escalateTo)})` : '';
    const reason = words(String(data.reason ?? ''));
    const title = present ? `🙋 ${name} needs a person${next}` : `${name} needed a person${next}`;
    const blocks = [
      heading(`${title}: ${words(incident.title)}`),
      rich(
        lines([
          [bold('Why: '), plainly(reason)],
          [
            plainly(
              present
                ? `Mend it and say: nightshift close ${name}. Or: nightshift ask-again ${name}`
                : 'It went on from there.',
            ),
          ],
        ]),
      ),
      ...(present
        ? [
            buttons(
              button(ACTION_IDS.takeOver, 'Take over', value, { confirm: TAKE_OVER_QUESTION }),
              button(ACTION_IDS.details, 'Details', value),
            ),
          ]
        : []),
    ];
    const flags = { broadcast: true, urgent: present, onlyUpdate: !present };
    return message(`escalation:${index + 1}`, `${title}: ${reason}`, blocks, flags);
  });
}

/** Renders how it ended, and asks whether that was helpful, from which Nightshift learns; null while the incident is open. */
export function renderSummary(
  incident: Incident,
  actions: readonly Action[],
  events: readonly StoredEvent[],
): Rendered | null {
  const { id, state, cycle, context, title } = incident;
  if (!isClosed(state)) return null;
  const name = incidentName(id);
  const ended = events.findLast(({ type }) => type === `incident.${state}`);
  const verified = events.findLast(isVerification);
  const verification = state === 'resolved' && verified ? renderVerification(verified) : null;
  const ran = actions.filter((action) => action.cycle === cycle && SENT.has(action.status));
  const stopper = events.findLast(({ type }) => type === 'person.stop')?.actor ?? 'a person';
  const head = state === 'resolved' ? `✅ ${name} is resolved` : `🛑 ${name} was stopped by ${words(stopper)}`;
  const cause = context.diagnosis;
  const rows: Inline[][] = [
    ...(state === 'resolved'
      ? [[bold('Closed by: '), plainly(`${words(ended?.actor ?? 'nightshift')}${tally(ended)}`)]]
      : []),
    ...(cause
      ? [
          [
            bold(`The ${cause.mode} said: `),
            plainly(`“${words(cause.rootCause)}”${cause.inconclusive ? ' (inconclusive)' : ''}`),
          ],
        ]
      : []),
    [bold(ran.length > 0 ? 'What ran:' : 'Nightshift ran nothing.')],
  ];
  const value = { incident: id };
  const asks = [
    rich(
      lines([
        [plainly('Was this helpful? The next incident like it learns from the answer.')],
        ...ratings(events, cycle),
      ]),
    ),
    buttons(button(ACTION_IDS.helpful, '👍 Helpful', value), button(ACTION_IDS.unhelpful, '👎 Not helpful', value)),
  ];
  const blocks = [
    heading(`${head}: ${words(title)}`),
    rich(lines(rows), ...(ran.length > 0 ? [points(ran.slice(-RUNS_MAX).map(describeRun))] : [])),
    ...(verification
      ? [
          rich(
            lines([[bold(verification.said)]]),
            ...(verification.checks.length > 0 ? [points(verification.checks)] : []),
          ),
        ]
      : []),
    ...(state === 'resolved' ? asks : []),
  ];
  return message(`summary:${cycle}`, head, blocks);
}

function tally(ended: StoredEvent | undefined): string {
  const { attempts, seconds } = ended?.data ?? {};
  if (typeof attempts !== 'number' || typeof seconds !== 'number') return '';
  return ` after ${attempts} attempt${attempts === 1 ? '' : 's'} and ${seconds} s`;
}

function describeRun({ tool, target, effect, status }: Action): Inline[] {
  const said = effect ? EFFECTS[effect] : status === 'unknown' ? 'outcome unknown' : 'not known whether it helped';
  return [
    code(cut(exact(tool), TARGET_MAX)),
    plainly(' on '),
    code(cut(exact(target), TARGET_MAX)),
    plainly(`: ${said}`),
  ];
}

/** A person's latest word counts. */
function ratings(events: readonly StoredEvent[], cycle: number): Inline[][] {
  const said = new Map<string, boolean>();
  for (const { type, actor, data } of events)
    if (type === 'person.rated' && data.cycle === cycle) said.set(actor, data.helpful === true);
  if (said.size === 0) return [];
  return [
    [
      plainly(
        [...said]
          .slice(-RATERS_MAX)
          .map(([who, helpful]) => `${helpful ? '👍' : '👎'} ${cut(words(who), NAME_MAX)}`)
          .join('  '),
      ),
    ],
  ];
}
