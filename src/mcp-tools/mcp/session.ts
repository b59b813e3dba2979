import { messageOf, NightshiftError } from '../../errors.ts';
import { StreamableHTTPError } from '../../mcp-sdk/client-http.ts';
import { type CallToolResult, CallToolResultSchema, ErrorCode, McpError } from '../../mcp-sdk/index.ts';
import { traceparentHandedOn } from '../handed-on.ts';
import { OutcomeUnknown, toolFailed } from '../tool.ts';
import { connectForeign, type Foreign, type Listing } from './connect-foreign.ts';
import { changedFields } from './definition.ts';
import type { Pinned } from './pins.ts';
import type { McpSettings } from './settings.ts';

/** A server that does not say that its tools changed is asked again after this. */
const LISTING_AGE_MS_MAX = 30_000;
const WORDS_MAX = 500;

/** The live side of one instance: what its server offers now, beside what is pinned. */
export interface Session {
  /** Why each pinned tool may not be used now, by its name on the server; what is as it was pinned is not there. */
  quarantined(): Promise<ReadonlyMap<string, string>>;
  /** @throws NightshiftError `tool_refused` where this tool is not what was pinned. */
  requirePinned(pin: Pinned): Promise<void>;
  /**
   * Compares, then calls.
   * @throws NightshiftError `tool_refused` where it was not sent because the tool changed, `tool_failed` where the server says that it
   *   did not do it; OutcomeUnknown where a change may have happened.
   */
  call(
    pin: Pinned,
    args: Record<string, unknown>,
    how: { signal: AbortSignal; isRead: boolean },
  ): Promise<CallToolResult>;
  close(): Promise<void>;
}

/** Makes the session of one instance; it connects on first use, and anew after the connection ended. */
export function createSession(settings: McpSettings, pins: readonly Pinned[]): Session {
  let connecting: Promise<Foreign> | null = null;
  let listed: { listing: Promise<Listing>; at: number } | null = null;

  const forget = () => {
    connecting = null;
    listed = null;
  };
  const connected = (): Promise<Foreign> => {
    if (connecting) return connecting;
    const mine: Promise<Foreign> = connectForeign(settings, {
      onChange: () => {
        listed = null;
      },
      onEnd: () => {
        if (connecting === mine) forget();
      },
    });
    connecting = mine;
    mine.catch(() => {
      if (connecting === mine) forget();
    });
    return mine;
  };
  const listing = async (): Promise<Listing> => {
    const { list } = await connected();
    if (listed === null || performance.now() - listed.at > LISTING_AGE_MS_MAX)
      listed = { listing: list(), at: performance.now() };
    try {
      return await listed.listing;
    } catch (cause) {
      // Nothing was sent that could change anything, so the next one may try a new connection.
      void connecting?.then((foreign) => foreign.close()).catch(() => {});
      forget();
      if (cause instanceof NightshiftError) throw cause;
      throw toolFailed(`the MCP server does not list its tools: ${messageOf(cause)}`, { cause });
    }
  };

  const requirePinned = async (pin: Pinned) => {
    const why = whyQuarantined(pin, await listing());
    if (why !== null) throw new NightshiftError('tool_refused', `${pin.definition.name} is quarantined: ${why}`);
  };

  return {
    async quarantined() {
      const live = await listing();
      return new Map(
        pins.flatMap((pin) => {
          const why = whyQuarantined(pin, live);
          return why === null ? [] : [[pin.definition.name, why] as const];
        }),
      );
    },
    requirePinned,
    async call(pin, args, { signal, isRead }) {
      await requirePinned(pin);
      signal.throwIfAborted();
      const { client } = await connected();
      const { name } = pin.definition;
      const unsure = (why: string, cause: unknown) =>
        isRead ? toolFailed(why, { cause }) : new OutcomeUnknown(`${why}, so it is not known what it did`, { cause });
      let result: CallToolResult;
      try {
        // Not callTool, which compiles what the server says its results look like.
        const traceparent = traceparentHandedOn();
        const meta = traceparent === undefined ? {} : { _meta: { traceparent } };
        result = await client.request(
          { method: 'tools/call', params: { name, arguments: args, ...meta } },
          CallToolResultSchema,
          {
            signal,
            timeout: 700_000,
          },
        );
      } catch (cause) {
        if (signal.aborted) throw unsure('the MCP server did not answer in time', cause);
        if (wasRefused(cause)) {
          // A session that it does not know any more, or a token that has run out.
          if (cause instanceof StreamableHTTPError) {
            void client.close().catch(() => {});
            forget();
          }
          throw toolFailed(`the MCP server refused the call: ${wordsOf(messageOf(cause))}`, { cause });
        }
        throw unsure(`the MCP server gave no usable answer: ${wordsOf(messageOf(cause))}`, cause);
      }
      if (result.isError) throw toolFailed(`the MCP server says that it failed: ${wordsOf(textOf(result))}`);
      return result;
    },
    async close() {
      await (await connecting)?.close();
    },
  };
}

/** Why a tool is not what was pinned; null where it is. Only names of fields are told, never the new text. */
function whyQuarantined({ definition, server }: Pinned, live: Listing): string | null {
  if (live.server.name !== server.name) return 'the server says that it is another one than the pinned';
  const same = live.tools.filter(({ name }) => name === definition.name);
  const [now, ...others] = same;
  if (!now) return 'the server does not offer it any more';
  if (others.length > 0) return 'the server offers several tools of this name';
  const changed = changedFields(definition, now);
  return changed.length === 0
    ? null
    : `the server changed ${changed.slice(0, 10).map(plainPath).join(', ')} since it was pinned`;
}

/** Names of properties are the server's words. */
function plainPath(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9_.$-]/g, '?').slice(0, 100);
}

function wasRefused(error: unknown): boolean {
  if (error instanceof StreamableHTTPError) return [400, 401, 403, 404, 405].includes(error.code ?? 0);
  const codes: number[] = [ErrorCode.InvalidParams, ErrorCode.InvalidRequest, ErrorCode.MethodNotFound];
  return error instanceof McpError && codes.includes(error.code);
}

/** Gives the words of a result; what is no text is only named. */
export function textOf({ content }: Pick<CallToolResult, 'content'>): string {
  return content
    .map((item) => {
      if (item.type === 'text') return item.text;
      if (item.type === 'resource' && 'text' in item.resource) return item.resource.text;
      if (item.type === 'resource_link') return `(a link to ${item.uri})`;
      return `(${item.type} left out)`;
    })
    .join('\n');
}

function wordsOf(text: string): string {
  return JSON.stringify(text.replaceAll(/\s+/g, ' ').slice(0, WORDS_MAX));
}
