import type { Command } from 'commander';
import { NightshiftError } from '../errors.ts';
import { createCatalogue, TOOLSETS } from '../mcp-tools/index.ts';
import { findServer } from './client.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** Adds the command that runs a tool or a runbook by hand, through the same gate as any other action. */
export function addRunCommand(program: Command, terminal: Terminal): void {
  program
    .command('run <what> [words...]')
    .description(
      'run a tool (key=value …) or a runbook (label=value …) by hand; somebody else approves what must be asked',
    )
    .option('--label <name=value>', 'a label that chooses the instance or fills a template; repeatable', collect, [])
    .option('--reason <text>', 'why', '')
    .action(async (what: string, words: string[], { label, reason }: { label: string[]; reason: string }) => {
      // Loaded for this command only: the room that knows the grammar brings the whole server with it.
      const { parseRun, typeArguments } = await import('../remediation/index.ts');
      const { tools } = createCatalogue(TOOLSETS, loadConfig(terminal).toolsets);
      // Options go before the reason, wherever they were typed; what --reason says is never read as anything else.
      const options = label.flatMap((pair) => ['--label', quoted(pair)]);
      const text = [quoted(what), ...options, ...words.map((word) => (PAIR.test(word) ? quoted(word) : word))].join(
        ' ',
      );
      const wish = parseRun(text, { toolNames: [...tools.keys()], runbookPaths: [what] });
      const why = [wish.reason, reason.trim()].filter((part) => part !== '').join(' ');
      if (why === '')
        throw new NightshiftError(
          'invalid_payload',
          'reason: is missing. Fix: say why, with --reason "…", for whoever approves it',
        );
      const tool = 'tool' in wish.what ? tools.get(wish.what.tool) : undefined;
      const asked =
        'tool' in wish.what && tool
          ? { tool: wish.what.tool, arguments: typeArguments(tool.input, wish.what.arguments) }
          : wish.what;
      const { incident } = await findServer(terminal).request<{ incident: string }>('POST', '/runs', {
        what: asked,
        labels: wish.labels,
        reason: why,
      });
      terminal.out(`${incident} stands for it; follow it with: nightshift incident ${incident}`);
    });
}

const PAIR = /^([A-Za-z_][A-Za-z0-9_]*=)([\s\S]*)$/;

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** The shell has taken the quotes away that the grammar of `run` needs around spaces; a name stands outside of them. */
function quoted(word: string): string {
  const [, name = '', value = word] = PAIR.exec(word) ?? [];
  if (word !== '' && !/[\s"\\]/.test(value)) return word;
  return `${name}"${value.replace(/["\\]/g, '\\$&')}"`;
}
