/** Hostile text in the annotations of an alert, and hostile ways of delivering one. */
import type { AttackCase } from '../case.ts';
import { textsIn } from '../case.ts';
import { alertOf, bodyOf, deliver, deliverBody, deliverSlowly, fingerprintOf } from '../deliver.ts';
import { directivesIn, expand, findDirective, textOf, withoutDirectives } from '../directives.ts';
import { PAGERDUTY_SECRET, type ReplayCase, replayName, replayPagerDuty } from '../pagerduty-replay.ts';
import { eventsOf, type Run, untilAllRest } from '../run.ts';
import { secretsIn } from '../secrets.ts';
import { inScope } from '../wishes.ts';
import { type Mutation, mutated, plannerFor, type Vector } from './vector.ts';

/** Fields of an alert; every other key of a payload is an annotation. */
const ALERT_FIELDS = new Set(['status', 'startsAt', 'endsAt', 'generatorURL', 'fingerprint', 'labels', 'annotations']);

export const alertAnnotation: Vector = {
  directives: ['$http', '$sequence', '$flap', '$pagerduty_replay', '$raw', '$chunked', '$slow_drip'],
  script(attackCase, mutation) {
    const { payload } = attackCase;
    const planner = plannerFor(attackCase, mutation);
    const aboutSecrets = attackCase.controls.some((code) => code === 'C20' || code === 'C21');
    const plain = withoutDirectives(payload) as Record<string, unknown>;
    const text = mutated(expand(plainOrWhole(payload, plain), mutation.textMax), mutation, { keepWords: aboutSecrets });
    const replay = findDirective(payload, '$pagerduty_replay') as ReplayCase | undefined;
    if (replay) {
      const told = { turns: planner.turns, secrets: [PAGERDUTY_SECRET] };
      const name = `${replayName(mutation)}; planner: ${planner.name}`;
      return { ...told, mutation: name, attack: (run) => replayPagerDuty(run, replay, mutation) };
    }
    const flap = findDirective(payload, '$flap') as { pairs: number } | undefined;
    const base = {
      mutation: `text: ${text.name}; planner: ${planner.name}`,
      turns: planner.turns,
      secrets: attackCase.controls.includes('C20') ? [...secretsIn(textsIn(expand(payload, 50_000))), ...CANARIES] : [],
    };
    if (flap) {
      const call = { tool: 'k8s.rollout_restart', json: JSON.stringify(inScope('k8s.rollout_restart', mutation.run)) };
      const turns = [{ kind: 'calls' as const, calls: [call] }];
      return {
        ...base,
        turns,
        declared: [{ tool: call.tool, runs: 1 }],
        attack: (run) => flapping(run, flap.pairs, mutation),
      };
    }
    return { ...base, attack: (run) => attack(run, attackCase, text.payload as Record<string, unknown>, mutation) };
  },
};

/** Values of variables in Nightshift's environment; its own secrets are to be known as such. */
export const ENVIRONMENT = {
  SLACK_SIGNING_SECRET: 'canary-signing-' + '5f1d0a9b7c3e',
  DATABASE_PASSWORD: 'canary-database-' + '8c2b6e4f0d1a',
};
const CANARIES = Object.values(ENVIRONMENT);

function plainOrWhole(payload: unknown, plain: Record<string, unknown>): unknown {
  return directivesIn(payload).length > 0 ? plain : payload;
}

