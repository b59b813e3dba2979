import type { Labels } from '../alert/index.ts';
import { type Approval, listApprovals } from '../approval/index.ts';
import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { evidenceOf } from '../diagnosis/index.ts';
import { messageOf } from '../errors.ts';
import { alertsOf, eventsAfter, incidentName, isClosed, loadIncident } from '../incident/index.ts';
import { actionsOf } from '../planning/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { renderThread } from './render-thread.ts';
import { dropMessage, finishThread, lockCards, messagesOf, staleThreads, takeThread, wantMessage } from './store.ts';

const BATCH = 50;
const EVENTS_MAX = 5000;
const HOUR_MS = 3600 * 1000;
const RETRY_MS = 60 * 1000;

export interface ThreadsDependencies {
  readonly db: Database;
  /** Where new threads begin; one that has begun stays in its channel. */
  readonly channel: string;
  /** Services with channels of their own, where the threads of their incidents begin. */
  readonly services?: Services | null;
  /** How many cards an hour are posted to a channel, however many questions there are. */
  readonly cardsPerHour: number;
  readonly log: Logger;
}

/**
 * Makes the function that renders every thread which does not show what is stored, each in its own transaction. One that cannot be
 * rendered is left alone for a minute, and keeps none of the others waiting.
 * @throws whatever the database throws when it cannot be asked at all.
 */
export function createRenderThreads(dependencies: ThreadsDependencies): () => Promise<void> {
  const { db, channel, log } = dependencies;
  const failedAt = new Map<number, number>();
  return async () => {
    for (const [incidentId, at] of failedAt) if (Date.now() - at > RETRY_MS) failedAt.delete(incidentId);
    for (const incidentId of await staleThreads(db, channel, { except: [...failedAt.keys()], limit: BATCH })) {
      try {
        await db.transaction(() => renderOne(incidentId, dependencies));
      } catch (error) {
        failedAt.set(incidentId, Date.now());
        log.error({ incident: incidentName(incidentId), error: messageOf(error) }, 'cannot render a Slack thread');
      }
    }
  };
}

/** Every channel that Nightshift writes to, the one for everything else first. */
export function channelsOf(channel: string, services: Services | null): string[] {
  const own = (services?.all ?? []).map(({ slackChannel }) => slackChannel).filter((one) => one !== null);
  return [...new Set([channel, ...own])];
}

/** Gives the channel of the first of these label sets that is of a service with one. */
function channelFor(labelSets: readonly Labels[], { channel, services = null }: ThreadsDependencies): string {
  const own = labelSets.map((labels) => services?.serviceOf(labels)?.slackChannel);
  return own.find((one) => one !== undefined && one !== null) ?? channel;
}

async function renderOne(incidentId: number, dependencies: ThreadsDependencies): Promise<void> {
  const { db, cardsPerHour } = dependencies;
  const before = await loadIncident(db, incidentId);
  const labelSets = [before, ...(await alertsOf(db, before))].map(({ labels }) => labels);
  const channel = channelFor(labelSets, dependencies);
  const thread = await takeThread(db, incidentId, channel);
  if (!thread) return;
  const incident = await loadIncident(db, incidentId);
  const present = await messagesOf(db, incidentId);
  const approvals = await listApprovals(db, { incidentId });
  const { admitted, held, lookAgainAt } = await admitCards(approvals);
  const rendered = renderThread({
    incident,
    alerts: await alertsOf(db, incident),
    evidence: await evidenceOf(db, incidentId, incident.cycle),
    actions: await actionsOf(db, incidentId),
    events: await eventsAfter(db, incidentId, 0, EVENTS_MAX),
    approvals: approvals.filter(({ id }) => admitted.has(id)),
    heldCards: held,
  });
  for (const message of rendered) {
    if (message.onlyUpdate && !present.get(message.purpose)?.perhapsSent)
      await dropMessage(db, incidentId, message.purpose);
    else await wantMessage(db, { incidentId, channel: thread.channel }, message);
  }
  await finishThread(db, incidentId, { shows: thread.shows, closed: isClosed(incident.state), lookAgainAt });

  /** A question whose card is there keeps it; of the others as many get one as the last hour leaves room for. */
  async function admitCards(all: readonly Approval[]) {
    const before = all.filter(({ id }) => present.has(`card:${id}`)).map(({ id }) => id);
    const asking = all
      .filter(({ id, status }) => status === 'pending' && !present.has(`card:${id}`))
      .map(({ id }) => id);
    if (asking.length === 0) return { admitted: new Set(before), held: 0, lookAgainAt: null };
    const recent = await lockCards(db, thread?.channel ?? channel);
    const room = Math.max(0, cardsPerHour - recent.length);
    const admitted = new Set([...before, ...asking.slice(0, room)]);
    const held = Math.max(0, asking.length - room);
    // Once as many have grown an hour old as exceed the limit, there is room again.
    const next = recent[Math.max(0, recent.length - cardsPerHour)];
    return { admitted, held, lookAgainAt: held > 0 && next ? new Date(next.getTime() + HOUR_MS) : null };
  }
}
