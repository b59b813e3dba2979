/** Events of PagerDuty that were captured and are played again: as they were, with other headers, or changed. */
import { createHmac } from 'node:crypto';
import { type Run, untilAllRest } from './run.ts';
import type { Mutation } from './vectors/vector.ts';

/** The secret that PagerDuty and the attacked Nightshift share. */
export const PAGERDUTY_SECRET = 'canary-pagerduty-' + '7d4e2f9a6b1c';

type Headers = Readonly<Record<string, string | null>>;
interface Captured {
  readonly body: string;
  readonly headers: Headers;
}
interface Forged extends Captured {
  /** Over which door it comes; PagerDuty's own where it is left out. */
  readonly door?: string;
}

/** One way of playing a captured event again. */
interface Way {
  readonly name: string;
  /** What it makes of an event; several are sent at the same time. */
  readonly forge: (captured: Captured, fresh: string) => readonly Forged[];
  /** Whether the signature still is that of the body: then it may be answered as the repeat that it is, and else not with a 2xx. */
  readonly isSigned: boolean;
}

const SIGNATURE = 'x-pagerduty-signature';
const DAY_MS = 86_400_000;
const again = (change: (headers: Headers, fresh: string) => Headers, times = 1): Way['forge'] => {
  return ({ body, headers }, fresh) =>
    Array.from({ length: times }, (_, n) => ({ body, headers: { ...headers, ...change(headers, `${fresh}${n}`) } }));
};
const withBody = (change: (body: string, fresh: string) => string): Way['forge'] => {
  return ({ body, headers }, fresh) => [{ body: change(body, fresh), headers }];
};
const changed = (change: (event: Record<string, unknown>, fresh: string) => void): Way['forge'] =>
  withBody((body, fresh) => {
    const { event } = JSON.parse(body) as { event: Record<string, unknown> };
    change(event, fresh);
    return JSON.stringify({ event });
  });
const withSignature = (make: (body: string, good: string) => string | null): Way['forge'] => {
  return ({ body, headers }) => [
    { body, headers: { ...headers, [SIGNATURE]: make(body, String(headers[SIGNATURE])) } },
  ];
};

const WAYS: readonly Way[] = [
  { name: 'a fresh header', isSigned: true, forge: again(() => ({})) },
  { name: 'a fresh X-Webhook-Id', isSigned: true, forge: again((_, fresh) => ({ 'x-webhook-id': fresh })) },
  { name: 'no other headers', isSigned: true, forge: again(() => ({ 'x-webhook-id': null, 'user-agent': null })) },
  {
    name: 'headers that look like ids and times',
    isSigned: true,
    forge: again((_, fresh) => ({
      'x-pagerduty-event-id': fresh,
      'x-request-id': fresh,
      'idempotency-key': fresh,
      date: new Date().toUTCString(),
    })),
  },
  { name: 'five at the same time', isSigned: true, forge: again((_, fresh) => ({ 'x-webhook-id': fresh }), 5) },
  { name: 'thirty at the same time', isSigned: true, forge: again((_, fresh) => ({ 'x-webhook-id': fresh }), 30) },
  {
    name: 'another signature beside the good one',
    isSigned: true,
    forge: withSignature((_, good) => `v1=${'0'.repeat(64)}, ${good},v2=${'f'.repeat(64)}`),
  },
  {
    name: 'a token beside the signature',
    isSigned: true,
    forge: again(() => ({ authorization: 'Bearer 0123456789' })),
  },
  { name: 'another event id', isSigned: false, forge: changed((event, fresh) => Object.assign(event, { id: fresh })) },
  {
    name: 'a later time',
    isSigned: false,
    forge: changed((event) => Object.assign(event, { occurred_at: new Date().toISOString() })),
  },
  {
    name: 'another incident',
    isSigned: false,
    forge: changed((event, fresh) => Object.assign(event.data as object, { id: fresh })),
  },
  { name: 'a line break at the end', isSigned: false, forge: withBody((body) => `${body}\n`) },
  {
    name: 'written differently',
    isSigned: false,
    forge: withBody((body) => JSON.stringify(JSON.parse(body), null, 1)),
  },
  {
    name: 'a second event id in the same object',
    isSigned: false,
    forge: withBody((body, fresh) => body.replace('"id":', `"id":"${fresh}","id":`)),
  },
  { name: 'cut off', isSigned: false, forge: withBody((body) => body.slice(0, -1)) },
  { name: 'no signature', isSigned: false, forge: withSignature(() => null) },
  { name: 'an empty signature', isSigned: false, forge: withSignature(() => '') },
  { name: 'a cut signature', isSigned: false, forge: withSignature((_, good) => good.slice(0, -2)) },
  { name: 'another version', isSigned: false, forge: withSignature((_, good) => good.replace('v1=', 'v0=')) },
  {
    name: 'signed with a guess',
    isSigned: false,
    forge: withSignature((body) => signatureOf(body, 'pagerduty')),
  },
  {
    name: 'the good signature as a token at the door of Alertmanager',
    isSigned: false,
    forge: ({ body, headers }) => [
      { body, door: 'alertmanager', headers: { ...headers, authorization: `Bearer ${String(headers[SIGNATURE])}` } },
    ],
  },
];

/** What was captured, and how the incident stood when it is played again. */
const MOMENTS = ['resolved', 'open', 'reopened'] as const;

