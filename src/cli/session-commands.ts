import type { Command } from 'commander';
import { plain } from '../incident/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';

interface ShownSession {
  readonly id: string;
  readonly person: string;
  readonly role: string;
  readonly via: string;
  readonly client: string;
  readonly createdAt: string;
  readonly lastSeenAt: string;
  readonly expiresAt: string;
}

/** Adds the commands about who is signed in to the console: one's own sessions, and everybody's for administrators. */
export function addSessionCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const server = () => findServer(terminal);

  const sessions = program.command('sessions').description('who is signed in to the console');
  sessions
    .command('list')
    .description('show the sessions that stand, yours or as an administrator all; times are UTC')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const all = await server().all<ShownSession>('/sessions', 'sessions', 'before');
      if (json) return out(JSON.stringify(all, null, 2));
      for (const { id, person, role, via, client, createdAt, lastSeenAt, expiresAt } of all)
        out(
          `${id} ${person.padEnd(16)} ${role.padEnd(9)} by ${via.padEnd(5)} since ${minute(createdAt)}  seen ${minute(lastSeenAt)}  until ${minute(expiresAt)}  ${plain(client)}`,
        );
    });
  sessions
    .command('revoke <id>')
    .description('end a session at once')
    .action(async (id: string) => {
      await server().request('DELETE', `/sessions/${encodeURIComponent(id)}`);
      out(`${id} is ended`);
    });
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
