import type { Command } from 'commander';
import { loadSpecialists } from '../diagnosis/index.ts';
import { createCatalogue, TOOLSETS, unpinnedTools } from '../mcp-tools/index.ts';
import { loadPolicy } from '../policy/index.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** Adds the commands about the configuration: they read files, and open no database. */
export function addOfflineCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;

  program
    .command('config')
    .description('the configuration file')
    .command('check')
    .description('report every mistake in nightshift.yaml, the environment and the policies')
    .action(async () => {
      const config = loadConfig(terminal);
      const catalogue = createCatalogue(TOOLSETS, config.toolsets);
      loadSpecialists(config.investigation.specialists, catalogue);
      const { rules } = await loadPolicy(config.policies);
      const file = config.configured ? 'nightshift.yaml is in order' : 'there is no nightshift.yaml; without one';
      out(
        `${file}: mode ${config.mode}, ${Object.keys(config.toolsets).length} toolset instance(s), ${config.models.length} model(s), ${rules.length} policy rule(s)`,
      );
      const unpinned = catalogue.instances.flatMap(unpinnedTools);
      if (unpinned.length > 0) out(`not pinned, so not offered: ${unpinned.join(', ')} (nightshift tools pin)`);
    });
}
