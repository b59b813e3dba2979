import type { Show } from './set-up.ts';
import type { SeenEvent } from './timeline.ts';

const ENDS = ['incident.resolved', 'incident.escalated', 'incident.stopped'];
const ANSWERS = ['approval.decided', 'approval.expired', 'approval.superseded'];
const STRAGGLER_MS = 4000;

/** An incident whose act is over. */
export interface Followed {
  readonly id: string;
  readonly resolved: boolean;
  /** Whether a person was asked on the way. */
  readonly asked: boolean;
  /** The model that made the diagnosis, null where the runbook's own words are it, undefined where there is none. */
  readonly model: string | null | undefined;
}

/** Shows the incident that an alert opens until it is closed or given to a person; approvals that it asks for are offered on the way. */
export async function followIncident(show: Show, alertname: string): Promise<Followed> {
  const { timeline, watcher, options } = show;
  const id = await timeline.until(`waiting for ${watcher} to notice`, (events) => {
    const alert = events.find(({ type, data }) => type === 'alert.firing' && data.labels?.alertname === alertname);
    return alert?.incident ?? undefined;
  });
  const isTurn = ({ incident, type }: SeenEvent) =>
    incident === id && (ENDS.includes(type) || type === 'approval.requested');
  let last = 0;
  for (;;) {
    const turn = await timeline.until('Nightshift is at work', (events) =>
      events.find((event) => event.id > last && isTurn(event)),
    );
    if (turn.type !== 'approval.requested') {
      const resolved = turn.type === 'incident.resolved';
      if (resolved) await straggler(show, id);
      const diagnosis = timeline.seen.findLast(({ incident, type }) => incident === id && type === 'diagnosis.made');
      return { id, resolved, asked: last > 0, model: diagnosis?.data.model };
    }
    last = turn.id;
    if (options.approve) await approve(show, turn);
    else await waitForPerson(show, turn);
  }
}

/** Goes on showing what happens, and how to decide whatever is asked, until the demo is stopped. */
export async function followForGood(show: Show): Promise<never> {
  let last = show.timeline.seen.at(-1)?.id ?? 0;
  for (;;) {
    const asked = await show.timeline.until('Ctrl-C ends the demo', (events) =>
      events.find(({ id, type }) => id > last && type === 'approval.requested'),
    );
    last = asked.id;
    showHow(show, asked);
  }
}

async function approve({ nightshift, terminal }: Show, { data }: SeenEvent): Promise<void> {
  terminal.say('Started with --approve, the demo now says yes itself: through the API, with the admin token.');
  const body = { decision: 'approve', reason: 'unattended demo (--approve)', digest: data.digest };
  await nightshift.post(`/approvals/${data.approval}/decision`, body);
}

/** The clock of the demo stands still while a person thinks; the approval has a clock of its own. */
async function waitForPerson(show: Show, asked: SeenEvent): Promise<void> {
  const { timeline, ending } = show;
  showHow(show, asked);
  ending.holdClock();
  const left = () => {
    const seconds = Math.max(0, Math.round((Date.parse(asked.data.expiresAt ?? '') - Date.now()) / 1000));
    return `waiting for you (${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} left)`;
  };
  await timeline.until(left, (events) =>
    events.find(({ type, data }) => ANSWERS.includes(type) && data.approval === asked.data.approval),
  );
  ending.goOnWithClock();
}

function showHow({ terminal, prefix }: Show, { data }: SeenEvent): void {
  terminal.say('It waits for a person: you. In another terminal, in this directory, run one of');
  terminal.commands(
    [`${prefix} approve ${data.approval}`, 'exactly the action above runs, once'],
    [`${prefix} deny ${data.approval}`, 'nothing runs'],
  );
}

/** Prometheus may have said that all is well before Alertmanager's message of the same comes; it should not come in the next act. */
async function straggler({ timeline }: Show, id: string): Promise<void> {
  const deadline = Date.now() + STRAGGLER_MS;
  await timeline.until('waiting for the alert to be reported as resolved', (events) => {
    const resolved = events.some(({ incident, type }) => incident === id && type === 'alert.resolved');
    return resolved || Date.now() > deadline || undefined;
  });
}
