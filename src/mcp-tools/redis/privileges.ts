import { requestsOf } from '../manifest/requests.ts';
import type { PrivilegesFor, Tool } from '../tool.ts';
import type { RedisSettings } from './settings.ts';

/** Commands with subcommands that are allowed one by one. @see https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/ */
const CONTAINERS = new Set([
  'ACL',
  'CLIENT',
  'CLUSTER',
  'COMMAND',
  'CONFIG',
  'FUNCTION',
  'LATENCY',
  'MEMORY',
  'MODULE',
  'OBJECT',
  'PUBSUB',
  'SCRIPT',
  'SLOWLOG',
  'XGROUP',
  'XINFO',
]);
/** Commands that name no key. */
const KEYLESS = new Set(['DBSIZE', 'FLUSHDB', 'INFO', 'LASTSAVE', 'PING', 'PUBLISH', 'ROLE', 'SCAN', 'TIME']);
/** Commands whose arguments are all keys; of others that are known here, the first is. */
const ALL_KEYS = new Set(['DEL', 'EXISTS', 'MGET', 'SCARD', 'TOUCH', 'UNLINK']);

/** Writes the ACL of a user that can do what these tools do, and nothing else. */
export function redisPrivileges({ name, settings, tools, own, account }: PrivilegesFor<RedisSettings>): string {
  const enabled = tools.filter((tool) => isEnabled(tool, settings));
  const commands = enabled.flatMap((tool) => requestsOf(tool).flatMap(({ redis }) => (redis ? [redis] : [])));
  const ownKeys = own.flatMap((tool) => requestsOf(tool).flatMap(({ redis }) => (redis ? keysOf(redis) : [])));
  const isEveryKey = ownKeys.includes(null);
  const hasCache = enabled.some((tool) => tool.name === 'redis.delete_prefix');
  const keys = [
    ...(hasCache ? settings.cachePrefixes.map((prefix) => `${prefix}*`) : []),
    ...ownKeys.filter((key) => key !== null),
  ];
  const selects = settings.database === 0 ? [] : [['SELECT']];
  const rules = [...new Set([['CLIENT', 'SETNAME'], ...selects, ...commands].map(ruleOf))].sort();
  const patterns = isEveryKey ? ['~*'] : [...new Set(keys)].map((key) => `~${key}`);
  const notes = [
    `The ACL of a user of Redis 7 for the instance ${name}. Send the line below with redis-cli, with a password of your own.`,
    'Connections are named (client|setname), so that CLIENT LIST shows whose they are.',
    ...(rules.includes('+config|set')
      ? [`An ACL cannot limit config|set to one setting; Nightshift changes only ${settings.configurable.join(', ')}.`]
      : []),
    ...(rules.includes('+flushdb')
      ? ['flushdb empties the whole database; leave the tool redis.flush out if nobody should.']
      : []),
    ...(rules.includes('+scan') ? ['scan shows the names of all keys, not their values.'] : []),
    ...(isEveryKey
      ? [
          `An argument is the key of ${own.map((tool) => tool.name).join(', ')}, so every key is allowed: narrow ~* to how they begin.`,
        ]
      : []),
  ];
  const user = settings.username ?? account;
  const line = ['ACL SETUSER', user, 'reset on >CHOOSE-A-PASSWORD', ...patterns, ...rules].join(' ');
  return [...notes.map((note) => `# ${note}`), line].join('\n');
}

/** What the settings leave nothing for is not enabled. */
function isEnabled({ name }: Tool, { cachePrefixes, configurable }: RedisSettings): boolean {
  if (name === 'redis.delete_prefix') return cachePrefixes.length > 0;
  return name !== 'redis.config_set' || configurable.length > 0;
}

function ruleOf([command = '', subcommand]: readonly unknown[]): string {
  const first = String(command);
  const name = CONTAINERS.has(first.toUpperCase()) && subcommand !== undefined ? `${first}|${subcommand}` : first;
  return `+${name.toLowerCase()}`;
}

/** The keys that a command names, as patterns for themselves; null for one that only its arguments tell. */
function keysOf([command = '', ...args]: readonly unknown[]): (string | null)[] {
  const name = String(command).toUpperCase();
  if (KEYLESS.has(name) || (CONTAINERS.has(name) && !['OBJECT', 'MEMORY', 'XINFO', 'XGROUP'].includes(name))) return [];
  const named = ALL_KEYS.has(name) ? args : args.slice(CONTAINERS.has(name) ? 1 : 0).slice(0, 1);
  return named.map((key) =>
    typeof key !== 'string' || key.includes('{{') || /\s/.test(key) ? null : key.replace(/[*?[\]\\]/g, String.raw`\$&`),
  );
}
