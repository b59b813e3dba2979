import { sql } from 'kysely';
import { z } from 'zod';
import type { Database } from '../database/index.ts';
import { messageOf } from '../errors.ts';
import { addEvents } from '../incident/index.ts';
import { type Instance, readForeignStatus, type ToolClient, unpinnedTools } from '../mcp-tools/index.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { startLoop } from './loop.ts';
import { tellPeople } from './store.ts';

const LOOK_MS = 120_000;

const toldSchema = z.object({ tools: z.array(z.object({ tool: z.string(), why: z.string() })).default([]) });
type Quarantined = z.infer<typeof toldSchema>['tools'];

export interface PinWatch {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Makes what compares the tools of foreign MCP servers with their pins, at the start and every two minutes, so that people hear of a
 * change before an incident needs the tool: once, by whichever replica sees it first, and once more when all is as it was.
 */
export function createPinWatch({
  db,
  instances,
  client,
  metrics,
  log,
}: {
  db: Database;
  instances: readonly Instance[];
  client: Pick<ToolClient, 'call'>;
  metrics: Metrics;
  log: Logger;
}): PinWatch {
  const watched = instances.filter(
    ({ toolset, declarations }) => toolset.declaredBy === 'pins' && declarations.length > 0,
  );
  const stopping = new AbortController();
  let loop: { stop(): Promise<void> } | undefined;

  async function look(): Promise<boolean> {
    await Promise.all(watched.map(compare));
    return false;
  }

  async function compare(instance: Instance): Promise<void> {
    const read = await readForeignStatus(client, instance, stopping.signal);
    if (stopping.signal.aborted) return;
    const { name } = instance;
    if (!read.ok)
      return log.warn({ toolset: name, error: read.error }, 'cannot compare the tools of a foreign MCP server');
    const quarantined = read.tools.flatMap(({ tool, state, why }) =>
      state === 'quarantined' ? [{ tool, why: why ?? '' }] : [],
    );
    metrics.toolsQuarantined.set({ toolset: name }, quarantined.length);
    await tell(name, quarantined);
  }

  async function tell(instance: string, tools: Quarantined): Promise<void> {
    await db.transaction(async () => {
      await sql`select pg_advisory_xact_lock(hashtextextended('nightshift pins', 0))`.execute(db.q);
      const told = await lastTold(instance);
      if (JSON.stringify(told) === JSON.stringify(tools)) return;
      const data = { instance, tools };
      if (tools.length === 0) {
        const text = `every tool of ${instance} is as it was pinned again`;
        await tellPeople(db, { incidentId: null, kind: 'tools_as_pinned', text });
        await addEvents(db, null, [{ type: 'tools.as_pinned', actor: 'nightshift', data }]);
        return;
      }
      const list = tools.map(({ tool, why }) => `${tool} (${why})`).join(', ');
      const text = `quarantined, because the foreign MCP server ${instance} is not what was pinned: ${list}. Look at it with: nightshift tools diff ${instance}`;
      log.warn({ toolset: instance, tools }, 'tools of a foreign MCP server are not what was pinned');
      await tellPeople(db, { incidentId: null, kind: 'tools_quarantined', text });
      await addEvents(db, null, [{ type: 'tools.quarantined', actor: 'nightshift', data }]);
    });
  }

  async function lastTold(instance: string): Promise<Quarantined> {
    const last = await db.q
      .selectFrom('event')
      .select('data')
      .where('incident_id', 'is', null)
      .where('type', 'in', ['tools.quarantined', 'tools.as_pinned'])
      .where(sql<boolean>`data ->> 'instance' = ${instance}`)
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst();
    const parsed = toldSchema.safeParse(last?.data);
    return parsed.success ? parsed.data.tools : [];
  }

  return {
    start() {
      for (const instance of instances) {
        const tools = unpinnedTools(instance);
        if (tools.length > 0)
          log.warn({ toolset: instance.name, tools }, 'not pinned, so not offered: nightshift tools pin');
      }
      if (watched.length > 0)
        loop ??= startLoop(look, LOOK_MS, (error) =>
          log.error({ error: messageOf(error) }, 'cannot watch pinned tools'),
        );
    },
    async stop() {
      stopping.abort();
      await loop?.stop();
    },
  };
}