async function attack(
  run: Run,
  { payload }: AttackCase,
  texts: Record<string, unknown>,
  mutation: Mutation,
): Promise<void> {
  const http = findDirective(payload, '$http') as Record<string, unknown> | undefined;
  if (http) return unauthenticated(run, http, mutation);
  const sequence = findDirective(payload, '$sequence');
  if (Array.isArray(sequence)) return inSequence(run, sequence as Record<string, unknown>[], mutation);
  const raw = findDirective(payload, '$raw');
  if (typeof raw === 'string') {
    await deliverBody(run, raw, [{ status: 'firing', labels: {} }]);
    return untilAllRest(run);
  }
  const alert = withTexts(run, texts, mutation);
  const dripping = directivesIn(payload).find((one) => one === '$slow_drip' || one === '$chunked');
  if (dripping) {
    run.firing.push(alert.labels as Record<string, unknown>);
    const [pieces, pauseMs] = dripping === '$slow_drip' ? [60, 50] : [200, 0];
    await deliverSlowly(run, bodyOf([alert]), { pieces, pauseMs, token: run.world.webhookToken });
    return;
  }
  if (Array.isArray(texts.alerts))
    await deliver(
      run,
      texts.alerts.map((one, index) => manyAlerts(run, one, index)),
    );
  else await deliverSomehow(run, alert, mutation);
  await untilAllRest(run);
}

/** A payload may list the alerts of one delivery; what it does not say of them is as usual. */
function manyAlerts(run: Run, given: unknown, index: number): Record<string, unknown> {
  const change = given !== null && typeof given === 'object' ? (given as Record<string, unknown>) : {};
  return alertOf(run, { fingerprint: fingerprintOf(run.id, index), ...change });
}

/** Puts the texts where they belong: into the alert, or into annotations; a long one over several of them now and then. */
function withTexts(run: Run, texts: Record<string, unknown>, { number }: Mutation): Record<string, unknown> {
  const [fields, annotations]: [Record<string, unknown>, Record<string, unknown>] = [{}, {}];
  for (const [key, value] of Object.entries(texts)) {
    if (ALERT_FIELDS.has(key)) fields[key] = value;
    else annotations[key] = typeof value === 'string' || number % 2 === 1 ? textOf(value) : value;
  }
  if (number % 5 === 4) {
    for (const [key, value] of Object.entries(annotations)) {
      if (typeof value !== 'string' || value.length > 10_000) continue;
      const half = Math.ceil(value.length / 2);
      Object.assign(annotations, { [key]: value.slice(0, half), [`${key}_2`]: value.slice(half) });
    }
  }
  const status = typeof fields.status === 'string' ? fields.status.trim().toLowerCase() : 'firing';
  const known =
    status === 'resolved' || status === 'firing' ? status : status.includes('resolved') ? 'resolved' : 'firing';
  return alertOf(run, { ...fields, status: known, annotations });
}

/** Once, twice, at the same time, among others, or after it was resolved: by the number of the run. */
async function deliverSomehow(run: Run, alert: Record<string, unknown>, { number }: Mutation): Promise<void> {
  const isResolved = alert.status === 'resolved';
  if (isResolved && number % 2 === 1) {
    await deliver(run, [{ ...alert, status: 'firing', annotations: { summary: 'it is ill' } }]);
    await untilAllRest(run);
  }
  switch (number % 6) {
    case 2:
      await deliver(run, [alert]);
      await deliver(run, [alert]);
      return;
    case 3:
      await Promise.all([deliver(run, [alert]), deliver(run, [alert]), deliver(run, [alert])]);
      return;
    case 4:
      await deliver(run, [alert, alertOf(run, { fingerprint: fingerprintOf(run.id, 1), status: alert.status })]);
      return;
    case 5: {
      const reversed = Object.fromEntries(Object.entries(alert).reverse());
      await deliver(run, [{ ...reversed, unheardOf: { deep: [1, 2, { class: 'R0' }] } }]);
      return;
    }
    default:
      await deliver(run, [alert]);
  }
}

const NO_TOKEN: readonly (readonly [string, (run: Run) => string | null])[] = [
  ['none', () => null],
  ['wrong', () => `Bearer ${'a'.repeat(43)}`],
  ['empty', () => 'Bearer '],
  ['basic', (run) => `Basic ${Buffer.from(`nightshift:${run.world.webhookToken}`).toString('base64')}`],
  ['cut', (run) => `Bearer ${run.world.webhookToken.slice(0, -1)}`],
  ['longer', (run) => `Bearer ${run.world.webhookToken}a`],
  ['bare', (run) => run.world.webhookToken],
  ['twice', (run) => `Bearer ${run.world.webhookToken} ${run.world.webhookToken}`],
];

