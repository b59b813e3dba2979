import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { Client, StdioClientTransport } from '../../mcp-sdk/client.ts';
import { ClientCredentialsProvider, StreamableHTTPClientTransport } from '../../mcp-sdk/client-http.ts';
import { ToolListChangedNotificationSchema, type Transport } from '../../mcp-sdk/index.ts';
import { guardedAgent } from '../http/egress.ts';
import { toolFailed } from '../tool.ts';
import { type Definition, readDefinition } from './definition.ts';
import { guardedFetch } from './guarded-fetch.ts';
import type { McpSettings } from './settings.ts';

const CONNECT_SECONDS_MAX = 60;
const LIST_SECONDS_MAX = 20;
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const PAGES_MAX = 50;
const TOOLS_MAX = 1000;
/** A stream for what the server says unasked, and one for each call. */
const CONNECTIONS_MAX = 16;
const STDERR_KEPT = 300;

/** Who a server says it is. */
export interface Identity {
  readonly name: string;
  readonly version: string;
}

/** What a server offers at one moment; `unreadable` counts what is not of the form of the protocol. */
export interface Listing {
  readonly server: Identity;
  readonly tools: readonly Definition[];
  readonly unreadable: number;
}

/** An open connection to a server that belongs to somebody else. */
export interface Foreign {
  readonly client: Client;
  list(): Promise<Listing>;
  close(): Promise<void>;
}

// Not the SDK's own schema: that would read, and its client would compile, schemas that nobody has looked at.
const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

/**
 * Connects to the server of these settings and greets it, within 60 s. It gets no capability of ours: sampling, elicitation and roots
 * are answered with an error. A program gets the declared environment only, an address no credentials but its own.
 * @throws NightshiftError `tool_failed` where it does not start, is not reached, or refuses our credentials.
 */
export async function connectForeign(
  settings: McpSettings,
  { onChange, onEnd }: { onChange: () => void; onEnd: () => void },
): Promise<Foreign> {
  const { transport, at, release, said } = open(settings);
  const client = new Client({ name: 'nightshift', version: '1' }, { capabilities: {} });
  client.setNotificationHandler(ToolListChangedNotificationSchema, onChange);
  client.onerror = () => {};
  client.onclose = () => {
    release();
    onEnd();
  };
  try {
    await client.connect(transport, { timeout: CONNECT_SECONDS_MAX * 1000 });
  } catch (cause) {
    await client.close().catch(() => {});
    release();
    const words = said();
    throw toolFailed(`cannot connect to ${at}: ${messageOf(cause)}${words === '' ? '' : ` (it says: ${words})`}`, {
      cause,
      fix: 'check that it runs, and the settings and credentials of this toolset',
    });
  }
  const { name = '', version = '' } = client.getServerVersion() ?? {};
  return {
    client,
    list: async () => ({ server: { name, version }, ...(await listTools(client, at)) }),
    // What a program has started may hold its output open, and then it never counts as closed.
    close: () => client.close().finally(release),
  };
}

async function listTools(client: Client, at: string): Promise<Omit<Listing, 'server'>> {
  const found: unknown[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const request = { method: 'tools/list' as const, params: cursor === undefined ? {} : { cursor } };
    const answer = await client.request(request, pageSchema, { timeout: LIST_SECONDS_MAX * 1000 });
    found.push(...answer.tools);
    cursor = answer.nextCursor;
    if (found.length > TOOLS_MAX) throw toolFailed(`${at} lists more than ${TOOLS_MAX} tools`);
    if (cursor === undefined) {
      const tools = found.map(readDefinition).filter((one) => one !== null);
      return { tools, unreadable: found.length - tools.length };
    }
  }
  throw toolFailed(`${at} lists its tools on more than ${PAGES_MAX} pages`);
}

interface Opened {
  readonly transport: Transport;
  /** What it is, in words. */
  readonly at: string;
  /** Lets go of whatever is held beside the transport. */
  readonly release: () => void;
  /** The end of what a program said on its standard error. */
  readonly said: () => string;
}

function open(settings: McpSettings): Opened {
  return settings.url === undefined ? openProgram(settings) : openAddress(settings, new URL(settings.url));
}

function openProgram({ command = '', args, env }: McpSettings): Opened {
  const transport = new StdioClientTransport({ command, args, env, stderr: 'pipe', maxBufferSize: MESSAGE_BYTES_MAX });
  let stderr = '';
  transport.stderr?.on('data', (data: Buffer) => {
    stderr = `${stderr}${data.toString('utf8')}`.slice(-STDERR_KEPT);
  });
  programs.add(transport);
  return {
    transport,
    at: `the MCP server ${command}`,
    release: () => void programs.delete(transport),
    said: () => stderr.replaceAll(/\s+/g, ' ').trim(),
  };
}

/** They would outlive us where they do not look at their input. */
const programs = new Set<StdioClientTransport>();
process.once('exit', () => {
  for (const { pid } of programs) {
    try {
      if (pid !== null) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }
});

function openAddress({ token, oauth }: McpSettings, server: URL): Opened {
  const agent = guardedAgent('listed', { connections: CONNECTIONS_MAX });
  const issuer = oauth ? new URL(oauth.issuer) : null;
  const transport = new StreamableHTTPClientTransport(server, {
    fetch: guardedFetch({ server, issuer, agent }),
    ...(token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
    ...(oauth
      ? {
          authProvider: new ClientCredentialsProvider({
            clientId: oauth.clientId,
            clientSecret: oauth.clientSecret,
            // Otherwise the MCP server would say who gets the secret.
            expectedIssuer: oauth.issuer,
            ...(oauth.scope === undefined ? {} : { scope: oauth.scope }),
          }),
        }
      : {}),
  });
  return {
    transport: transport as Transport,
    at: `the MCP server at ${server.origin}${server.pathname}`,
    release: () => void agent.destroy(),
    said: () => '',
  };
}
