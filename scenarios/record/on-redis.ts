/** A Redis of its own for each story. */
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from '../../test/real-parts/redis.ts';
import { type Asked, Recorder } from './recorder.ts';

export const SYSTEM = 'Redis 7.0.15';
/** What says most of a server's state. */
export const looks = (): Asked[] => [
  ['sessions', 'redis.info'],
  ['sessions', 'redis.clients'],
  ['sessions', 'redis.memory'],
  ['sessions', 'redis.slowlog'],
  ['sessions', 'redis.latency'],
];

/** Runs one story on a Redis of its own. */
export async function onRedis(
  lines: readonly string[],
  settings: object,
  story: (redis: RedisServer, recorder: Recorder, connect: (name?: string) => Redis) => Promise<void>,
): Promise<void> {
  const redis = await startRedis(lines);
  const open: Redis[] = [];
  const recorder = new Recorder({
    real: { sessions: { uses: 'redis', settings: { socket: redis.socket, ...settings } } },
    shown: {
      sessions: { uses: 'redis', match: ['cache="sessions"'], host: 'sessions.cache.example', port: 6379, ...settings },
    },
    names: {
      [redis.socket]: '/run/redis/redis.sock',
      [redis.socket.replace(/\/redis\.sock$/, '')]: '/srv/redis',
      [String(redis.port)]: '6379',
    },
  });
  try {
    await story(redis, recorder, (name) => {
      const client = new Redis({
        path: redis.socket,
        maxRetriesPerRequest: 1,
        ...(name ? { connectionName: name } : {}),
      });
      client.on('error', () => {});
      open.push(client);
      return client;
    });
  } finally {
    for (const client of open) client.disconnect();
    await redis.stop();
  }
}

/** An alert about that server. */
export const alert = (
  alertname: string,
  summary: string,
  more: { labels?: Record<string, string>; annotations?: Record<string, string> } = {},
) => ({
  labels: { alertname, service: 'accounts', cache: 'sessions', severity: 'critical', ...more.labels },
  annotations: { summary, ...more.annotations },
});
