import type { Command } from 'commander';
import { NightshiftError } from '../errors.ts';
import { createCatalogue, TOOLSETS } from '../mcp-tools/index.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** Adds `toolset privileges`: what the account of an instance needs in its system, written so that a person can apply it there. */
export function addPrivilegesCommand(toolset: Command, { out, ...terminal }: Terminal): void {
  toolset
    .command('privileges')
    .description('print the least that an instance needs in its system for its tools: a role, an ACL, lines for sudo')
    .argument('<instance>', 'as under toolsets:')
    .option('--tool <name...>', 'only for these tools; those of the instance that are left out will be refused there')
    .option(
      '--account <name>',
      'who Nightshift is there, where no setting says it; NAMESPACE/NAME in Kubernetes',
      'nightshift',
    )
    .action((instance: string, options: { tool?: string[]; account: string }) => {
      out(privilegesOf(terminal, instance, options));
    });
}

function privilegesOf(
  terminal: Pick<Terminal, 'env' | 'directory'>,
  name: string,
  { tool: only, account }: { readonly tool?: readonly string[]; readonly account: string },
): string {
  const { instances } = createCatalogue(TOOLSETS, loadConfig(terminal).toolsets);
  const instance = instances.find((one) => one.name === name);
  if (!instance)
    throw wrong(
      'INSTANCE',
      name,
      'is no toolset instance',
      instances.map((one) => one.name),
      'add it under toolsets:',
    );
  if (!/^[a-z_][a-z0-9_-]{0,31}(?:\/[a-z0-9-]{1,63})?$/.test(account))
    throw wrong(
      '--account',
      account,
      'is no name of an account',
      [],
      'use lower-case letters, digits, hyphens and underscores',
    );
  const { toolset, settings, tools } = instance;
  const unknown = only?.find((one) => !tools.some((tool) => tool.name === one));
  if (unknown)
    throw wrong(
      '--tool',
      unknown,
      `is no tool of ${name}`,
      tools.map((tool) => tool.name),
      'name one of its tools',
    );
  if (!toolset.privileges)
    throw wrong(
      'INSTANCE',
      name,
      `has nothing to print: ${toolset.name} does not know what it needs`,
      [],
      'ask whoever runs that server',
    );
  const wanted = only ? tools.filter((tool) => only.includes(tool.name)) : tools;
  const own = wanted.filter((tool) => !toolset.tools.includes(tool));
  return toolset.privileges({ name, settings, tools: wanted, own, account });
}

function wrong(
  field: string,
  value: string,
  message: string,
  choices: readonly string[],
  otherwise: string,
): NightshiftError {
  const fix = choices.length > 0 ? `use one of ${choices.join(', ')}` : otherwise;
  return new NightshiftError('invalid_config', `${field}: ${message} (found: ${value}). Fix: ${fix}`, {
    problems: [{ field, value, message, fix }],
  });
}