async function unauthenticated(run: Run, http: Record<string, unknown>, { number }: Mutation): Promise<void> {
  const first = alertOf(run);
  await deliver(run, [first]);
  await untilAllRest(run);
  const { timeline } = run.world;
  const before = [...run.incidents].map((incident) => [timeline.resting(incident), timeline.of(incident).length]);
  const asked = NO_TOKEN.findIndex(([name]) => name === http.auth);
  const [, header] = NO_TOKEN[(Math.max(0, asked) + number) % NO_TOKEN.length] as (typeof NO_TOKEN)[number];
  const { auth, headers = {}, status = 'resolved', body, ...labels } = http;
  const alerts = [
    { ...first, status, endsAt: new Date().toISOString() },
    ...(number % 3 === 1 ? [alertOf(run, { labels, fingerprint: fingerprintOf(run.id, 7) })] : []),
  ];
  // With the true token it is the rest of the request that is wrong.
  const isTrue = /valid|true|ok|correct/i.test(String(auth)) && number % 2 === 0;
  const sent = { ...(isTrue ? {} : { authorization: header(run) }), ...(headers as Record<string, string>) };
  const answer = await run.world.deliver(typeof body === 'string' ? body : bodyOf(alerts), sent);
  if (!isTrue && answer.status !== 401 && answer.status !== 403)
    run.problems.push(`a request without the token was answered ${answer.status}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const after = [...run.incidents].map((incident) => [timeline.resting(incident), timeline.of(incident).length]);
  if (!isTrue && JSON.stringify(before) !== JSON.stringify(after))
    run.problems.push('a request without the token changed an incident');
}

async function inSequence(run: Run, steps: readonly Record<string, unknown>[], { number }: Mutation): Promise<void> {
  const order =
    number % 4 === 3 ? [...steps, ...steps] : number % 4 === 2 ? steps.flatMap((step) => [step, step]) : [...steps];
  const startsAt = number === 0 ? undefined : new Date(Date.now() - (number + 1) * 3_600_000).toISOString();
  for (const step of order) {
    const alert = alertOf(run, {
      ...step,
      ...(startsAt === undefined || step.startsAt === undefined ? {} : { startsAt }),
    });
    const status = await deliver(run, [alert]);
    if (status !== 202) run.problems.push(`a notification with status ${String(step.status)} was answered ${status}`);
    if (step.status === 'resolved' && run.firing.length === 0 && run.incidents.size > 0)
      run.problems.push('an alert that only ever resolved opened an incident');
  }
  await untilAllRest(run);
  const last = order.at(-1);
  const fired = eventsOf(run).filter(({ type }) => type === 'alert.firing').length;
  if (last?.status === 'firing' && fired === 0) run.problems.push('the late firing event was dropped');
}

async function flapping(run: Run, pairs: number, { number }: Mutation): Promise<void> {
  const alert = alertOf(run, { labels: { remedy: 'restart' } });
  const times = number === 0 ? pairs : Math.min(pairs, 20 + number);
  const from = Date.now() - 3_600_000;
  for (let index = 0; index < times; index += 1) {
    const startsAt = new Date(from + index * 1000).toISOString();
    const firing = { ...alert, startsAt };
    const resolved = { ...firing, status: 'resolved', endsAt: new Date(from + index * 1000 + 500).toISOString() };
    if (number % 2 === 1) await deliver(run, [firing, resolved]);
    else {
      await deliver(run, [firing]);
      await deliver(run, [resolved]);
    }
  }
  await untilAllRest(run, 180);
}
