import {
  App,
  type Logger as BoltLogger,
  ExpressReceiver,
  LogLevel,
  type Receiver,
  SocketModeReceiver,
} from '@slack/bolt';
import { type IRouter, Router } from 'express';
import type { SlackConfig } from '../config/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../telemetry/index.ts';
import { createGuard, EVENTS_PATH } from './incoming-guard.ts';

const RECONNECT_MS_MIN = 1_000;
const RECONNECT_MS_MAX = 30_000;
/** Only for payloads that Bolt hands to nobody; all others are acknowledged at once. Slack waits three seconds. */
const UNKNOWN_MS = 2_500;

/** Tells Slack that something arrived, with what it should show, if anything. */
export type Ack = (response?: Record<string, unknown>) => Promise<void>;

/** Takes one verified payload; `keys` tell it from every other. Must acknowledge first and never throw. */
export type Hear = (body: unknown, ack: Ack, keys: readonly string[]) => Promise<void>;

/** Makes the routes of HTTP mode: our guard, then Bolt's check of the signature over the raw body, then `hear`. */
export function createHttpDoor(
  { signingSecret, botToken }: { signingSecret: string; botToken: string },
  { hear, onRefused, now, log }: { hear: Hear; onRefused: () => void; now: () => Date; log: Logger },
): IRouter {
  const logger = boltLogger(log);
  const receiver = new ExpressReceiver({
    signingSecret,
    endpoints: EVENTS_PATH,
    logger,
    unhandledRequestTimeoutMillis: UNKNOWN_MS,
    unhandledRequestHandler: ({ response }) => void (response.headersSent || response.writeHead(200).end()),
    customPropertiesExtractor: (request) => ({ keys: [String(request.headers['x-slack-signature'])] }),
  });
  connect(receiver, botToken, hear, logger);
  return Router().use(createGuard(now, onRefused)).use(receiver.router);
}

/** A connection of Socket Mode that is held open. */
export interface SocketDoor {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Makes the door of Socket Mode. It connects again by itself whenever it is disconnected, rather than letting the client do so: a client
 * that is turned away while it reconnects (a revoked token) rejects a promise that nobody holds, which would end the process.
 */
export function createSocketDoor(
  { appToken, botToken, apiUrl }: Pick<SlackConfig, 'botToken' | 'apiUrl'> & { appToken: string },
  { hear, log }: { hear: Hear; log: Logger },
): SocketDoor {
  const logger = boltLogger(log);
  const receiver = new SocketModeReceiver({
    appToken,
    logger,
    autoReconnectEnabled: false,
    installerOptions: {
      clientOptions: { slackApiUrl: apiUrl, retryConfig: { retries: 0 }, rejectRateLimitedCalls: true },
    },
    customPropertiesExtractor: ({ envelope_id }: { envelope_id?: unknown }) => ({
      keys: [`envelope ${String(envelope_id)}`],
    }),
  });
  connect(receiver, botToken, hear, logger);
  let stopping = false;
  let wait = RECONNECT_MS_MIN;
  let timer: NodeJS.Timeout | undefined;

  const again = (why: string) => {
    if (stopping || timer !== undefined) return;
    log.warn({ error: why, seconds: wait / 1000 }, 'not connected to Slack; trying again');
    timer = setTimeout(() => {
      timer = undefined;
      open();
    }, wait);
    wait = Math.min(wait * 2, RECONNECT_MS_MAX);
  };
  const open = () => {
    receiver.start().then(
      () => {
        // It may have been on its way when it was told to stop.
        if (stopping) return void receiver.client.disconnect();
        wait = RECONNECT_MS_MIN;
        log.info('connected to Slack in Socket Mode');
      },
      (error: unknown) => again(messageOf(error)),
    );
  };
  receiver.client.on('disconnected', () => again('it was disconnected'));
  return {
    start: open,
    async stop() {
      stopping = true;
      clearTimeout(timer);
      await receiver.client.disconnect();
    },
  };
}

/** Puts one middleware in place of all of Bolt's routing: what a payload means is read by our own schemas, in one place. */
function connect(receiver: Receiver, botToken: string, hear: Hear, logger: BoltLogger): void {
  const app = new App({
    receiver,
    logger,
    // Asked of nobody: Bolt would call Slack at once, and reject a promise that nobody holds if that fails.
    authorize: async () => ({ botToken }),
    ignoreSelf: false,
    convoStore: false,
    attachFunctionToken: false,
  });
  app.use(async (args) => {
    // Bolt has acknowledged events by itself.
    const ack: Ack = 'ack' in args && args.ack ? (args.ack as Ack) : async () => {};
    const { keys } = args.context as { keys?: readonly string[] };
    await hear(args.body, ack, keys ?? []);
  });
}

/** Bolt's debug lines hold whole payloads, so they are dropped; its warnings are about single requests, which anybody can send. */
function boltLogger(log: Logger): BoltLogger {
  const drop = () => {};
  return {
    debug: drop,
    info: drop,
    warn: (...words) => log.debug({ slack: words.map(messageOf).join(' ') }, 'Bolt warns'),
    error: (...words) => log.warn({ slack: words.map(messageOf).join(' ') }, 'Bolt complains'),
    setLevel: drop,
    setName: drop,
    getLevel: () => LogLevel.INFO,
  };
}
