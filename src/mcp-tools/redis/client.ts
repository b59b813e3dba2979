import type { Redis } from 'ioredis';
import { messageOf, type NightshiftError } from '../../errors.ts';
import type { Driver, RedisRequest } from '../manifest/drivers.ts';
import { cutShort, type ToolContext, toolFailed } from '../tool.ts';
import type { RedisSettings } from './settings.ts';

const CONNECT_MS_MAX = 5_000;

/**
 * Runs something on a connection of its own, which is closed afterwards and never made anew by itself: a command that was lost on the
 * way is not sent again.
 * @throws NightshiftError `tool_failed` where the server cannot be reached, refuses, or does not answer in time; OutcomeUnknown where it
 * was sent a change (`readOnly` is false) and gave no answer.
 */
export async function withRedis<T>(
  { settings, signal, readOnly = true }: ToolContext<RedisSettings> & { readonly readOnly?: boolean },
  run: (redis: Redis) => Promise<T>,
): Promise<T> {
  const { host, port, socket, username, password, database, tls, ca } = settings;
  // Loaded with the first call, and only by the process that calls.
  const { Redis: Client } = await import('ioredis');
  const redis = new Client({
    ...(socket ? { path: socket } : { host: host ?? '127.0.0.1', port }),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(tls ? { tls: ca ? { ca } : {} } : {}),
    protocol: 2,
    db: database,
    connectionName: 'nightshift',
    connectTimeout: CONNECT_MS_MAX,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false,
  });
  let lost: Error | null = null;
  redis.on('error', (error) => {
    lost = error;
  });
  const abort = () => redis.disconnect();
  signal.addEventListener('abort', abort, { once: true });
  let isSent = false;
  try {
    await redis.connect();
    isSent = !readOnly;
    return await run(redis);
  } catch (cause) {
    if (signal.aborted) throw cutShort('Redis did not answer in time', isSent, { cause });
    if (isSent && !isRefusal(cause))
      throw cutShort(`the connection to Redis broke: ${messageOf(lost ?? cause)}`, isSent, { cause });
    throw explain(lost ?? cause, socket ?? `${host}:${port}`);
  } finally {
    signal.removeEventListener('abort', abort);
    redis.disconnect();
  }
}

/** The server's own refusals begin with a word in capitals; anything else was said by the connection. */
function isRefusal(cause: unknown): boolean {
  return /^(?:[A-Z]{2,}) /.test(messageOf(cause));
}

/** What the server or the way to it said, with what the operator can do about it. */
function explain(cause: unknown, at: string): NightshiftError {
  const message = messageOf(cause);
  const login = 'correct username and password in the settings of this toolset';
  if (/NOAUTH|WRONGPASS|invalid password/.test(message))
    return toolFailed(`Redis at ${at} refused our credentials: ${message}`, { cause, fix: login });
  if (/NOPERM/.test(message))
    return toolFailed(`Redis at ${at} refused: ${message}`, {
      cause,
      fix: 'allow it to the user of this toolset, if it may do this',
    });
  if (isRefusal(cause)) return toolFailed(`Redis at ${at} refused: ${message}`, { cause });
  const fix = 'check that it runs, and the address in the settings of this toolset';
  return toolFailed(`cannot reach Redis at ${at}: ${message}`, { cause, fix });
}

/** Sends one command; what INFO answers is taken apart into fields. */
export const sendRedis: Driver<RedisRequest, RedisSettings> = (command, context) =>
  withRedis(context, async (redis) => {
    const [name = '', ...args] = command.map((part) => (typeof part === 'string' ? part : JSON.stringify(part)));
    const answer: unknown = await redis.call(name, ...args);
    return name === 'INFO' && typeof answer === 'string' ? { fields: fieldsOf(answer) } : { answer };
  });

/** Takes `name:value` lines apart; numbers become numbers. */
export function fieldsOf(text: string): Record<string, string | number> {
  const lines = text.split(/\r?\n/).filter((line) => line.includes(':') && !line.startsWith('#'));
  const entries = lines.map((line) => {
    const [name = '', ...rest] = line.split(':');
    const value = rest.join(':');
    return [name, /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : value] as const;
  });
  return Object.fromEntries(entries);
}
