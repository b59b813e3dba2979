/** Hostile requests at the door for Slack: forged, replayed, altered, and of people who may not decide. */
import { alertOf, deliver } from '../deliver.ts';
import { directivesIn, findDirective, withoutDirectives } from '../directives.ts';
import { FLOW_DIRECTIVES, flow, hasFlow, personOf, touchesEverybody } from '../flows.ts';
import { pressMutation } from '../mutate-press.ts';
import { type Card, cardsOf } from '../people.ts';
import type { Turn } from '../planner.ts';
import { CannotTell, type Run, untilAllRest } from '../run.ts';
import { type Press, press, pressAll, sayNo, sendEvent } from '../slack-press.ts';
import { APPROVERS } from '../slack-workspace.ts';
import { inScope } from '../wishes.ts';
import { changeIn, regenerated } from './llm-output.ts';
import type { Mutation, Vector } from './vector.ts';

const SENDING = [
  '$signed',
  '$unsigned',
  '$signed_with',
  '$signed_body_then_modified',
  '$replay_exact',
  '$concurrent_clicks',
  '$sequence',
  '$event',
  '$also',
  '$burst',
  '$clock',
];
/** Longer than a card of the usual world is good for. */
const TTL_SECONDS = 900;

export const slackPayload: Vector = {
  directives: [...SENDING, ...FLOW_DIRECTIVES],
  whyNot({ payload }) {
    const clock = findDirective(payload, '$clock');
    return clock !== undefined && secondsOf(clock) === null ? `it is not known when ${JSON.stringify(clock)} is` : null;
  },
  script({ payload, forbidden, vector: _vector }, mutation) {
    const { number, run, random } = mutation;
    const { class: wanted } = (payload ?? {}) as { class?: string };
    const isCritical =
      wanted === undefined
        ? /two approvals|second of two/i.test(forbidden) !== (number % 4 === 3)
        : /R3|critical/i.test(wanted);
    const tool = isCritical
      ? random.pick(['k8s.drain_node', 'db.failover', 'aws.terminate_instance'])
      : random.pick(['k8s.delete_pod', 'cache.flush', 'aws.reboot_instance']);
    const behind = changeIn(payload);
    const usual: Turn[] = [{ kind: 'calls', calls: [{ tool, json: JSON.stringify(inScope(tool, run)) }] }];
    const turns = behind ? regenerated(behind, mutation).turns : usual;
    const clock = findDirective(payload, '$clock');
    const late = clock !== undefined && (secondsOf(clock) ?? 0) > TTL_SECONDS;
    const change = number === 0 ? null : pressMutation(number, random);
    return {
      mutation: `${tool}; ${change?.name ?? 'as it is'}`,
      turns,
      world: late ? 'short' : 'slack',
      lane:
        touchesEverybody(payload) || (number === 0 && directivesIn(payload).includes('$concurrent_clicks'))
          ? 'alone'
          : 'normal',
      attack: async (one) => {
        if (!one.world.slackHears) throw new CannotTell('Nightshift takes nothing from Slack yet');
        if (findDirective(payload, '$burst') !== undefined)
          return burst(one, findDirective(payload, '$burst') as Burst, mutation);
        await deliver(one, [alertOf(one)]);
        await untilAllRest(one);
        const [card] = cardsOf(one);
        if (!card)
          throw new CannotTell(
            `nothing was asked (${[...one.incidents]
              .map(
                (i) =>
                  `INC-${i} ${one.world.timeline.resting(i)} ${one.world.timeline
                    .of(i)
                    .map(({ type }) => type)
                    .join(' ')}`,
              )
              .join(', ')}; ${JSON.stringify(one.problems)})`,
          );
        if (late) await new Promise((resolve) => setTimeout(resolve, 1500));
        if (hasFlow(payload)) await flow(one, payload);
        else await send(one, card, payload as Record<string, unknown>, { number, change: change?.change ?? {}, late });
        await untilAllRest(one);
      },
    };
  },
};

interface Sending {
  readonly number: number;
  readonly change: Partial<Press>;
  readonly late: boolean;
}

