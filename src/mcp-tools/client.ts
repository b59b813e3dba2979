import { extname, join } from 'node:path';
import { messageOf } from '../errors.ts';
import { McpError, ErrorCode as McpErrorCode } from '../mcp-sdk/index.ts';
import { type Logger, type Metrics, redact, redactValue } from '../telemetry/index.ts';
import { boundResult } from './bound-result.ts';
import type { CallResult, InspectResult } from './call-result.ts';
import type { Call, Instance } from './catalogue.ts';
import { CLEARANCE_META, type SignedClearance } from './clearance.ts';
import { type Connection, connectToolset } from './connect.ts';
import { INSPECT_META, INSPECT_SECONDS_MAX } from './inspection.ts';
import { readInspection } from './read-inspection.ts';
import { traceCall, traceMeta } from './trace-call.ts';

const SERVE = join(import.meta.dirname, `serve${extname(import.meta.filename)}`);
/** What a toolset may take beyond its tool's own limit before it counts as hung. */
const GRACE_SECONDS = 5;
const ERROR_CHARACTERS_MAX = 2000;

export interface ToolClient {
  /** Starts the process of an instance where it does not run yet; gives null, or why it does not start. */
  start(instance: string): Promise<string | null>;
  /** Calls a tool over MCP; starts its toolset's process on first use. Never throws: every way to end is a result. */
  call(call: Call, options: { clearance?: SignedClearance; signal: AbortSignal }): Promise<CallResult>;
  /** Looks at what a call would meet, in at most 10 s and without running it; needs no clearance. Never throws. */
  inspect(call: Call, options: { signal: AbortSignal }): Promise<InspectResult>;
  close(): Promise<void>;
}

interface Request {
  readonly meta: Record<string, unknown>;
  readonly timeoutSeconds: number;
  readonly signal: AbortSignal;
}

/**
 * Makes the MCP client of all toolset processes; each gets the public key that clearances are verified with. `processFile` is
 * what a process runs, `serve.ts` where it is left out; it must serve the toolsets of `instances`.
 */
