/** The network between Nightshift and its Postgres, which can be there, be gone, break, or fall silent. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * How the network is: there; nothing listens (`refuses`); every connection is reset some time after it began, its last answer perhaps
 * lost (`resets`); or nothing comes through any more, in either direction, and nobody is told (`silent`).
 */
export type NetworkState = 'there' | 'refuses' | 'resets' | 'silent';

export interface DatabaseProxy {
  /** The database's URL by way of this network. */
  readonly url: string;
  /** Changes how it is, for open connections, too; those that fell silent stay so for ever, as behind a firewall that forgot them. */
  become(state: NetworkState): Promise<void>;
  stop(): Promise<void>;
}

interface Link {
  readonly near: Socket;
  readonly far: Socket;
  isSilent: boolean;
}

const LIFE_MS_MAX = 400;

/** Starts the network to a database, on a loopback port of its own. */
export async function startDatabaseProxy(databaseUrl: string): Promise<DatabaseProxy> {
  const to = new URL(databaseUrl);
  const links = new Set<Link>();
  let state: NetworkState = 'there';
  let port = 0;
  let server: Server | null = null;

  const reset = ({ near, far }: Link) => {
    near.resetAndDestroy();
    far.resetAndDestroy();
  };
  const resetSometime = (link: Link) => {
    if (!link.isSilent) setTimeout(() => state === 'resets' && reset(link), Math.random() * LIFE_MS_MAX);
  };
  const carry = (link: Link, from: Socket, into: Socket) => {
    from.on('data', (data) => {
      if (!link.isSilent) into.write(data);
    });
    from.on('error', () => {});
    // A side that is silent does not hear that the other has gone.
    from.on('close', () => {
      if (link.isSilent) return;
      into.destroy();
      links.delete(link);
    });
  };
  const accept = (near: Socket) => {
    const far = connect(Number(to.port || 5432), to.hostname);
    const link = { near, far, isSilent: state === 'silent' };
    links.add(link);
    carry(link, near, far);
    carry(link, far, near);
    if (state === 'resets') resetSometime(link);
  };
  const listen = async () => {
    server = createServer(accept).listen(port, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as { port: number }).port;
  };
  await listen();

  const near = new URL(databaseUrl);
  near.hostname = '127.0.0.1';
  near.port = String(port);
  return {
    url: near.href,
    async become(next) {
      state = next;
      if (next === 'refuses') {
        server?.close();
        server = null;
        for (const link of links) if (!link.isSilent) reset(link);
      } else if (!server) await listen();
      if (next === 'resets') for (const link of links) resetSometime(link);
      if (next === 'silent') for (const link of links) link.isSilent = true;
    },
    async stop() {
      server?.close();
      for (const { near: one, far } of links) {
        one.destroy();
        far.destroy();
      }
    },
  };
}
