/** Sends clicks, rightly and wrongly signed, and keeps in the register those that had to count. */
import { inParallel } from './in-parallel.ts';
import { type Card, postToSlackDoor, remember } from './people.ts';
import type { Run } from './run.ts';
import { APP, APPROVERS, click, interaction, SIGNING_SECRET, sign, TEAM } from './slack-workspace.ts';

const SKEW_SECONDS_MAX = 300;
/** More than a listening socket queues would be turned away before Nightshift ever hears of them. */
const CONNECTIONS_MAX = 250;
const ACTION_IDS: Readonly<Record<string, string>> = {
  approve: 'nightshift_approve',
  deny: 'nightshift_deny',
  details: 'nightshift_details',
};

/** A click, with whatever is wrong with it. */
export interface Press {
  readonly user: string;
  readonly action: string;
  readonly userFields?: Readonly<Record<string, unknown>>;
  /** In place of the card's own; texts in angle brackets say what to change about it. */
  readonly value?: Readonly<Record<string, unknown>>;
  readonly actions?: readonly Readonly<Record<string, unknown>>[];
  /** Fields over those of the payload. */
  readonly merge?: Readonly<Record<string, unknown>>;
  readonly offsetSeconds?: number;
  readonly timestamp?: string;
  readonly signature?: string;
  readonly secret?: string;
  readonly contentType?: string;
  readonly modifyAfterSigning?: unknown;
  /** The card has expired by the time of the click. */
  readonly late?: boolean;
  /** How often it is sent: the very same request, or (`afresh`) signed anew each time. */
  readonly times?: number;
  readonly afresh?: boolean;
  readonly atOnce?: boolean;
}

/** Presses once, or as often as it says. */
export async function press(run: Run, card: Card, pressed: Press): Promise<void> {
  const { times = 1, afresh = false, atOnce = false } = pressed;
  const first = requestOf(run, card, pressed);
  const requests = Array.from({ length: times }, (_, index) =>
    afresh && index > 0 ? requestOf(run, card, pressed) : first,
  );
  if (first.counts) remember(run, card, { person: personOfUser(pressed.user), decision: 'approve' });
  if (atOnce) await Promise.all(requests.map((request) => postAndWait(run, request)));
  else for (const request of requests) await postAndWait(run, request);
}

/** Presses many times at once, by many people. */
export async function pressAll(run: Run, card: Card, all: readonly Press[]): Promise<void> {
  const requests = all.map((pressed) => {
    const request = requestOf(run, card, pressed);
    if (request.counts) remember(run, card, { person: personOfUser(pressed.user), decision: 'approve' });
    return request;
  });
  await inParallel(requests, CONNECTIONS_MAX, async (request) => void (await postToSlackDoor(run, request)));
  await run.world.timeline.until(card.incident, (resting) => resting === 'escalated' || resting === 'resolved', 30);
}

/** Says no as Slack does: by the form that the button opens. */
export async function sayNo(run: Run, card: Card, user: string): Promise<void> {
  const submission = {
    type: 'view_submission',
    api_app_id: APP,
    team: { id: TEAM },
    user: { id: user, team_id: TEAM },
    view: {
      callback_id: 'nightshift_deny_form',
      private_metadata: JSON.stringify({ approval: card.id, digest: card.digest }),
      state: { values: { reason: { reason: { type: 'plain_text_input', value: 'not now' } } } },
    },
  };
  remember(run, card, { person: personOfUser(user), decision: 'deny' });
  await postAndWait(run, { ...sign(interaction(submission)), counts: true });
  await run.world.timeline.until(card.incident, (resting) => resting === 'escalated', 10);
}

/** Sends an event, for example a message that says `approve`; none of them ever counts. */
export async function sendEvent(
  run: Run,
  card: Card,
  event: Readonly<Record<string, unknown>>,
  pressed: Press,
): Promise<void> {
  const text = typeof event.text === 'string' ? event.text.replace(/apr_\w+/g, card.id) : undefined;
  const whole = {
    token: 'unused',
    team_id: TEAM,
    api_app_id: APP,
    type: 'event_callback',
    event_id: `Ev${run.id}${Math.floor(run.random.next() * 1e9)}`,
    event: {
      user: pressed.user,
      channel: 'C0OPS',
      ts: '1700000000.000001',
      item: { type: 'message', channel: 'C0OPS', ts: '1700000000.000001' },
      ...event,
      ...(text === undefined ? {} : { text }),
    },
  };
  await postAndWait(run, { ...sign(JSON.stringify(whole), pressed), counts: false });
}

