import type { webApi } from '@slack/bolt';
import type { Services, SlackConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { type Failpoint, noFailpoint } from '../failpoints.ts';
import { incidentName } from '../incident/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import {
  type Claimed,
  claimMessage,
  confirmMessage,
  deleteMessage,
  failMessage,
  pauseChannel,
} from './outgoing-claim.ts';
import { createSlackClient, explainFailure, findMessage, postMessage, updateMessage } from './outgoing-slack.ts';
import { connectChannel } from './store.ts';
import { channelsOf, createRenderThreads } from './threads.ts';

const LOOK_MS = 1000;
/** Between two messages of a channel: Slack allows one a second, with short bursts. */
const PACE_SECONDS = 1;
const RETRY_SECONDS_MIN = 5;
const RETRY_SECONDS_MAX = 60;

/** Slack as a projection of the database. */
export interface SlackOutgoing {
  start(): void;
  /** Sends nothing more once what is under way has been answered. */
  stop(): Promise<void>;
  /** Looks now for what Slack does not show yet. */
  kick(): void;
}

export interface SlackOutgoingDependencies {
  readonly db: Database;
  readonly config: Pick<SlackConfig, 'botToken' | 'channel' | 'apiUrl'>;
  /** Whose incidents go to channels of their own; none where it is left out. */
  readonly services?: Services;
  readonly cardsPerHour: number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** A named point at which tests stop the process; does nothing otherwise. */
  readonly failpoint?: Failpoint;
}

/**
 * Makes the sender that keeps one Slack thread for each incident as the database says it should stand. What is stored is rendered
 * again whenever anything was added to it; each message is a row that is committed before it is sent and is brought to Slack once,
 * by one replica, at most one a second for a channel. While Slack is out of reach rows wait, incidents go on and nothing is approved.
 */
export function createSlackOutgoing(dependencies: SlackOutgoingDependencies): SlackOutgoing {
  const { db, config, services = null, cardsPerHour, log, metrics, failpoint = noFailpoint } = dependencies;
  const client = createSlackClient(config, log);
  const { channel } = config;
  const renderThreads = createRenderThreads({ db, channel, services, cardsPerHour, log });
  let stopping = false;
  let working: Promise<void> | undefined;
  let wakeUp = () => {};

  async function work(): Promise<void> {
    let connected = false;
    while (!stopping) {
      let sent = false;
      try {
        if (!connected) for (const one of channelsOf(channel, services)) await connectChannel(db, one);
        connected = true;
        await renderThreads();
        const claimed = await claimMessage(db);
        if (claimed) await bring(claimed);
        sent = claimed !== null;
      } catch (error) {
        log.error({ error: messageOf(error) }, 'cannot read what Slack should show');
      }
      if (!stopping) await rest(sent ? PACE_SECONDS * 1000 + 20 : LOOK_MS);
    }
  }

  async function bring(claimed: Claimed): Promise<void> {
    failpoint('slack.before-send');
    try {
      metrics.notifications.inc({ outcome: await send(client, claimed, { db, failpoint }) });
    } catch (error) {
      await land(claimed, error);
    } finally {
      await pauseChannel(db, claimed.channel, PACE_SECONDS);
    }
  }

  async function land(claimed: Claimed, cause: unknown): Promise<void> {
    const { id, ts, attempts, purpose, doubtSince } = claimed;
    const { error, perhapsDone, waitSeconds, futile } = explainFailure(cause);
    metrics.notifications.inc({ outcome: waitSeconds === null ? 'slack_failed' : 'slack_limited' });
    log[waitSeconds === null ? 'error' : 'warn'](
      { incident: incidentName(claimed.incidentId), purpose, attempts, error },
      'Slack did not take a message',
    );
    if (futile && ts !== null) return confirmMessage(db, id, { ts, contentSha256: claimed.wantedSha256 });
    if (waitSeconds !== null) await pauseChannel(db, claimed.channel, waitSeconds);
    const delay = Math.min(RETRY_SECONDS_MIN * 2 ** (attempts - 1), RETRY_SECONDS_MAX);
    await failMessage(db, id, {
      error,
      retrySeconds: waitSeconds ?? delay,
      // A send that was surely refused adds no doubt, and removes none that was there before.
      doubtSince: perhapsDone ? 'unchanged' : doubtSince,
    });
  }

  /** Waits, unless there is something to do at once. */
  function rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  return {
    start() {
      working ??= work();
    },
    async stop() {
      stopping = true;
      wakeUp();
      await working;
    },
    kick() {
      wakeUp();
    },
  };
}

/** Brings one message to Slack; where an earlier send may have arrived, the thread is read back before anything is sent again. */
async function send(
  client: webApi.WebClient,
  claimed: Claimed,
  { db, failpoint }: { db: Database; failpoint: Failpoint },
): Promise<string> {
  const { id, ts, wanted, wantedSha256, doubtSince } = claimed;
  if (ts !== null) {
    await updateMessage(client, claimed, ts);
    failpoint('slack.after-update');
    await confirmMessage(db, id, { ts, contentSha256: wantedSha256 });
    return 'slack_updated';
  }
  const found = doubtSince === null ? null : await findMessage(client, claimed, doubtSince);
  if (found) {
    await confirmMessage(db, id, found);
    return 'slack_found';
  }
  if (wanted.onlyUpdate) {
    await deleteMessage(db, id);
    return 'slack_dropped';
  }
  const posted = await postMessage(client, claimed);
  failpoint('slack.after-send');
  await confirmMessage(db, id, { ts: posted, contentSha256: wantedSha256 });
  return 'slack_sent';
}
