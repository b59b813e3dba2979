import type { Command } from 'commander';
import type { Reloaded } from '../api/index.ts';
import { editorSchema } from '../config/index.ts';
import { describeProblems, NightshiftError } from '../errors.ts';
import { TOOLSETS } from '../mcp-tools/index.ts';
import { checkConfig } from './check-config.ts';
import { findServer } from './client.ts';
import { configSource } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** Adds the commands about the configuration; all but `reload` read files only, and open no database. */
export function addConfigCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const config = program.command('config').description('the configuration file');

  config
    .command('check')
    .description('report every mistake in nightshift.yaml, the environment and every file that they name')
    .option('--json', 'print JSON')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { problems, warnings, summary, unpinned } = await checkConfig(terminal);
      if (json) out(JSON.stringify({ ok: problems.length === 0, problems, warnings }, null, 2));
      else if (warnings.length > 0) out(`still read, but going away:\n${describeProblems(warnings)}`);
      if (problems.length > 0) {
        const told = json ? '' : `:\n${describeProblems(problems)}`;
        throw new NightshiftError('invalid_config', `${problems.length} mistake(s)${told}`, { problems });
      }
      if (json) return;
      const isThere = configSource(terminal).file !== null;
      out(`${isThere ? 'nightshift.yaml is in order' : 'there is no nightshift.yaml; without one'}: ${summary}`);
      if (unpinned.length > 0) out(`not pinned, so not offered: ${unpinned.join(', ')} (nightshift tools pin)`);
    });

  config
    .command('schema')
    .description('print the JSON Schema of nightshift.yaml, for editors')
    .action(() => {
      const settings = Object.fromEntries(Object.entries(TOOLSETS).map(([name, toolset]) => [name, toolset.settings]));
      out(JSON.stringify(editorSchema(settings), null, 1));
    });

  config
    .command('reload')
    .description('have the running server read policies and services.yaml again; for administrators')
    .action(async () => {
      const { changed, needsRestart } = await findServer(terminal).request<Reloaded>('POST', '/config/reload');
      out(changed.length > 0 ? `reloaded, changed: ${changed.join(', ')}` : 'reloaded; nothing has changed');
      if (needsRestart.length > 0) out(`waits for a restart: ${needsRestart.join(', ')}`);
    });
}