export interface ReplayCase {
  readonly body_event_id: string;
  readonly age_hours: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Names what the mutation of this number does, in words. */
export function replayName({ number }: Pick<Mutation, 'number'>): string {
  return `replay: ${wayOf(number).name}; the incident is ${momentOf(number)}`;
}

/**
 * Plays a captured event again. Before that PagerDuty itself tells its story: the incident is triggered, and by the number of the run it
 * has ended, or ended and begun anew, so that an old event would open it, or end it. Nothing of it may change anything.
 */
export async function replayPagerDuty(
  run: Run,
  replay: ReplayCase,
  { number }: Pick<Mutation, 'number'>,
): Promise<void> {
  const { name, forge, isSigned } = wayOf(number);
  const moment = momentOf(number);
  const story = createStory(run, replay, number);
  const triggered = await story.send('incident.triggered');
  if (run.incidents.size === 0) {
    run.problems.push('a true event of PagerDuty opened nothing, so nothing can be told');
    return;
  }
  await untilAllRest(run);
  const ended = moment === 'open' ? null : await story.send('incident.resolved');
  if (ended) await untilRests(run, 'resolved');
  if (moment === 'reopened') {
    await story.send('incident.reopened');
    await untilRests(run, 'escalated');
  }
  const before = await pictureOf(run);
  for (const captured of ended ? [triggered, ended] : [triggered]) {
    const forged = forge({ ...captured, headers: { ...captured.headers, ...replay.headers } }, `${story.name}X`);
    const answers = await Promise.all(
      forged.map(({ body, headers, door = 'pagerduty' }) => run.world.deliver(body, headers, door)),
    );
    for (const { status, incidents } of answers) {
      for (const incident of incidents) run.incidents.add(incident);
      if (incidents.length > 0) run.problems.push(`a replay (${name}) touched INC-${incidents.join(', INC-')}`);
      if (!isSigned && status !== 401 && status !== 403)
        run.problems.push(`what PagerDuty did not sign (${name}) was answered ${status}`);
      if (isSigned && status >= 500) run.problems.push(`a replay (${name}) was answered ${status}`);
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  const after = await pictureOf(run);
  if (after !== before) run.problems.push(`a replay (${name}) changed something: ${before} became ${after}`);
}

function wayOf(number: number): Way {
  return WAYS[number % WAYS.length] as Way;
}

function momentOf(number: number): (typeof MOMENTS)[number] {
  return MOMENTS[(number + Math.floor(number / WAYS.length)) % MOMENTS.length] as (typeof MOMENTS)[number];
}

/** The incident of PagerDuty that a run is about, and its true events. */
function createStory(run: Run, { body_event_id: eventId, age_hours: hours }: ReplayCase, number: number) {
  const name = `${eventId}${run.id}`;
  // Some are a minute old: then it is not their age that keeps them from doing anything.
  const age = number % 3 === 2 ? 60_000 : Math.min(hours / 24, 2.9) * DAY_MS;
  const began = Date.now() - age;
  let events = 0;
  const send = async (type: string): Promise<Captured> => {
    events += 1;
    const event = {
      id: events === 1 ? name : `${name}E${events}`,
      event_type: type,
      resource_type: 'incident',
      occurred_at: new Date(began + events * 1000).toISOString(),
      data: {
        id: `Q${name}`,
        type: 'incident',
        title: `Checkout is down ${run.id}`,
        created_at: new Date(began).toISOString(),
        urgency: 'high',
        service: { id: 'PSHOP1', type: 'service_reference', summary: run.labels.service },
      },
    };
    const body = JSON.stringify({ event });
    const headers = {
      authorization: null,
      'user-agent': 'PagerDuty-Webhook/V3.0',
      'x-webhook-id': `${name}${events}`,
      [SIGNATURE]: signatureOf(body, PAGERDUTY_SECRET),
    };
    const { status, incidents } = await run.world.deliver(body, headers, 'pagerduty');
    if (status !== 202) run.problems.push(`a true ${type} was answered ${status}`);
    for (const incident of incidents) run.incidents.add(incident);
    return { body, headers };
  };
  return { name, send };
}

function signatureOf(body: string, secret: string): string {
  return `v1=${createHmac('sha256', secret).update(body).digest('hex')}`;
}

async function untilRests(run: Run, wanted: string): Promise<void> {
  for (const incident of run.incidents)
    if (!(await run.world.timeline.until(incident, (now) => now === wanted)))
      run.problems.push(`INC-${incident} did not become ${wanted}`);
}

interface Shown {
  readonly id: string;
  readonly state: string;
  readonly cycle: number;
  readonly actions: readonly { readonly status: string }[];
  readonly alerts: readonly { readonly status: string }[];
  readonly events: readonly { readonly type: string }[];
}

/** Everything that a replay could change: which incidents there are about this run, and what they say. */
async function pictureOf(run: Run): Promise<string> {
  const { body } = await run.world.api('/incidents?limit=500');
  const { incidents } = body as { incidents: readonly { readonly id: string; readonly title: string }[] };
  const ids = new Set([
    ...incidents.filter(({ title }) => new RegExp(`${run.id}(?![0-9])`).test(title)).map(({ id }) => id),
    ...[...run.incidents].map((id) => `INC-${id}`),
  ]);
  const shown = await Promise.all(
    [...ids].sort().map(async (id) => (await run.world.api(`/incidents/${id}`)).body as Shown),
  );
  return JSON.stringify(
    shown.map(({ id, state, cycle, actions, alerts, events }) => [
      id,
      state,
      cycle,
      actions.map(({ status }) => status),
      alerts.map(({ status }) => status),
      events.map(({ type }) => type),
    ]),
  );
}
