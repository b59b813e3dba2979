import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import { incidentName } from '../incident/index.ts';
import { type Logger, type Metrics, redact } from '../telemetry/index.ts';
import type { Channel } from './channel.ts';
import { startLoop } from './loop.ts';
import { SendFailed } from './request.ts';
import {
  claimDelivery,
  type Due,
  dropOtherChannels,
  endDelivery,
  noteAllFailed,
  postponeDelivery,
  routeMessages,
} from './store.ts';

const LOOK_MS = 1000;
const RETRY_SECONDS_MIN = 5;
const RETRY_SECONDS_MAX = 300;

export interface Outbox {
  start(): void;
  /** Sends nothing more once what is under way has been answered. */
  stop(): Promise<void>;
}

/**
 * Makes the sender of messages to people. Each was committed with the step that gave rise to it; it is logged, and then delivered
 * on each channel by itself, again and again with a growing delay until that took it (at least once) or refused it for good.
 */
export function createOutbox({
  db,
  channels,
  metrics,
  log,
  failpoint = noFailpoint,
}: {
  db: Database;
  /** In the order in which they are named where all have failed. */
  channels: readonly Channel[];
  metrics: Metrics;
  log: Logger;
  /** A named point at which tests stop the process; does nothing otherwise. */
  failpoint?: Failpoint;
}): Outbox {
  const loops: { stop(): Promise<void> }[] = [];
  let settled = false;
  for (const { name } of channels)
    for (const outcome of ['failed', 'refused']) metrics.notifications.inc({ channel: name, outcome }, 0);

  async function route(): Promise<boolean> {
    if (!settled) await dropOtherChannels(db, channels);
    settled = true;
    const messages = await routeMessages(db, channels);
    for (const { incidentId, kind, text } of messages) {
      const incident = incidentId === null ? null : incidentName(incidentId);
      log[kind === 'resolved' ? 'info' : 'warn']({ incident, kind, text }, 'message to people');
      if (channels.length === 0) metrics.notifications.inc({ outcome: 'logged' });
    }
    return messages.length > 0;
  }

  async function deliverNext(channel: Channel): Promise<boolean> {
    const due = await claimDelivery(db, channel);
    if (!due) return false;
    const delivery = { id: due.id, channel: channel.name };
    try {
      failpoint(`${channel.name}.before-send`);
      const outcome = await channel.deliver(due);
      failpoint(`${channel.name}.after-send`);
      await endDelivery(db, delivery, { outcome, error: null });
      metrics.notifications.inc({ channel: channel.name, outcome });
    } catch (error) {
      await land(channel, due, error);
    }
    return true;
  }

  async function land(channel: Channel, due: Due, cause: unknown): Promise<void> {
    const { id, incident, kind, attempts, perhapsSent } = due;
    const failure = cause instanceof SendFailed ? cause : new SendFailed(messageOf(cause));
    const error = redact(failure.message);
    const delivery = { id, channel: channel.name };
    const outcome = failure.refused ? 'refused' : 'failed';
    metrics.notifications.inc({ channel: channel.name, outcome });
    log.error(
      { incident, kind, channel: channel.name, attempts, error },
      `a message to people was ${outcome === 'refused' ? 'refused' : 'not taken'}`,
    );
    const delay = Math.min(RETRY_SECONDS_MIN * 2 ** (attempts - 1), RETRY_SECONDS_MAX);
    const retrySeconds = failure.waitSeconds ?? delay;
    const failed = await db.transaction(async () => {
      if (failure.refused) await endDelivery(db, delivery, { outcome: 'refused', error });
      else
        await postponeDelivery(db, delivery, { error, retrySeconds, perhapsSent: perhapsSent || failure.perhapsDone });
      return noteAllFailed(db, due, channels);
    });
    if (!failed) return;
    metrics.notifications.inc({ channel: 'all', outcome: 'failed' });
    log.error({ incident, kind, channels: failed }, 'no channel gets a message to people through');
  }

  return {
    start() {
      const failed = (error: unknown) => log.error({ error: messageOf(error) }, 'cannot read the outbox');
      loops.push(startLoop(route, LOOK_MS, failed));
      for (const channel of channels) loops.push(startLoop(() => deliverNext(channel), LOOK_MS, failed));
    },
    async stop() {
      await Promise.all(loops.splice(0).map((loop) => loop.stop()));
    },
  };
}