async function send(
  run: Run,
  card: Card,
  payload: Record<string, unknown>,
  { number, change, late }: Sending,
): Promise<void> {
  const replay = findDirective(payload, '$replay_exact') as { times?: number } | undefined;
  const clicks = findDirective(payload, '$concurrent_clicks');
  const sequence = findDirective(payload, '$sequence');
  const first = pressOf(payload, late);
  if (Array.isArray(sequence)) return inSequence(run, card, sequence.map(String), { ...first, ...change });
  if (typeof clicks === 'number') {
    const people = Object.values(APPROVERS);
    const all = Array.from(
      { length: number === 0 ? clicks : Math.min(clicks, 30) },
      (_, index): Press => ({
        ...first,
        ...(number % 2 === 1 ? change : {}),
        user: people[index % people.length] as string,
      }),
    );
    return pressAll(run, card, all);
  }
  if (replay) {
    await press(run, card, {
      ...first,
      ...change,
      times: Math.min(20, (replay.times ?? 2) + (number % 4)),
      atOnce: number % 2 === 1,
    });
    return;
  }
  const events = [findDirective(payload, '$event'), findDirective(payload, '$also')]
    .flat()
    .filter((event) => event !== undefined && event !== null);
  if (events.length > 0) {
    for (const event of events) await sendEvent(run, card, event as Record<string, unknown>, { ...first, ...change });
    return;
  }
  await press(run, card, {
    ...first,
    ...change,
    ...(change.merge || first.merge ? { merge: { ...first.merge, ...change.merge } } : {}),
  });
}

/** Reads what a payload says about a click; what is not said is as Slack would have it. */
function pressOf(payload: Record<string, unknown>, late: boolean): Press {
  const {
    timestamp_offset_s,
    action = 'approve',
    value,
    user,
    times,
    class: _class,
    actions,
    ...merge
  } = withoutDirectives(payload) as Record<string, unknown>;
  const secret = findDirective(payload, '$signed_with');
  const modified = findDirective(payload, '$signed_body_then_modified');
  const given = user === undefined ? {} : typeof user === 'object' ? (user as Record<string, unknown>) : { id: user };
  const id = typeof given.id === 'string' ? (APPROVERS[personOf(given.id)] ?? given.id) : APPROVERS.sre1;
  return {
    action: String(action),
    user: String(id),
    late,
    ...(Object.keys(given).length > 1 ? { userFields: given } : {}),
    ...(typeof timestamp_offset_s === 'number' ? { offsetSeconds: timestamp_offset_s } : {}),
    ...(typeof times === 'number' ? { times, afresh: true } : {}),
    ...(value !== null && typeof value === 'object' ? { value: value as Record<string, unknown> } : {}),
    ...(Array.isArray(actions) ? { actions: actions as Record<string, unknown>[] } : {}),
    ...(Object.keys(merge).length > 0 ? { merge } : {}),
    ...(directivesIn(payload).includes('$unsigned') ? { signature: '' } : {}),
    ...(typeof secret === 'string' ? { secret } : {}),
    ...(modified !== undefined ? { modifyAfterSigning: modified } : {}),
  };
}

async function inSequence(run: Run, card: Card, steps: readonly string[], base: Press): Promise<void> {
  for (const step of steps) {
    const [, word = 'approve', who = 'U0SRE1'] = /(approve|deny)\w*(?: by (\S+))?/i.exec(step) ?? [];
    const user = APPROVERS[personOf(who)] ?? who;
    if (word.toLowerCase() === 'deny') await sayNo(run, card, user);
    else await press(run, card, { ...base, user });
  }
}

interface Burst {
  readonly cards?: number;
}

/** Many questions at once; how many cards of them Slack is shown is counted over all runs. */
async function burst(run: Run, { cards = 60 }: Burst, { number }: Mutation): Promise<void> {
  const wanted = number === 0 ? cards : 3 + (number % 5);
  await Promise.all(
    Array.from({ length: wanted }, (_, index) =>
      deliver(run, [
        alertOf(run, {
          labels: { alertname: `Burst${index}` },
          fingerprint: `${run.id.slice(1)}${String(index).padStart(6, '0')}`,
        }),
      ]),
    ),
  );
  await untilAllRest(run);
  if (number === 0) await new Promise((resolve) => setTimeout(resolve, 10_000));
}

/** Reads when a click comes, in seconds behind the card: a number, `+16m`, `901s`, or an object with one of them; null where it is none of these. */
export function secondsOf(clock: unknown): number | null {
  if (typeof clock === 'number') return clock;
  if (clock !== null && typeof clock === 'object') return secondsOf(Object.values(clock)[0]);
  const [, amount, unit = 's'] =
    /([0-9]+(?:\.[0-9]+)?)\s*(ms|s|sec\w*|m|min\w*|h|hours?)?\b/i.exec(String(clock)) ?? [];
  if (amount === undefined || /^\d{4}-\d\d-\d\d/.test(String(clock))) return null;
  const factor = unit.startsWith('h') ? 3600 : unit === 'ms' ? 0.001 : unit.startsWith('m') ? 60 : 1;
  return Number(amount) * factor;
}
