import { Command, CommanderError } from 'commander';
import { NO_CONNECTION_LEFT, NO_CONNECTION_LEFT_FIX } from '../database/trouble.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import type { Terminal } from './terminal.ts';

type AddCommands = (program: Command, terminal: Terminal) => void;

/** Which commands a file adds. Each brings rooms that the others do without, so it is loaded when it is asked for, or all are listed. */
export const COMMANDS: readonly { readonly names: readonly string[]; readonly load: () => Promise<AddCommands> }[] = [
  {
    names: ['status', 'incidents', 'investigate', 'approvals', 'approve', 'deny', 'close', 'ask-again', 'stop'],
    load: async () => (await import('./incident-commands.ts')).addIncidentCommands,
  },
  { names: ['incident'], load: async () => (await import('./story-commands.ts')).addStoryCommands },
  { names: ['logs', 'watch'], load: async () => (await import('./log-commands.ts')).addLogCommands },
  { names: ['run'], load: async () => (await import('./run-command.ts')).addRunCommand },
  { names: ['policy', 'report'], load: async () => (await import('./policy-commands.ts')).addPolicyCommands },
  {
    names: ['pause', 'resume', 'tokens'],
    load: async () => (await import('./operator-commands.ts')).addOperatorCommands,
  },
  { names: ['sessions'], load: async () => (await import('./session-commands.ts')).addSessionCommands },
  { names: ['models'], load: async () => (await import('./model-commands.ts')).addModelCommands },
  { names: ['init'], load: async () => (await import('./init-command.ts')).addInitCommand },
  { names: ['config'], load: async () => (await import('./config-commands.ts')).addConfigCommands },
  { names: ['runbooks'], load: async () => (await import('./runbook-commands.ts')).addRunbookCommands },
  { names: ['feedback', 'judge'], load: async () => (await import('./judge-commands.ts')).addJudgeCommands },
  { names: ['mcp'], load: async () => (await import('./mcp-command.ts')).addMcpCommand },
  { names: ['connect'], load: async () => (await import('./connect-commands.ts')).addConnectCommands },
  { names: ['alert'], load: async () => (await import('./alert-commands.ts')).addAlertCommands },
  {
    names: ['merge', 'split', 'maintenance'],
    load: async () => (await import('./grouping-commands.ts')).addGroupingCommands,
  },
  { names: ['audit'], load: async () => (await import('./audit-commands.ts')).addAuditCommands },
  {
    names: ['backup', 'restore', 'migrate'],
    load: async () => (await import('./backup-commands.ts')).addBackupCommands,
  },
  { names: ['doctor'], load: async () => (await import('./doctor-command.ts')).addDoctorCommand },
  { names: ['toolset'], load: async () => (await import('./toolset-command.ts')).addToolsetCommand },
  { names: ['tools'], load: async () => (await import('./tool-commands.ts')).addToolCommands },
  { names: ['eval'], load: async () => (await import('./evaluation-commands.ts')).addEvaluationCommands },
  {
    names: ['completion'],
    load: async () => {
      const { addCompletionCommand } = await import('./completion-command.ts');
      return (program, terminal) => addCompletionCommand(program, terminal, () => wholeProgram(terminal));
    },
  },
];

/**
 * Runs one command line and gives its exit code: 0 done, 1 failed, 2 asked for wrongly. Every failure is one message that says
 * what to do; no stack trace reaches a user.
 */
export async function runCli(terminal: Terminal): Promise<number> {
  const program = emptyProgram(terminal);
  const [first = ''] = terminal.argv;
  const meant = COMMANDS.filter(({ names }) => names.includes(first));
  const isStart = first === 'start';
  try {
    for (const { load } of meant.length > 0 || isStart ? meant : COMMANDS) (await load())(program, terminal);
    await program.parseAsync([...terminal.argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.err(`nightshift: ${describe(error)}`);
    return 1;
  }
}

async function wholeProgram(terminal: Terminal): Promise<Command> {
  const program = emptyProgram(terminal);
  for (const { load } of COMMANDS) (await load())(program, terminal);
  return program;
}

function emptyProgram(terminal: Terminal): Command {
  const program = new Command('nightshift')
    .description('The on-call teammate that fixes what it is allowed to fix and asks a person about the rest.')
    .configureOutput({
      writeOut: (text) => terminal.out(text.trimEnd()),
      writeErr: (text) => terminal.err(text.trimEnd()),
    })
    .showHelpAfterError('(nightshift --help lists the commands)')
    .exitOverride();
  program
    .command('start')
    .description('serve webhooks, API, health and metrics until stopped')
    .action(() => terminal.serve(terminal));
  return program;
}

function describe(error: unknown): string {
  if (error instanceof NightshiftError) return error.message;
  return (
    terminalHint(error) ?? `${messageOf(error)} (this is a defect of Nightshift; NIGHTSHIFT_LOG_LEVEL=debug shows more)`
  );
}

/** What the system says of a file that somebody named. */
const FILE_TROUBLE: Readonly<Record<string, string>> = {
  EACCES: 'may not be read or written by this user',
  EPERM: 'may not be read or written by this user',
  ENOENT: 'is not there, or its folder is not',
  EISDIR: 'is a folder',
  ENOTDIR: 'lies in what is no folder',
  EEXIST: 'is there already, and is something else',
  EROFS: 'is on a file system that cannot be written',
  ENOSPC: 'does not fit on the disk',
};

function terminalHint(error: unknown): string | null {
  const { code, port, address, path } = (error ?? {}) as {
    code?: string;
    port?: number;
    address?: string;
    path?: string;
  };
  if (code === 'EADDRINUSE')
    return `${address}:${port} is in use. Fix: set server.port in nightshift.yaml, or NIGHTSHIFT_PORT, to a free port`;
  if (FILE_TROUBLE[code ?? ''] !== undefined)
    return `${path ?? 'what was named'} ${FILE_TROUBLE[code ?? '']}. Fix: name another, or give the user that runs this access to it`;
  if (code === NO_CONNECTION_LEFT) return `${messageOf(error)}. Fix: ${NO_CONNECTION_LEFT_FIX}`;
  return null;
}
