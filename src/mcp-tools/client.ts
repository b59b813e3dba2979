import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { McpError, ErrorCode as McpErrorCode } from '@modelcontextprotocol/sdk/types.js';
import { messageOf } from '../errors.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import type { Call, Instance } from './catalogue.ts';
import { CLEARANCE_META, type SignedClearance } from './clearance.ts';

const SERVE = join(import.meta.dirname, 'serve.ts');
/** What a toolset may take beyond its tool's own limit before it counts as hung. */
const GRACE_SECONDS = 5;
const STDERR_KEPT = 2000;

/**
 * How a call ended. `failed`: the tool itself says that it did not do it. `unknown`: nobody can say, because the answer never came.
 */
export type CallResult =
  | { readonly outcome: 'succeeded'; readonly result: Record<string, unknown> }
  | { readonly outcome: 'failed' | 'unknown'; readonly error: string };

export interface ToolClient {
  /** Starts the process of an instance where it does not run yet; gives null, or why it does not start. */
  start(instance: string): Promise<string | null>;
  /** Calls a tool over MCP; starts its toolset's process on first use. Never throws: every way to end is a result. */
  call(call: Call, options: { clearance?: SignedClearance; signal: AbortSignal }): Promise<CallResult>;
  close(): Promise<void>;
}

/** Makes the MCP client of all toolset processes; each gets the public key that clearances are verified with. */
export function createToolClient(dependencies: {
  instances: readonly Instance[];
  publicKey: string;
  metrics: Metrics;
  log: Logger;
}): ToolClient {
  const { metrics, log, publicKey } = dependencies;
  const instances = new Map(dependencies.instances.map((instance) => [instance.name, instance]));
  const running = new Map<string, Promise<Client>>();

  const connect = async (name: string): Promise<Client> => {
    const instance = instances.get(name);
    if (!instance) throw new Error(`there is no toolset instance ${name}`);
    const start = { instance: name, uses: instance.toolset.name, settings: instance.settings, publicKey };
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [SERVE],
      // Only what follows and a few harmless variables of the system (PATH, HOME, …), never the environment of Nightshift.
      env: { NIGHTSHIFT_TOOLSET: JSON.stringify(start) },
      stderr: 'pipe',
    });
    let stderr = '';
    transport.stderr?.on('data', (data: Buffer) => {
      stderr = `${stderr}${data.toString('utf8')}`.slice(-STDERR_KEPT);
    });
    const client = new Client({ name: 'nightshift', version: '1' });
    client.onclose = () => {
      running.delete(name);
      log.info({ toolset: name, stderr: stderr.trim() || undefined }, 'toolset process ended');
    };
    await client.connect(transport);
    log.info({ toolset: name, uses: instance.toolset.name }, 'toolset process started');
    return client;
  };

  const clientOf = (name: string): Promise<Client> => {
    const existing = running.get(name);
    if (existing) return existing;
    const starting = connect(name);
    running.set(name, starting);
    starting.catch(() => running.delete(name));
    return starting;
  };

  const send = async (call: Call, clearance: SignedClearance | undefined, signal: AbortSignal): Promise<CallResult> => {
    let client: Client;
    try {
      signal.throwIfAborted();
      client = await clientOf(call.instance);
    } catch (error) {
      // Nothing was sent yet, so nothing can have happened.
      return { outcome: 'failed', error: `toolset ${call.instance} does not start: ${messageOf(error)}` };
    }
    try {
      const meta = clearance ? { _meta: { [CLEARANCE_META]: clearance } } : {};
      const timeout = (call.timeoutSeconds + GRACE_SECONDS) * 1000;
      const answer = await client.callTool({ name: call.tool, arguments: call.arguments, ...meta }, undefined, {
        signal,
        timeout,
      });
      const content =
        (answer.content as { type: string; text?: string }[] | undefined)?.map(({ text }) => text ?? '').join('\n') ??
        '';
      if (answer.isError) return { outcome: 'failed', error: content };
      return {
        outcome: 'succeeded',
        result: (answer.structuredContent as Record<string, unknown> | undefined) ?? { text: content },
      };
    } catch (error) {
      const refusedByProtocol =
        error instanceof McpError &&
        (error.code === McpErrorCode.InvalidParams || error.code === McpErrorCode.MethodNotFound);
      return { outcome: refusedByProtocol ? 'failed' : 'unknown', error: messageOf(error) };
    }
  };

  return {
    async start(instance) {
      try {
        await clientOf(instance);
        return null;
      } catch (error) {
        return `toolset ${instance} does not start: ${messageOf(error)}`;
      }
    },
    async call(call, { clearance, signal }) {
      const started = performance.now();
      const result = await send(call, clearance, signal);
      metrics.toolCalls.observe({ tool: call.tool, outcome: result.outcome }, (performance.now() - started) / 1000);
      return result;
    },
    async close() {
      const close = async (starting: Promise<Client>) => (await starting).close();
      await Promise.allSettled([...running.values()].map(close));
    },
  };
}
