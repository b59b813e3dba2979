import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { withRedis } from './client.ts';
import type { RedisSettings } from './settings.ts';

const SCAN_COUNT = 1000;
const EXAMPLES_SHOWN = 5;

const input = z.strictObject({
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{2,100}$/, 'must be the beginning of keys as the settings declare it')
    .describe('One of the declared beginnings of keys that are a cache, or a longer one that begins so.'),
});

/** Deletes the keys of a declared cache; in TypeScript because it takes many requests, SCAN after SCAN. */
export const deletePrefix = defineTool<RedisSettings, typeof input>({
  name: 'redis.delete_prefix',
  description:
    'Deletes the keys of a cache that the settings declare by how they begin, a bounded number of them, without holding up the server.',
  input,
  // What was never declared to be a cache is somebody's data.
  risk: ({ prefix }, { cachePrefixes }) => (isCache(prefix, cachePrefixes) ? 'safe' : 'forbidden'),
  target: ({ prefix }) => `keys ${prefix}*`,
  undo: 'nothing brings the keys back; whoever needs them computes them anew',
  timeoutSeconds: 60,
  manifest: { commands: [['SCAN'], ['UNLINK']] },
  check: null,
  inverse: null,
  inspect: async ({ prefix }, context) => {
    requireCache(prefix, context.settings);
    const { keys, complete } = await keysOf(prefix, context);
    const count = complete ? `${keys.length} key(s)` : `${keys.length} of more than ${keys.length} keys`;
    return {
      uid: null,
      population: null,
      // Quoted, so that no key can pass for words of ours.
      preview: [
        `deletes ${count} that begin with ${prefix}`,
        ...keys.slice(0, EXAMPLES_SHOWN).map((key) => JSON.stringify(key.toString())),
      ].map(previewLine),
    };
  },
  run: async ({ prefix }, context) => {
    requireCache(prefix, context.settings);
    const { keys, complete } = await keysOf(prefix, context);
    const deleted = await withRedis({ ...context, readOnly: false }, async (redis) => {
      let count = 0;
      for (let at = 0; at < keys.length; at += SCAN_COUNT)
        count += await redis.unlink(...keys.slice(at, at + SCAN_COUNT));
      return count;
    });
    return { prefix, deleted, complete };
  },
});

function isCache(prefix: string, declared: readonly string[]): boolean {
  return declared.some((one) => prefix.startsWith(one));
}

/** @throws NightshiftError `tool_failed` where the settings do not declare that keys which begin so are a cache. */
function requireCache(prefix: string, { cachePrefixes }: RedisSettings): void {
  if (isCache(prefix, cachePrefixes)) return;
  throw toolFailed(`${prefix} is no declared cache`, {
    fix: 'add it to the setting `cachePrefixes` of this toolset, if it is one',
  });
}

/**
 * Lists keys until there are more than may be deleted; the prefix holds no character that SCAN would take for a pattern. As bytes:
 * a key that is no UTF-8 would otherwise become the name of another one.
 */
async function keysOf(
  prefix: string,
  context: ToolContext<RedisSettings>,
): Promise<{ keys: Buffer[]; complete: boolean }> {
  const { keysMax } = context.settings;
  return withRedis(context, async (redis) => {
    const found = new Map<string, Buffer>();
    let cursor = '0';
    do {
      const [next, keys] = await redis.scanBuffer(cursor, 'MATCH', `${prefix}*`, 'COUNT', SCAN_COUNT);
      for (const key of keys) found.set(key.toString('latin1'), key);
      cursor = next.toString();
    } while (cursor !== '0' && found.size <= keysMax);
    return { keys: [...found.values()].slice(0, keysMax), complete: cursor === '0' && found.size <= keysMax };
  });
}
