import { type Incident, incidentName, type StoredEvent } from '../incident/index.ts';
import type { Action, ActionStatus } from '../planning/index.ts';
import {
  bold,
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
import { isVerification, renderVerification } from './render-checks.ts';
import { cut, exact, words } from './render-words.ts';

const STANDS: Readonly<Record<ActionStatus, string>> = {
  proposed: '▫️ not begun',
  allowed: '▶️ cleared by the policy',
  asked: '❓ waits for an approval',
  approved: '▶️ approved',
  denied: '⛔ denied',
  running: '▶️ running',
  succeeded: '✔️ ran',
  failed: '❌ failed',
  unknown: '❔ outcome unknown: it is looked at, and not repeated',
  cancelled: '➖ left out',
};
const BEGUN: ReadonlySet<ActionStatus> = new Set(['allowed', 'approved', 'running', 'succeeded', 'failed', 'unknown']);
const ACTIONS_MAX = 6;
const WORDS_MAX = 120;

/** Renders one message for each attempt of which anything was cleared to run: what ran, what came of it, and whether that helped. */
export function renderAttempts(
  { id, cycle }: Pick<Incident, 'id' | 'cycle'>,
  actions: readonly Action[],
  events: readonly StoredEvent[],
): Rendered[] {
  const verified = verifiedBy(actions, events);
  const attempts = new Map<string, Action[]>();
  for (const action of actions) {
    const key = keyOf(action);
    attempts.set(key, [...(attempts.get(key) ?? []), action]);
  }
  return [...attempts].flatMap(([key, plan]): Rendered[] => {
    const [first] = plan;
    if (!first || !plan.some(({ status }) => BEGUN.has(status))) return [];
    const found = verified.get(key);
    const verification = found && renderVerification(found);
    const title = `🔧 Attempt ${first.attempt}${first.cycle > 1 ? ` (fired ${first.cycle} times)` : ''}`;
    const blocks = [
      heading(title),
      rich(
        points(plan.slice(0, ACTIONS_MAX).flatMap(describeAction)),
        ...(plan.length > ACTIONS_MAX
          ? [lines([[plainly(`${plan.length - ACTIONS_MAX} more: nightshift incident ${incidentName(id)}`)]])]
          : []),
      ),
      ...(verification
        ? [
            rich(
              lines([[bold(verification.said)]]),
              ...(verification.checks.length > 0 ? [points(verification.checks)] : []),
            ),
          ]
        : []),
    ];
    const said = verification?.said ?? plan.map(({ status }) => STANDS[status]).join(', ');
    // Of what fired before, only what was shown then is kept up.
    return [
      message(`attempt:${key}`, `${incidentName(id)}: ${title}: ${said}`, blocks, {
        onlyUpdate: first.cycle !== cycle,
      }),
    ];
  });
}

function describeAction({ tool, target, status, result }: Action): Inline[][] {
  const on = cut(exact(target), WORDS_MAX);
  const line = [code(cut(exact(tool), WORDS_MAX)), plainly(' on '), code(on), plainly(`: ${STANDS[status]}`)];
  return result === null || result === undefined
    ? [line]
    : [line, [plainly(`the tool says: “${cut(words(JSON.stringify(result)), WORDS_MAX)}”`)]];
}

const keyOf = ({ cycle, attempt }: Pick<Action, 'cycle' | 'attempt'>) => `${cycle}.${attempt}`;

/** The latest word of a verification belongs to the attempt that last sent something, until there is another plan. */
function verifiedBy(actions: readonly Action[], events: readonly StoredEvent[]): Map<string, StoredEvent> {
  const places = new Map(actions.map((action) => [action.id, keyOf(action)]));
  const verified = new Map<string, StoredEvent>();
  let latest: string | undefined;
  for (const event of events) {
    if (event.type === 'plan.made' || event.type === 'incident.reopened') latest = undefined;
    else if (event.type.startsWith('action.') && event.type !== 'action.refused')
      latest = places.get(String(event.data.action)) ?? latest;
    else if (latest !== undefined && isVerification(event)) verified.set(latest, event);
  }
  return verified;
}
