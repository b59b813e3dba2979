import { execFileSync } from 'node:child_process';
import { freePort, scratchDirectory, startProgram } from './program.ts';

export interface RedisServer {
  readonly port: number;
  /** Path of its socket file. */
  readonly socket: string;
  /** Runs `redis-cli` with these arguments and gives what it wrote. */
  readonly cli: (...args: readonly string[]) => string;
  /** Feeds commands to `redis-cli --pipe`, many at once. */
  readonly pipe: (commands: readonly (readonly (string | Buffer)[])[]) => void;
  /** Stops it and removes its data. */
  readonly stop: () => Promise<void>;
}

/** Starts redis-server on a free loopback port, without persistence; `lines` go into its configuration. */
export async function startRedis(lines: readonly string[] = []): Promise<RedisServer> {
  const { path: directory, remove } = scratchDirectory();
  const port = await freePort();
  const socket = `${directory}/redis.sock`;
  const args = [
    ...['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--save', '', '--appendonly', 'no'],
    ...lines.flatMap((line) => {
      const [name = '', ...values] = line.split(' ');
      return [`--${name}`, ...values];
    }),
  ];
  const program = await startProgram('redis-server', args, { directory });
  const stop = async () => {
    await program.stop();
    remove();
  };
  try {
    await program.waitForLine(/Ready to accept connections|ready to accept connections/);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    socket,
    cli: (...command) =>
      execFileSync('redis-cli', ['-e', '-s', socket, ...command], { encoding: 'utf8', timeout: 20_000 }).trim(),
    pipe: (commands) => {
      const input = commands.flatMap((command) => [
        Buffer.from(`*${command.length}\r\n`),
        ...command.flatMap((part) => {
          const bytes = Buffer.from(part as string);
          return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
        }),
      ]);
      execFileSync('redis-cli', ['-s', socket, '--pipe'], { input: Buffer.concat(input), timeout: 60_000 });
    },
    stop,
  };
}
