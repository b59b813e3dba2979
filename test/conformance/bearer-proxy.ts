import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A door on loopback that hands every request on with a bearer token, and changes nothing else: not the Host, not the Origin. */
export interface BearerProxy {
  readonly port: number;
  /** From now on requests go to `url`, with the token. */
  open(url: string, token: string): void;
  close(): void;
}

/** Starts the door for programs that cannot send a token; until it is opened it answers 503. */
export async function startBearerProxy(): Promise<BearerProxy> {
  let target: { url: URL; token: string } | null = null;
  const server: Server = createServer((incoming, answer) => {
    if (target === null) return void answer.writeHead(503).end();
    const { port, hostname } = target.url;
    const headers = { ...incoming.headers, authorization: `Bearer ${target.token}` };
    const outgoing = request(
      { hostname, port, path: incoming.url, method: incoming.method, headers },
      (inner) => void inner.pipe(answer.writeHead(inner.statusCode ?? 502, inner.headers)),
    );
    outgoing.on('error', () => answer.destroy());
    answer.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    open(url, token) {
      target = { url: new URL(url), token };
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
