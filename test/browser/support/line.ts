import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePort } from '../../real-parts/program.ts';

/** What leads from a browser to a server, and can be cut. */
export interface Line {
  readonly url: string;
  /** Ends every connection and refuses new ones, as a server does that has died. */
  cut(): Promise<void>;
  /** Takes connections again at the same address. */
  mend(): Promise<void>;
}

/** Opens a line on loopback to a server, which hears of it only that another port was asked for. */
export async function openLine(serverUrl: string): Promise<Line> {
  const { hostname, port } = new URL(serverUrl);
  const own = await freePort();
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  const line: Line = {
    url: `http://127.0.0.1:${own}`,
    async cut() {
      const closing = server;
      server = undefined;
      for (const socket of sockets) socket.destroy();
      if (closing) await new Promise((resolve) => closing.close(resolve));
    },
    async mend() {
      server = createServer((near) => {
        const far = connect(Number(port), hostname);
        for (const [one, other] of [
          [near, far],
          [far, near],
        ] as const) {
          sockets.add(one);
          one.once('close', () => {
            sockets.delete(one);
            other.destroy();
          });
          one.on('error', () => {});
          one.pipe(other);
        }
      });
      server.listen(own, '127.0.0.1');
      await once(server, 'listening');
    },
  };
  await line.mend();
  return line;
}
