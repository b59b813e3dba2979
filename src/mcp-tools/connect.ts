import { Client, StdioClientTransport } from '../mcp-sdk/client.ts';
import { ErrorCode, McpError, PingRequestSchema, type Transport } from '../mcp-sdk/index.ts';
import { type Logger, redact } from '../telemetry/index.ts';
import type { Instance } from './catalogue.ts';
import { connectRemotely } from './remote.ts';

const START_SECONDS_MAX = 30;
const STDERR_KEPT = 2000;
/**
 * A toolset's process waits most of its life, and nearly all of its memory is what V8 keeps to be fast later: a young generation that
 * gathers garbage, and optimised code of what ran at the start. These keep it below 100 MiB; `npm run bench -- mcp` measures that.
 */
const SMALL_PROCESS = ['--max-semi-space-size=1', '--v8-pool-size=1', '--liftoff-only', '--no-maglev', '--no-opt'];
/** A result travels twice in one message, as text and as structure; a longer line ends the process. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Lines that answer no call of ours, over a process's life. A toolset of ours writes none. */
const UNASKED_MAX = 1000;
const STILL_THERE_MS_MAX = 5000;

/** A toolset's process, ready for calls. */
export interface Connection {
  readonly client: Client;
  /** Why we ended it, or null where we did not. */
  readonly endedBecause: () => string | null;
  /** To be told when an answer did not come in time: where nothing answers at all any more, this ends. */
  readonly suspect: () => void;
  /** Settles when it is not under suspicion, or has ended. */
  readonly cleared: () => Promise<void>;
}

interface Connecting {
  readonly instance: Instance;
  readonly publicKey: string;
  readonly processFile: string;
  readonly log: Logger;
  /** Told as soon as the process is of no more use, once or more often. */
  readonly onEnd: () => void;
}

/**
 * Starts the process of a toolset instance, or connects to it on its own host, and greets it over MCP, within 30 s. The process can ask nothing of us: no capability
 * is declared, so a request for sampling, elicitation or roots is answered with an error, and one that talks unasked is ended.
 * @throws Error when it does not start, or does not speak MCP.
 */
export async function connectToolset({
  instance,
  publicKey,
  processFile,
  log,
  onEnd,
}: Connecting): Promise<Connection> {
  const { name, toolset, remote } = instance;
  let stderr = '';
  const startProcess = (): Transport => {
    const { settings, declarations } = instance;
    const start = { instance: name, uses: toolset.name, settings, declarations, publicKey };
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [...SMALL_PROCESS, processFile],
      // Only what follows and a few harmless variables of the system (PATH, HOME, …), never the environment of Nightshift.
      env: { NIGHTSHIFT_TOOLSET: JSON.stringify(start) },
      stderr: 'pipe',
      maxBufferSize: MESSAGE_BYTES_MAX,
    });
    transport.stderr?.on('data', (data: Buffer) => {
      stderr = `${stderr}${data.toString('utf8')}`.slice(-2 * STDERR_KEPT);
    });
    return transport;
  };
  const transport = remote
    ? await connectRemotely(remote, { seconds: START_SECONDS_MAX, messageBytesMax: MESSAGE_BYTES_MAX })
    : startProcess();

  const client = new Client({ name: 'nightshift', version: '1' }, { capabilities: {} });
  let endedBecause: string | null = null;
  const end = (why: string) => {
    if (endedBecause !== null) return;
    endedBecause = why;
    log.warn({ toolset: name, why }, 'toolset process does not keep to the protocol and is ended');
    onEnd();
    // Whatever it says until it is gone is not heard.
    transport.onmessage = () => {};
    void client.close();
  };
  let unasked = 0;
  const heardUnasked = () => {
    unasked += 1;
    if (unasked > UNASKED_MAX) end(`it said more than ${UNASKED_MAX} things that nobody asked for`);
  };
  client.onerror = ({ message }) => {
    if (message.includes('exceeded maximum size'))
      end(`it wrote a line of more than ${MESSAGE_BYTES_MAX / 1024 / 1024} MiB`);
    else heardUnasked();
  };
  client.fallbackNotificationHandler = async () => heardUnasked();
  client.fallbackRequestHandler = async ({ method }) => {
    heardUnasked();
    throw new McpError(ErrorCode.MethodNotFound, `${method} is not served`);
  };
  client.setRequestHandler(PingRequestSchema, () => {
    heardUnasked();
    return {};
  });
  client.onclose = () => {
    onEnd();
    log.info(
      { toolset: name, stderr: redact(stderr).slice(-STDERR_KEPT).trim() || undefined },
      remote ? 'toolset disconnected' : 'toolset process ended',
    );
  };
  await client.connect(transport, { timeout: START_SECONDS_MAX * 1000 });
  log.info({ toolset: name, uses: toolset.name }, remote ? 'toolset connected' : 'toolset process started');
  let asking: Promise<void> | null = null;
  const ask = async () => {
    try {
      await client.ping({ timeout: STILL_THERE_MS_MAX });
    } catch {
      end('it does not answer any more');
    }
    asking = null;
  };
  return {
    client,
    endedBecause: () => endedBecause,
    suspect: () => {
      asking ??= ask();
    },
    cleared: async () => void (await asking),
  };
}
