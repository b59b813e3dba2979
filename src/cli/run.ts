import { Command, CommanderError } from 'commander';
import { messageOf, NightshiftError } from '../errors.ts';
import { addAlertCommands } from './alert-commands.ts';
import { addAuditCommands } from './audit-commands.ts';
import { addBackupCommands } from './backup-commands.ts';
import { addConnectCommands } from './connect-commands.ts';
import { addDoctorCommand } from './doctor-command.ts';
import { addEvaluationCommands } from './evaluation-commands.ts';
import { addGroupingCommands } from './grouping-commands.ts';
import { addIncidentCommands } from './incident-commands.ts';
import { addJudgeCommands } from './judge-commands.ts';
import { addMcpCommand } from './mcp-command.ts';
import { addModelCommands } from './model-commands.ts';
import { addOfflineCommands } from './offline-commands.ts';
import { addOperatorCommands } from './operator-commands.ts';
import { addPolicyCommands } from './policy-commands.ts';
import { addRunCommand } from './run-command.ts';
import { addRunbookCommands } from './runbook-commands.ts';
import type { Terminal } from './terminal.ts';
import { addToolCommands } from './tool-commands.ts';
import { addToolsetCommand } from './toolset-command.ts';

/**
 * Runs one command line and gives its exit code: 0 done, 1 failed, 2 asked for wrongly. Every failure is one message that says
 * what to do; no stack trace reaches a user.
 */
export async function runCli(terminal: Terminal): Promise<number> {
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
  addIncidentCommands(program, terminal);
  addRunCommand(program, terminal);
  addPolicyCommands(program, terminal);
  addOperatorCommands(program, terminal);
  addModelCommands(program, terminal);
  addOfflineCommands(program, terminal);
  addRunbookCommands(program, terminal);
  addJudgeCommands(program, terminal);
  addMcpCommand(program, terminal);
  addConnectCommands(program, terminal);
  addAlertCommands(program, terminal);
  addGroupingCommands(program, terminal);
  addAuditCommands(program, terminal);
  addBackupCommands(program, terminal);
  addDoctorCommand(program, terminal);
  addToolsetCommand(program, terminal);
  addToolCommands(program, terminal);
  addEvaluationCommands(program, terminal);
  try {
    await program.parseAsync([...terminal.argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    terminal.err(`nightshift: ${describe(error)}`);
    return 1;
  }
}

function describe(error: unknown): string {
  if (error instanceof NightshiftError) return error.message;
  return (
    terminalHint(error) ?? `${messageOf(error)} (this is a defect of Nightshift; NIGHTSHIFT_LOG_LEVEL=debug shows more)`
  );
}

function terminalHint(error: unknown): string | null {
  const { code, port, address } = (error ?? {}) as { code?: string; port?: number; address?: string };
  if (code === 'EADDRINUSE')
    return `${address}:${port} is in use. Fix: set server.port in nightshift.yaml, or NIGHTSHIFT_PORT, to a free port`;
  if (code === 'EACCES') return `${messageOf(error)}. Fix: give the user that runs Nightshift access to it`;
  return null;
}
