import { type IRouter, Router } from 'express';
import type { Services, SlackConfig } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { readCommand } from './commands.ts';
import { createWhoIs } from './incoming-actor.ts';
import { createOwnApp } from './incoming-app.ts';
import { pressButton, submitDenial } from './incoming-buttons.ts';
import { createLane } from './incoming-lane.ts';
import { answerMention } from './incoming-mention.ts';
import { REASON_MISSING } from './incoming-modals.ts';
import { createHearOnce } from './incoming-once.ts';
import { type FromSlack, readPayload } from './incoming-payload.ts';
import { createHttpDoor, createSocketDoor, type Hear, type SocketDoor } from './incoming-receivers.ts';
import { createTell } from './incoming-tell.ts';
import { createSlackClient } from './outgoing-slack.ts';
import type { SlackPorts } from './ports.ts';
import { channelsOf } from './threads.ts';

/** The incoming half of Slack: what people press, type and ask there. */
export interface SlackIncoming {
  /** Takes what Slack sends over HTTP; mount it before any body parser. It has no routes without a signing secret. */
  readonly router: IRouter;
  /** Connects in Socket Mode where there is an app token; goes on trying in the background, and never throws. */
  start(): void;
  /** Takes nothing more over Socket Mode, and waits for what is under way. */
  stop(): Promise<void>;
}

export interface SlackIncomingDependencies {
  readonly config: SlackConfig;
  /** Whose channels are Nightshift's too; none where it is left out. */
  readonly services?: Services;
  readonly ports: SlackPorts;
  readonly metrics: Pick<Metrics, 'slackRequests'>;
  readonly log: Logger;
  readonly now?: () => Date;
}

/** Fewer than the database has connections, so that a storm of clicks leaves most of them to the incidents. */
const DECISIONS_AT_ONCE = 4;

const FAILED =
  'this did not go through; the log of Nightshift has the details. Fix: look whether it happened, then try again';
const UNHEARD =
  'this was not recorded, because the database does not answer; nothing was done. Fix: try again, or use the CLI';

/** How a word ended: for the metric, and in words for whoever it is from. */
interface Ending {
  readonly outcome: 'heard' | 'replayed' | 'refused' | 'failed';
  readonly say: string | null;
}

/**
 * Makes the door for people in Slack. Whatever comes is acknowledged first, then heard at most once, then matched to a configured person,
 * and only then passed on; whoever did it is told in words what came of it.
 */
export function createSlackIncoming(dependencies: SlackIncomingDependencies): SlackIncoming {
  const { config, services = null, ports, metrics, log, now = () => new Date() } = dependencies;
  const channels = channelsOf(config.channel, services);
  const client = createSlackClient(config, log);
  const tell = createTell(client, config, log);
  const whoIs = createWhoIs(client, ports.identity, now);
  const hearOnce = createHearOnce(ports.db, now);
  const ownApp = createOwnApp(client, config.appToken, now);
  const count = (outcome: string) => metrics.slackRequests.inc({ outcome });
  const lane = createLane(DECISIONS_AT_ONCE);
  const underWay = new Set<Promise<void>>();

  async function act(message: FromSlack): Promise<string | null> {
    const { actor, word } = message;
    switch (word.kind) {
      case 'button':
        return pressButton(message, word, { ports, client, whoIs });
      case 'deny_form':
        return submitDenial(message, word, { ports, client, whoIs });
      case 'command': {
        const command = readCommand(word.text);
        const { name } = await whoIs(actor, command.needs);
        return command.run(name, ports);
      }
      case 'mention':
        return answerMention(message, word.text, { ports, whoIs, channels });
    }
  }

  async function work(message: FromSlack, keys: readonly string[]): Promise<Ending> {
    const { actor, word, refused, appId } = message;
    const app = await ownApp();
    if (app !== null && appId !== app) return { outcome: 'refused', say: null };
    try {
      const eventKey = word.kind === 'mention' ? [`event ${actor.team} ${word.eventId}`] : [];
      if (!(await hearOnce([...keys, ...eventKey]))) return { outcome: 'replayed', say: null };
    } catch (error) {
      log.error({ error }, 'cannot record a request of Slack');
      return { outcome: 'failed', say: UNHEARD };
    }
    if (refused !== null) return { outcome: 'refused', say: refused };
    try {
      return { outcome: 'heard', say: await act(message) };
    } catch (error) {
      const known = error instanceof NightshiftError && error.audience !== 'developer';
      if (!known) log.error({ error }, 'a word from Slack failed');
      const outcome = known && error.status < 500 ? 'refused' : 'failed';
      return { outcome, say: known ? error.message : FAILED };
    }
  }

  async function finish(message: FromSlack, keys: readonly string[]): Promise<void> {
    const { actor, place, word } = message;
    // Only questions may take long, because a model answers them; they do not keep a decision waiting.
    const isShort = word.kind === 'button' || word.kind === 'deny_form';
    const { outcome, say } = await (isShort ? lane(() => work(message, keys)) : work(message, keys));
    if (say !== null && word.kind === 'mention' && outcome === 'heard') await tell.inThread(place, say);
    else if (say !== null) await tell.alone(place, actor.user, say);
    count(outcome);
  }

  const hear: Hear = async (body, ack, keys) => {
    const message = readPayload(body);
    if (message?.word.kind === 'deny_form' && message.word.reason === '') {
      await ack(REASON_MISSING);
      return count('refused');
    }
    await ack();
    if (message === null) return count('ignored');
    const working = finish(message, keys).catch((error: unknown) => {
      log.error({ error }, 'a word from Slack failed');
      count('failed');
    });
    underWay.add(working);
    await working.finally(() => underWay.delete(working));
  };

  const doors = { hear, onRefused: () => count('unauthenticated'), now, log };
  const { signingSecret, appToken } = config;
  const socket: SocketDoor | null = appToken === undefined ? null : createSocketDoor({ ...config, appToken }, doors);
  return {
    router: signingSecret === undefined ? Router() : createHttpDoor({ ...config, signingSecret }, doors),
    start() {
      // Asked early, because a form must open within three seconds of the first click.
      void ownApp();
      socket?.start();
    },
    async stop() {
      await socket?.stop();
      await Promise.all(underWay);
    },
  };
}
