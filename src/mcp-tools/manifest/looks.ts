import { exists, hasFlag } from '@ioredis/commands';
import type { Problem } from '../../errors.ts';
import type { Manifest, Request } from './manifest.ts';
import { isChange } from './manifest.ts';

/** Commands that look and that Redis does not flag as reading keys, because they read the server. A second word is part of the command. */
const SERVER_LOOKS: ReadonlySet<string> = new Set([
  ...['info', 'ping', 'dbsize', 'time', 'lastsave', 'role'],
  ...['client list', 'client info', 'config get', 'slowlog get', 'slowlog len', 'latency latest', 'latency history'],
  ...['memory stats', 'memory usage', 'memory doctor', 'cluster info', 'cluster nodes', 'pubsub channels'],
  ...['pubsub numsub', 'object encoding', 'object freq', 'object idletime', 'xinfo stream', 'xinfo groups'],
]);

/**
 * Lists the looks of a manifest whose request could change something: a `read` tool runs unasked and without a clearance, and so does what
 * a change looks at beforehand. A program cannot be told from outside; a statement is held to reading by the server.
 */
export function looksThatChange(manifest: Manifest): Problem[] {
  const look = isChange(manifest)
    ? { field: 'inspect.request', request: manifest.inspect?.request }
    : { field: 'request', request: manifest.request };
  const why = look.request ? whyNoLook(look.request) : null;
  return why === null ? [] : [{ field: look.field, ...why }];
}

function whyNoLook({ http, redis }: Request): Omit<Problem, 'field'> | null {
  if (http && http.method !== 'GET')
    return {
      value: http.method,
      message: 'is no look: it may change something, and nobody would be asked',
      fix: 'use GET, or declare the tool as a change',
    };
  if (!redis) return null;
  const [command, second] = redis.map((word) => (typeof word === 'string' ? word.toLowerCase() : ''));
  const name = command ?? '';
  if (SERVER_LOOKS.has(name) || SERVER_LOOKS.has(`${name} ${second}`)) return null;
  if (exists(name) && hasFlag(name, 'readonly')) return null;
  return {
    value: redis.slice(0, 2).join(' '),
    message: 'is no look: Redis does not say of this command that it only reads',
    fix: 'use a command that only reads, written out and not filled in, or declare the tool as a change',
  };
}
