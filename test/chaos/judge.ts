/** Judges a run by what the harness itself saw: what was accepted, what happened in the world, what people said. Pure. */
import type { Effect, Told } from './outside.ts';
import type { Post } from './slack.ts';
import { DESTRUCTIVE } from './stories.ts';

/** An alert for whose delivery somebody got a 2xx. */
export interface AcceptedAlert {
  readonly service: string;
  /** The how-manieth time that the service was ill, from 1. */
  readonly round: number;
  readonly status: 'firing' | 'resolved';
  readonly startsAt: string;
}

/** What the scripted person said, and that it was taken. */
export interface Said {
  readonly service: string;
  readonly what: 'approve' | 'deny' | 'stop';
  /** When it was said first, not when it was answered. */
  readonly at: number;
}

export interface SeenAction {
  readonly id: string;
  readonly tool: string;
  readonly status: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** An incident as the API shows it at the end. */
export interface SeenIncident {
  readonly id: string;
  readonly state: string;
  readonly cycle: number;
  readonly needs: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly alerts: readonly { readonly status: string; readonly startsAt: string }[];
  readonly actions: readonly SeenAction[];
  readonly events: readonly {
    readonly id: number;
    readonly type: string;
    readonly actor: string;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
}

/** A way to people that was set, and the incidents of which it said that a person is needed. */
export interface Heard {
  readonly channel: string;
  readonly incidents: ReadonlySet<string>;
}

/** Everything that is judged. */
export interface Picture {
  readonly accepted: readonly AcceptedAlert[];
  readonly effects: readonly Effect[];
  readonly said: readonly Said[];
  readonly incidents: readonly SeenIncident[];
  /** Services that were healthy at the end. */
  readonly healthy: ReadonlySet<string>;
  /** Services whose incident nobody is expected to answer. */
  readonly unanswered: ReadonlySet<string>;
  readonly heard: readonly Heard[];
  readonly told: readonly Told[];
  readonly posts: readonly Post[];
  /** Notes in PagerDuty by their key, as often as they are there. */
  readonly notes: readonly string[];
  /** What is wrong with the audit; empty where it verifies. */
  readonly audit: readonly string[];
  /** Ends of processes that nobody wished for. */
  readonly crashes: readonly string[];
  /** Deliveries that were answered as their sender's fault. */
  readonly refused: readonly string[];
}

export const RULES = [
  'lost',
  'doubled',
  'unapproved',
  'denied',
  'untold effect',
  'invented effect',
  'silent unknown',
  'stuck',
  'landed twice',
  'resolved while ill',
  'nobody told',
  'posted twice',
  'noted twice',
  'audit',
  'crashed',
  'refused',
] as const;
export type Rule = (typeof RULES)[number];

export interface Violation {
  readonly rule: Rule;
  readonly words: string;
}

/** States in which an incident rests: it is over, or a person has it. */
const RESTS = new Set(['resolved', 'stopped', 'escalated']);
/** Of these a cycle of an incident has one at most: a second one was landed by somebody who had no right to any more. */
const ONCE_IN_A_CYCLE = ['triage.done', 'incident.resolved', 'incident.stopped'];
const OUTCOMES = ['action.succeeded', 'action.failed', 'action.unknown'];

/** Gives every violation that a picture shows. */
export function judge(picture: Picture): Violation[] {
  const { incidents, effects, accepted, said } = picture;
  const byService = Map.groupBy(incidents, ({ labels }) => labels.service ?? '');
  const found: Violation[] = [];
  const violated = (rule: Rule, words: string) => found.push({ rule, words });

  for (const [service, alerts] of Map.groupBy(accepted, (alert) => alert.service)) {
    const of = byService.get(service) ?? [];
    if (of.length === 0) {
      violated('lost', `${service}: its alert got a 2xx, and there is no incident`);
      continue;
    }
    const latest = Math.max(...alerts.map(({ round }) => round));
    for (const { round, status, startsAt } of alerts) {
      const isSame = (time: unknown) => new Date(String(time)).getTime() === new Date(startsAt).getTime();
      const isTold = of.some(({ events }) =>
        events.some(({ type, data }) => type === `alert.${status}` && isSame(data.startsAt)),
      );
      if (!isTold) violated('lost', `${service}: no timeline tells that its alert of ${startsAt} was ${status}`);
      const shown = of.flatMap((incident) => incident.alerts).find((alert) => isSame(alert.startsAt));
      if (round !== latest) continue;
      if (!shown) violated('lost', `${service}: no incident has the alert of ${startsAt} (round ${round})`);
      else if (status === 'resolved' && shown.status !== 'resolved')
        violated('lost', `${service}: its alert was reported as resolved, and is shown as ${shown.status}`);
    }
  }

  const roundsOf = (service: string) =>
    new Set(accepted.filter((one) => one.service === service).map(({ round }) => round)).size;
  for (const [key, all] of Map.groupBy(effects, ({ service, tool }) => `${service} ${tool}`)) {
    const [service = '', tool = ''] = key.split(' ');
    // What was never accepted may have been committed all the same, where its answer was lost.
    const rounds = Math.max(1, roundsOf(service));
    if (all.length > rounds)
      violated('doubled', `${tool} was done ${all.length} times to ${service}, which was ill ${rounds} time(s)`);
    const actions = (byService.get(service) ?? [])
      .flatMap((incident) => incident.actions)
      .filter((action) => action.tool === tool);
    const sure = actions.filter(({ status }) => status === 'succeeded' || status === 'unknown').length;
    if (sure < all.length)
      violated(
        'untold effect',
        `${tool} was done ${all.length} time(s) to ${service}, and its actions are ${actions.map(({ status }) => status).join(', ') || 'none'}`,
      );
  }
  for (const { id, labels, actions } of incidents) {
    for (const { tool, status } of actions.filter((action) => action.status === 'succeeded'))
      if (!effects.some((effect) => effect.service === labels.service && effect.tool === tool))
        violated('invented effect', `${id}: ${tool} is ${status}, and nothing of it happened`);
  }

  for (const effect of effects.filter(({ tool }) => DESTRUCTIVE.includes(tool))) {
    const words = said.filter(({ service }) => service === effect.service);
    if (!words.some(({ what, at }) => what === 'approve' && at <= effect.at))
      violated('unapproved', `${effect.tool} was done to ${effect.service}, and nobody had said yes before`);
    if (words.some(({ what, at }) => what === 'deny' && at <= effect.at))
      violated('denied', `${effect.tool} was done to ${effect.service} after somebody had said no`);
  }

  for (const incident of incidents) {
    const { id, state, events, labels } = incident;
    const service = labels.service ?? '';
    for (const unknown of events.filter(({ type }) => type === 'action.unknown')) {
      const after = events.some(
        (event) =>
          event.id > unknown.id &&
          (event.type.startsWith('verification.') ||
            event.type === 'incident.escalated' ||
            event.type.startsWith('person.')),
      );
      if (!after) violated('silent unknown', `${id}: nobody looked after an action whose outcome is unknown`);
    }
    for (const action of incident.actions.filter(({ status }) => status === 'unknown'))
      if (!events.some(({ type, data }) => type === 'action.unknown' && data.action === action.id))
        violated('silent unknown', `${id}: ${action.tool} is unknown, and the timeline does not say so`);
    const waits = state === 'awaiting_approval' && picture.unanswered.has(service);
    if (!RESTS.has(state) && !waits)
      violated(
        'stuck',
        `${id} (${labels.alertname}) is ${state}; last: ${events
          .slice(-3)
          .map(({ type }) => type)
          .join(', ')}`,
      );
    for (const words of twiceIn(incident)) violated('landed twice', `${id}: ${words}`);
    if (state === 'resolved' && !picture.healthy.has(service))
      violated('resolved while ill', `${id}: it is resolved, and ${service} is ill`);
    if (events.some(({ type }) => type === 'incident.escalated'))
      for (const { channel, incidents: heard } of picture.heard)
        if (!heard.has(id)) violated('nobody told', `${id} was escalated, and ${channel} never heard of it`);
  }

  for (const [key, posts] of Map.groupBy(picture.posts, (post) => post.key)) {
    const unheard = posts.filter(({ answered }) => !answered).length;
    if (posts.length > 1 + unheard) violated('posted twice', `Slack has the message ${key} ${posts.length} times`);
  }
  for (const [key, notes] of Map.groupBy(picture.notes, (note) => note))
    if (notes.length > 1) violated('noted twice', `PagerDuty has the note ${key} ${notes.length} times`);
  for (const words of picture.audit) violated('audit', words);
  for (const words of picture.crashes) violated('crashed', words);
  for (const words of picture.refused) violated('refused', words);
  return found;
}

/** Says what stands in a timeline more often than one worker at a time could have written it. */
function twiceIn({ events }: SeenIncident): string[] {
  const words: string[] = [];
  const counts = new Map<string, number>();
  let cycle = 1;
  for (const { type, data } of events) {
    if (type === 'incident.reopened') cycle += 1;
    const key = ONCE_IN_A_CYCLE.includes(type)
      ? `${type} in cycle ${cycle}`
      : OUTCOMES.includes(type)
        ? `an outcome of action ${String(data.action)}`
        : type === 'action.started'
          ? `the start of action ${String(data.action)}`
          : null;
    if (key === null) continue;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count === 2) words.push(`it has ${key} twice`);
  }
  return words;
}

/** Tells whether an incident rests, or waits for a person whom this run does not have. */
export function isAtRest(
  { state, labels }: Pick<SeenIncident, 'state' | 'labels'>,
  unanswered: ReadonlySet<string>,
): boolean {
  return RESTS.has(state) || (state === 'awaiting_approval' && unanswered.has(labels.service ?? ''));
}
