import { Argument, type Command } from 'commander';
import { renderCompletion, SHELLS, type Shell } from './completion-scripts.ts';
import type { Terminal } from './terminal.ts';

/** Adds the command that prints what a shell reads to complete all the others; `whole` makes a program with every command. */
export function addCompletionCommand(program: Command, terminal: Terminal, whole: () => Promise<Command>): void {
  program
    .command('completion')
    .description('print what a shell reads to complete nightshift: eval "$(nightshift completion bash)"')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(async (shell: Shell) => terminal.out(renderCompletion(await whole(), shell)));
}
