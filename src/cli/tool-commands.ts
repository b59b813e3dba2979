import type { Command } from 'commander';
import type { Labels } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import {
  type Catalogue,
  compareForeign,
  createCatalogue,
  createToolClient,
  type Instance,
  readForeignStatus,
  TOOLSETS,
  type Tool,
  type ToolClient,
  unpinnedTools,
  writePins,
} from '../mcp-tools/index.ts';
import { createMint } from '../policy/index.ts';
import { createLogger, createMetrics, secretsOf, setSecrets } from '../telemetry/index.ts';
import { askPolicy, bindCall, modeOf, showDryRun } from './call-tool.ts';
import { collectLabel } from './label-option.ts';
import { loadConfig } from './load-config.ts';
import { showDifferences, showToPin } from './show-compared.ts';
import type { Terminal } from './terminal.ts';

/** Adds the commands about tools: which there are, what foreign servers changed, and what one call would do. None needs a running server. */
export function addToolCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const tools = program
    .command('tools')
    .description('the tools of the configured systems, and the pins of foreign ones');

  tools
    .command('list')
    .description('list every tool of every instance with its risk, and whether foreign ones are pinned')
    .option('--live', 'ask the foreign servers whether they still are what was pinned')
    .action(async ({ live }: { live?: boolean }) => {
      const { catalogue, withClient } = open(terminal);
      const states = new Map<string, string>();
      const asked = live ? catalogue.instances.filter(isForeign) : [];
      await withClient(async (client) => {
        for (const instance of asked) {
          const status = await readForeignStatus(client, instance, new AbortController().signal);
          if (!status.ok) terminal.err(`${instance.name}: ${plain(status.error)}`);
          else
            for (const { tool, state, why } of status.tools)
              states.set(tool, why === null ? state : `${state}: ${why}`);
        }
      });
      for (const instance of catalogue.instances) {
        const isOwn = (tool: Tool) => isForeign(instance) && !instance.toolset.tools.includes(tool);
        for (const tool of instance.tools) {
          const state = isOwn(tool) ? (states.get(tool.name) ?? 'pinned') : '';
          out(
            `${instance.name.padEnd(16)} ${tool.name.padEnd(36)} ${riskText(tool).padEnd(12)} ${plain(state)}`.trimEnd(),
          );
        }
        for (const name of unpinnedTools(instance))
          out(`${instance.name.padEnd(16)} ${name.padEnd(36)} ${''.padEnd(12)} not pinned`);
      }
    });

  tools
    .command('pin [instance]')
    .description('show what foreign servers say of the allowed tools, and write it down as what you vouch for')
    .action(async (only?: string) => {
      const { catalogue, config } = open(terminal);
      for (const instance of foreignOf(catalogue, only)) {
        const { name } = instance;
        const file = config.toolsets[name]?.pins;
        const { server, pinnedServer, tools: compared } = await compareForeign(instance);
        out(
          `${name}: ${plain(server.name)} ${plain(server.version)}${pinnedServer ? '' : ', pinned for the first time'}`,
        );
        for (const one of compared) for (const line of showToPin(one)) out(`  ${line}`);
        const unusable = compared.filter(({ problem }) => problem !== null);
        if (unusable.length > 0 || file === undefined)
          throw new NightshiftError(
            'tool_refused',
            `${name} was not pinned, because of ${unusable.map(({ tool }) => tool).join(', ')}. Fix: take it out of tools: of ${name}, or have the server mended`,
          );
        writePins(name, file, { server, tools: compared.flatMap(({ live }) => live ?? []) });
        out(`${name}: ${compared.length} tool(s) pinned in ${file}; look at the change before you commit it`);
      }
    });

  tools
    .command('diff [instance]')
    .description('show what foreign servers changed since they were pinned; exit code 1 when there is anything')
    .action(async (only?: string) => {
      const { catalogue } = open(terminal);
      let changed = 0;
      for (const instance of foreignOf(catalogue, only)) {
        const { server, pinnedServer, tools: compared } = await compareForeign(instance);
        if (pinnedServer && pinnedServer.name !== server.name) {
          changed += 1;
          out(
            `${instance.name}: the server calls itself ${plain(server.name)}, and ${plain(pinnedServer.name)} was pinned`,
          );
        }
        for (const one of compared) {
          const lines = showDifferences({ ...one, tool: `${instance.name}.${one.tool}` });
          if (lines.length > 0) changed += 1;
          for (const line of lines) out(line);
        }
      }
      if (changed > 0)
        throw new NightshiftError(
          'tool_refused',
          `${changed} difference(s); read them, and then: nightshift tools pin`,
        );
      out('everything is as it was pinned');
    });

  tools
    .command('call <tool> [arguments...]')
    .description(
      'look with a tool (key=value …), or show with --dry-run what a change would do and what the policy says',
    )
    .option('--dry-run', 'change nothing: show risk, target, what would happen and what the policy says')
    .option('--label <name=value>', 'a label that chooses the instance; repeatable', collectLabel, {})
    .action(async (name: string, words: string[], { dryRun, label }: { dryRun?: boolean; label: Labels }) => {
      const { catalogue, config, withClient } = open(terminal);
      const call = await bindCall(catalogue, { name, words, labels: label });
      if (!dryRun && call.risk !== 'read')
        throw new NightshiftError(
          'tool_refused',
          `${name} is ${call.risk}: it changes something. Fix: add --dry-run to see what, or have it run through the policy with: nightshift run ${name} …`,
        );
      const signal = new AbortController().signal;
      await withClient(async (client) => {
        if (!dryRun) {
          const answer = await client.call(call, { signal });
          if (answer.outcome !== 'succeeded') throw new NightshiftError('tool_failed', plain(answer.error));
          return out(JSON.stringify(answer.result, null, 2));
        }
        const seen = await client.inspect(call, { signal });
        for (const line of showDryRun(call, seen)) out(line);
        if (!seen.ok) throw new NightshiftError(seen.refused ? 'tool_refused' : 'tool_failed', plain(seen.error));
        const verdict = await askPolicy(call, {
          labels: label,
          config,
          population: seen.inspection.population,
        });
        out(
          `policy: ${verdict.decision}, for a step of a pinned runbook in mode ${modeOf(label, config)} that did not run lately`,
        );
        for (const { rule, decision, why } of verdict.spoke) out(`  ${decision.padEnd(5)} ${rule}: ${plain(why)}`);
      });
    });
}

