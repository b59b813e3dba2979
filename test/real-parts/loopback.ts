import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

export interface Loopback {
  readonly port: number;
  readonly origin: string;
  /** TCP connections accepted so far, whether or not a request came over them. */
  readonly connections: () => number;
  readonly close: () => Promise<void>;
}

/** Starts a real HTTP server on a free port of 127.0.0.1, or of another loopback address. */
export async function startLoopback(listener: RequestListener, host = '127.0.0.1'): Promise<Loopback> {
  const server = createServer(listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    connections: () => connections,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
