/** A network of a replica's own, joined to this machine by two cables: one to its database, which can be pulled, and one to all the rest. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export interface Namespace {
  /** What a program is started with to be in it. */
  readonly command: readonly string[];
  /** This machine, as it is seen from inside. */
  readonly host: string;
  /** The replica, as it is seen from this machine. */
  readonly address: string;
  readonly databaseUrl: string;
  /** Makes what listens on loopback reachable from inside, and gives its URL there. */
  reach(url: string): Promise<string>;
  /** Pulls the cable to the database, or puts it back. */
  cut(isCut: boolean): void;
  stop(): void;
}

const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: 'pipe' });
/** What a harness that is ended halfway must not leave behind; the cables go with the network. */
const left = new Set<string>();
process.on('exit', () => {
  for (const name of left) ip('netns', 'del', name);
});
let serial = 0;
let problem: string | null | undefined;

/** Whether this machine can have one; it says why not otherwise. */
export function whyNoNamespace(): string | null {
  if (problem === undefined) {
    try {
      const name = `nsc-try-${process.pid}`;
      ip('netns', 'add', name);
      ip('netns', 'del', name);
      problem = null;
    } catch {
      problem = 'a network namespace needs root and ip of iproute2';
    }
  }
  return problem;
}

/** Makes one for a replica that works on this database. */
export async function createNamespace(databaseUrl: string): Promise<Namespace> {
  serial += 1;
  const n = serial % 250;
  // Apart by process, so that two harnesses on one machine do not meet.
  const net = `10.${64 + (process.pid % 128)}`;
  const id = `${process.pid % 100_000}x${n}`;
  const name = `nsc-${id}`;
  const cables = [
    { host: `${net}.${n}.1`, inside: `${net}.${n}.2`, end: `nw${id}` },
    { host: `${net}.${n}.5`, inside: `${net}.${n}.6`, end: `nd${id}` },
  ] as const;
  ip('netns', 'add', name);
  left.add(name);
  for (const { host, inside, end } of cables) {
    ip('link', 'add', end, 'type', 'veth', 'peer', 'name', `${end}i`);
    ip('link', 'set', `${end}i`, 'netns', name);
    ip('addr', 'add', `${host}/30`, 'dev', end);
    ip('link', 'set', end, 'up');
    ip('-n', name, 'addr', 'add', `${inside}/30`, 'dev', `${end}i`);
    ip('-n', name, 'link', 'set', `${end}i`, 'up');
  }
  ip('-n', name, 'link', 'set', 'lo', 'up');
  const [world, database] = cables;
  const to = new URL(databaseUrl);
  const relays = [await startRelay(database.host, to)];
  const url = new URL(databaseUrl);
  url.hostname = database.host;
  url.port = portOf(relays[0] as Server);
  return {
    command: ['ip', 'netns', 'exec', name],
    host: world.host,
    address: world.inside,
    databaseUrl: url.href,
    async reach(text) {
      const relay = await startRelay(world.host, new URL(text));
      relays.push(relay);
      const near = new URL(text);
      near.hostname = world.host;
      near.port = portOf(relay);
      return near.href.replace(/\/$/, '');
    },
    cut: (isCut) => ip('link', 'set', database.end, isCut ? 'down' : 'up'),
    stop() {
      left.delete(name);
      for (const relay of relays) relay.close();
      for (const { end } of cables)
        try {
          ip('link', 'del', end);
        } catch {
          // It goes with its namespace.
        }
      ip('netns', 'del', name);
    },
  };
}

function portOf(server: Server): string {
  return String((server.address() as { port: number }).port);
}

/** Postgres listens on loopback alone. */
async function startRelay(host: string, to: URL): Promise<Server> {
  const join = (from: Socket, into: Socket) => {
    from.on('data', (data) => into.write(data));
    from.on('error', () => {});
    from.on('close', () => into.destroy());
  };
  const server = createServer((near) => {
    const far = connect(Number(to.port || 5432), to.hostname);
    join(near, far);
    join(far, near);
  });
  server.listen(0, host);
  await once(server, 'listening');
  server.unref();
  return server;
}