interface Opened {
  readonly config: Config;
  readonly catalogue: Catalogue;
  /** Gives a client of the toolsets' processes, and ends them afterwards. */
  withClient(use: (client: ToolClient) => Promise<void>): Promise<void>;
}

function open(terminal: Terminal): Opened {
  const config = loadConfig(terminal);
  setSecrets(secretsOf(config));
  const catalogue = createCatalogue(TOOLSETS, config.toolsets);
  return {
    config,
    catalogue,
    async withClient(use) {
      const client = createToolClient({
        instances: catalogue.instances,
        publicKey: createMint().publicKey,
        metrics: createMetrics(),
        log: createLogger('silent'),
      });
      try {
        await use(client);
      } finally {
        await client.close();
      }
    },
  };
}

function isForeign({ toolset }: Instance): boolean {
  return toolset.declaredBy === 'pins';
}

function foreignOf({ instances }: Catalogue, only: string | undefined): Instance[] {
  const foreign = instances.filter(isForeign);
  const found = only === undefined ? foreign : foreign.filter(({ name }) => name === only);
  if (found.length > 0) return found;
  const names = foreign.map(({ name }) => name).join(', ');
  const fix = names ? `use one of ${names}` : 'add one under toolsets: (uses: mcp)';
  throw new NightshiftError('not_found', `there is no foreign MCP server${only ? ` ${only}` : ''}. Fix: ${fix}`);
}

function riskText({ risk }: Tool): string {
  return typeof risk === 'string' ? risk : 'by arguments';
}
