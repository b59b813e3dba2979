import { readFileSync } from 'node:fs';
import { connect as connectTls, createServer, type Server, type TLSSocket } from 'node:tls';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Transport } from '../mcp-sdk/index.ts';
import { StdioServerTransport } from '../mcp-sdk/server.ts';
import type { ToolsetServer } from './toolset-server.ts';

/** Certificates of one side: its own with the key, and the authority that signed the other side's. Paths of PEM files. */
export interface Certificates {
  readonly certificate: string;
  readonly key: string;
  readonly ca: string;
}

/** Where an instance runs on another host. */
export interface Remote extends Certificates {
  /** `host:port`; the certificate there must be for this host. */
  readonly address: string;
}

/** How much later than ours the clock of whoever signs clearances may go. */
export const CLOCK_SKEW_SECONDS = 2;
const CLIENTS_MAX = 16;
/** Those that have not proved who they are yet do not take the clients' places, or anybody could keep these out. */
const CONNECTIONS_MAX = 256;
const HANDSHAKE_SECONDS_MAX = 5;
/** Of a client that goes away without a word one learns by asking it after so long. */
const KEEP_ALIVE_MS = 10_000;
/** A client that asks and does not read what it is answered. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
const TLS = 'TLSv1.3';

/**
 * Serves a toolset instance over TLS, each side proving itself by a certificate of the other's authority: MCP messages one a line,
 * as on standard input and output. At most 16 clients at once; one that has no certificate learns nothing.
 * @throws NightshiftError `invalid_config` where a certificate or key cannot be read.
 */
export async function listenRemotely(
  server: ToolsetServer,
  { host, port, certificates }: { host: string; port: number; certificates: Certificates },
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<TLSSocket>();
  const listener: Server = createServer(
    {
      ...read(certificates),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: TLS,
      handshakeTimeout: HANDSHAKE_SECONDS_MAX * 1000,
    },
    (socket) => {
      if (sockets.size >= CLIENTS_MAX) return void socket.destroy();
      sockets.add(socket);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      socket.on('close', () => sockets.delete(socket));
      socket.on('data', () => {
        if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy();
      });
      void server.connect(overSocket(socket));
    },
  );
  listener.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((resolve, reject) => listener.once('error', reject).listen(port, host, resolve));
  const address = listener.address();
  return {
    port: address !== null && typeof address === 'object' ? address.port : port,
    async close() {
      listener.close();
      await server.settled();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/**
 * Connects to a toolset instance on another host, within `seconds`.
 * @throws Error when it cannot be reached, or either side's certificate is not accepted.
 */
export async function connectRemotely(
  { address, ...certificates }: Remote,
  { seconds, messageBytesMax }: { seconds: number; messageBytesMax: number },
): Promise<Transport> {
  const { hostname, port } = new URL(`tls://${address}`);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const connected = Promise.withResolvers<void>();
  const socket = connectTls({ host, port: Number(port), minVersion: TLS, ...read(certificates) }, connected.resolve);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  const tooLate = setTimeout(() => socket.destroy(new Error(`${address} did not answer in time`)), seconds * 1000);
  socket.on('error', connected.reject);
  try {
    await connected.promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(tooLate);
  }
  return overSocket(socket, messageBytesMax);
}

/** MCP over a socket, in the framing of its stdio transport; closing either closes the other. */
function overSocket(socket: TLSSocket, maxBufferSize?: number): Transport {
  const transport = new StdioServerTransport(socket, socket, maxBufferSize === undefined ? {} : { maxBufferSize });
  const close = transport.close.bind(transport);
  let closed = false;
  transport.close = async () => {
    if (closed) return;
    closed = true;
    await close();
    socket.destroy();
  };
  socket.on('error', () => void transport.close());
  socket.on('close', () => void transport.close());
  return transport;
}

function read({ certificate, key, ca }: Certificates): { cert: Buffer; key: Buffer; ca: Buffer } {
  const file = (field: string, path: string) => {
    try {
      return readFileSync(path);
    } catch (cause) {
      const fix = 'name a PEM file that this user can read';
      throw new NightshiftError(
        'invalid_config',
        `${field}: ${JSON.stringify(path)} cannot be read: ${messageOf(cause)}. Fix: ${fix}`,
        { cause },
      );
    }
  };
  return { cert: file('certificate', certificate), key: file('key', key), ca: file('ca', ca) };
}