export function createToolClient(dependencies: {
  instances: readonly Instance[];
  publicKey: string;
  metrics: Metrics;
  log: Logger;
  processFile?: string | undefined;
}): ToolClient {
  const { metrics, log, publicKey, processFile = SERVE } = dependencies;
  const instances = new Map(dependencies.instances.map((instance) => [instance.name, instance]));
  const named = (name: string) => instances.get(name) ?? { name };
  const running = new Map<string, Promise<Connection>>();

  /** One that is suspected of being gone is waited for, since a change that is sent to nobody would leave its outcome unknown. */
  const connectionOf = async (name: string): Promise<Connection> => {
    const connection = await someConnectionOf(name);
    await connection.cleared();
    return connection.endedBecause() === null ? connection : someConnectionOf(name);
  };
  const someConnectionOf = (name: string): Promise<Connection> => {
    const existing = running.get(name);
    if (existing) return existing;
    const instance = instances.get(name);
    if (!instance) return Promise.reject(new Error(`there is no toolset instance ${name}`));
    // One that ends late must not take its successor's place away.
    const onEnd = () => {
      if (running.get(name) === starting) running.delete(name);
    };
    const starting: Promise<Connection> = connectToolset({ instance, publicKey, processFile, log, onEnd });
    running.set(name, starting);
    starting.catch(onEnd);
    return starting;
  };

  const send = async (call: Call, { meta, timeoutSeconds, signal }: Request): Promise<Sent> => {
    // A signal of its own, because the SDK never lets go of the one it is given.
    const own = new AbortController();
    const abort = () => own.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    let connection: Connection | null = null;
    try {
      signal.throwIfAborted();
      connection = await unlessAborted(connectionOf(call.instance), own.signal);
      const request = { name: call.tool, arguments: call.arguments, _meta: { ...meta, ...traceMeta() } };
      const options = { signal: own.signal, timeout: timeoutSeconds * 1000 };
      return resultOf(call, await connection.client.callTool(request, undefined, options));
    } catch (error) {
      // Nothing was sent yet, so nothing can have happened.
      if (connection === null) return { outcome: 'failed', error: notStarted(named(call.instance), error) };
      if (own.signal.aborted || isLate(error)) connection.suspect();
      if (own.signal.aborted)
        return { outcome: 'unknown', error: `${call.tool} did not answer before its caller gave up` };
      return failureOf(call, error, timeoutSeconds, connection);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  };

  const client: ToolClient = {
    async start(instance) {
      try {
        await connectionOf(instance);
        return null;
      } catch (error) {
        return notStarted(named(instance), error);
      }
    },
    async call(call, { clearance, signal }) {
      const started = performance.now();
      const meta = clearance ? { [CLEARANCE_META]: clearance } : {};
      const { refused: _, ...sent } = await send(call, {
        meta,
        timeoutSeconds: call.timeoutSeconds + GRACE_SECONDS,
        signal,
      });
      const result = redactValue(sent) as CallResult;
      metrics.toolCalls.observe({ tool: call.tool, outcome: result.outcome }, (performance.now() - started) / 1000);
      return result;
    },
    async inspect(call, { signal }) {
      const deadline = new AbortController();
      const timer = setTimeout(() => deadline.abort(), INSPECT_SECONDS_MAX * 1000);
      const answer = await send(call, {
        meta: { [INSPECT_META]: true },
        timeoutSeconds: INSPECT_SECONDS_MAX + GRACE_SECONDS,
        signal: AbortSignal.any([signal, deadline.signal]),
      });
      clearTimeout(timer);
      if (answer.outcome !== 'succeeded') {
        const late = `${call.tool} did not say what it would do within ${INSPECT_SECONDS_MAX} s`;
        return {
          ok: false,
          error: deadline.signal.aborted ? late : answer.error,
          ...(answer.refused ? { refused: true } : {}),
        };
      }
      const inspection = readInspection(answer.result);
      if (inspection) return { ok: true, inspection };
      const error = `${call.tool} said what it would do in an unknown form, or at too great a length`;
      return { ok: false, error };
    },
    async close() {
      const close = async (starting: Promise<Connection>) => (await starting).client.close();
      await Promise.allSettled([...running.values()].map(close));
    },
  };
  const remoteOf = ({ instance }: Call) => instances.get(instance)?.remote;
  return {
    ...client,
    call: (call, how) => traceCall(call, remoteOf(call), () => client.call(call, how)),
    inspect: (call, how) => traceCall(call, remoteOf(call), () => client.inspect(call, how)),
  };
}

function notStarted({ name, remote }: Pick<Instance, 'name' | 'remote'>, error: unknown): string {
  const what = remote ? `${name} cannot be reached at ${remote.address}` : `${name} does not start`;
  return `toolset ${what}: ${bounded(messageOf(error))}`;
}

/** How a call ended, and whether it was the toolset that refused it. */
type Sent = CallResult & { readonly refused?: boolean };

type ToolAnswer = Awaited<ReturnType<Connection['client']['callTool']>>;

function resultOf({ tool }: Call, answer: ToolAnswer): Sent {
  const content = (answer.content as { text?: string }[]).map(({ text }) => text ?? '').join('\n');
  const { code } = (answer.structuredContent ?? {}) as { code?: unknown };
  if (answer.isError) return { outcome: 'failed', error: bounded(content), refused: code === 'tool_refused' };
  const bound = boundResult((answer.structuredContent as Record<string, unknown> | undefined) ?? { text: content });
  if (bound.ok) return { outcome: 'succeeded', result: bound.result };
  return {
    outcome: 'unknown',
    error: `${tool} answered, but its result ${bound.problem}, so it is not known what it did`,
  };
}

function isLate(error: unknown): boolean {
  return error instanceof McpError && error.code === McpErrorCode.RequestTimeout;
}

function failureOf(
  { tool, instance }: Call,
  error: unknown,
  timeoutSeconds: number,
  { endedBecause }: Connection,
): CallResult {
  // What is not the protocol's own is a failure to parse the answer; it would repeat all of it.
  if (!(error instanceof McpError)) return { outcome: 'unknown', error: `${tool} gave no answer that can be read` };
  switch (error.code) {
    case McpErrorCode.ConnectionClosed: {
      const why = endedBecause();
      return {
        outcome: 'unknown',
        error: `the process of toolset ${instance} ended before ${tool} answered${why ? `: ${why}` : ''}`,
      };
    }
    case McpErrorCode.RequestTimeout:
      return { outcome: 'unknown', error: `${tool} did not answer within ${timeoutSeconds} s` };
    case McpErrorCode.InvalidParams:
    case McpErrorCode.MethodNotFound:
      return { outcome: 'failed', error: bounded(error.message) };
    default:
      return { outcome: 'unknown', error: bounded(error.message) };
  }
}

function bounded(text: string): string {
  // Half a secret, cut off, would not be known as one.
  return redact(text).slice(0, ERROR_CHARACTERS_MAX).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Waits no longer than the signal lets it; the work itself goes on for others who wait for it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => aborted.reject(signal.reason), { once: true });
  const done = await Promise.race([work, aborted.promise]);
  signal.throwIfAborted();
  return done;
}