interface Request {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether SECURITY.md wants it to be heard. */
  readonly counts: boolean;
}

function requestOf(run: Run, card: Card, pressed: Press): Request {
  const { user, action, userFields, value, actions, merge, modifyAfterSigning } = pressed;
  const own = { approval: card.id, digest: card.digest };
  const filled =
    value === undefined
      ? own
      : { ...own, ...Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(key, one, card)])) };
  const payload = click(
    run.world.workspace.responseUrl,
    { user, action: ACTION_IDS[action] ?? action, value: filled },
    { ...merge },
  );
  if (userFields) payload.user = { ...(payload.user as object), ...userFields, id: user };
  if (actions) {
    const [usual] = payload.actions as object[];
    payload.actions = actions.map((one) => ({
      ...usual,
      ...one,
      action_id: ACTION_IDS[String(one.action_id)] ?? one.action_id,
    }));
  }
  const body = interaction(payload);
  const signed = sign(body, pressed);
  const sent = modifyAfterSigning === undefined ? body : changed(body, modifyAfterSigning, payload);
  return { body: sent, headers: signed.headers, counts: sent === body && isSound(payload, pressed, card) };
}

/** Whether a click is one that must count: all of this is the harness's own reading of SECURITY.md (C02, C11, C12). */
function isSound(payload: Readonly<Record<string, unknown>>, pressed: Press, card: Card): boolean {
  const { offsetSeconds = 0, timestamp, signature, secret = SIGNING_SECRET, late = false } = pressed;
  const {
    type,
    api_app_id: app,
    team,
    user,
    actions,
    function_data,
    bot_access_token,
    workflow,
  } = payload as Record<string, Record<string, unknown>>;
  const list = (payload.actions ?? []) as readonly { action_id?: unknown; value?: unknown }[];
  const own = JSON.stringify({ approval: card.id, digest: card.digest });
  return (
    Math.abs(offsetSeconds) <= SKEW_SECONDS_MAX &&
    timestamp === undefined &&
    signature === undefined &&
    secret === SIGNING_SECRET &&
    !late &&
    String(type) === 'block_actions' &&
    String(app) === APP &&
    team?.id === TEAM &&
    (user?.team_id === undefined || user.team_id === TEAM) &&
    Object.values(APPROVERS).includes(String(user?.id)) &&
    function_data === undefined &&
    bot_access_token === undefined &&
    workflow === undefined &&
    Array.isArray(actions) &&
    list.length === 1 &&
    list[0]?.action_id === ACTION_IDS.approve &&
    list[0]?.value === own
  );
}

function personOfUser(user: string): string {
  return Object.entries(APPROVERS).find(([, id]) => id === user)?.[0] ?? user;
}

/** Placeholders of the cases: `apr_0042` is the card's own id, `<one hex digit changed>` its digest with that change. */
function fill(key: string, value: unknown, card: Card): unknown {
  const text = String(value);
  const own = key === 'digest' ? card.digest : card.id;
  if (/^apr_\w+$/.test(text)) return card.id;
  if (!/^<.*>$/.test(text)) return value;
  if (/one (hex )?digit/i.test(text)) return own.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
  if (/upper/i.test(text)) return own.toUpperCase();
  if (/empty|missing/i.test(text)) return '';
  if (/short|trunc|cut/i.test(text)) return own.slice(0, -1);
  if (/same|valid|own|real|stored|correct/i.test(text) && !/older|other|another|different/i.test(text)) return own;
  return own.split('').reverse().join('');
}

function changed(body: string, change: unknown, payload: Record<string, unknown>): string {
  if (change !== null && typeof change === 'object') return interaction({ ...payload, ...change });
  return body.includes('U0SRE') ? body.replace(/U0SRE\d/, 'U0LEAD') : `${body}&more=1`;
}

/** Waits until whoever pressed was told what came of it, or until nobody is to be told. */
async function postAndWait(run: Run, request: Request): Promise<void> {
  const before = run.world.workspace.answered();
  const { status } = await postToSlackDoor(run, request);
  if (status !== 200) {
    if (request.counts) run.problems.push(`a click that had to be heard was answered ${status}`);
    return;
  }
  const deadline = Date.now() + 500;
  while (Date.now() < deadline && run.world.workspace.answered() === before)
    await new Promise((resolve) => setTimeout(resolve, 20));
}
