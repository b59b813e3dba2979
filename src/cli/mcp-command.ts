import type { Command } from 'commander';
import { bridgeStdio } from '../mcp-server/index.ts';
import { locateServer } from './client.ts';
import type { Terminal } from './terminal.ts';

/** Adds the command that assistants in editors and chats start: the running Nightshift as an MCP server on standard input and output. */
export function addMcpCommand(program: Command, terminal: Terminal): void {
  program
    .command('mcp')
    .description(
      'speak MCP on standard input and output for the running Nightshift, for assistants in editors and chats',
    )
    .action(async () => {
      const { url, token } = locateServer(terminal);
      await bridgeStdio(url, token, terminal.err);
    });
}
