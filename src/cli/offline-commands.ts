import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { describeProblems, NightshiftError } from '../errors.ts';
import { TOOLSETS } from '../mcp-tools/index.ts';
import { loadPolicy } from '../policy/index.ts';
import { findRunbookFiles, lintAgainstTools, parseRunbook, pinRunbooks } from '../rag/index.ts';
import { findServer } from './client.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

interface ShownPassage {
  readonly path: string;
  readonly breadcrumb: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly content: string;
  readonly score: number;
}

/** Adds the commands about files: they read configuration, policy and runbooks, and open no database. */
export function addOfflineCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;

  program
    .command('config')
    .description('the configuration file')
    .command('check')
    .description('report every mistake in nightshift.yaml, the environment and the policies')
    .action(async () => {
      const config = loadConfig(terminal);
      const { rules } = await loadPolicy(config.policies);
      const file = config.configured ? 'nightshift.yaml is in order' : 'there is no nightshift.yaml; without one';
      out(
        `${file}: mode ${config.mode}, ${Object.keys(config.toolsets).length} toolset instance(s), ${rules.length} policy rule(s)`,
      );
    });

  const runbooks = program.command('runbooks').description('runbooks');
  runbooks
    .command('lint')
    .description('report every mistake in the runbooks; exit code 1 when there is one')
    .action(async () => {
      const { runbooks: folders } = loadConfig(terminal);
      const { found, leftOut } = await findRunbookFiles(folders);
      const tools = new Map(
        Object.values(TOOLSETS).flatMap((toolset) => toolset.tools.map((tool) => [tool.name, tool])),
      );
      const parsed = await Promise.all(
        found.map(async ({ path, file }) => {
          const runbook = parseRunbook(path, await readFile(file, 'utf8'));
          return { ...runbook, problems: [...runbook.problems, ...lintAgainstTools(runbook, tools)] };
        }),
      );
      const broken = [...leftOut, ...parsed.filter(({ problems }) => problems.length > 0)];
      if (broken.length > 0) {
        const report = broken
          .map(({ path, problems }) => `${path}\n${describeProblems(problems).replace(/^/gm, '  ')}`)
          .join('\n');
        throw new NightshiftError(
          'invalid_runbook',
          `${broken.length} of ${parsed.length} runbook(s) have mistakes:\n${report}`,
        );
      }
      out(
        `${parsed.length} runbook(s) in order, ${parsed.filter(({ actionable }) => actionable).length} of them can act`,
      );
    });
  runbooks
    .command('pin')
    .description(
      'vouch for every runbook as it is now: writes runbooks.lock; outside git, only what stands there acts unasked',
    )
    .action(async () => {
      for (const { file, runbooks: count, inGit } of await pinRunbooks(loadConfig(terminal).runbooks))
        out(
          `${file}: ${count} runbook(s) pinned${inGit ? '; this folder is in git, so what is committed decides' : ''}`,
        );
    });
  runbooks
    .command('search <text>')
    .description('ask the running Nightshift which runbook fits')
    .action(async (text: string) => {
      const { found } = await findServer(terminal).request<{ found: ShownPassage[] }>(
        'GET',
        `/runbooks/search?q=${encodeURIComponent(text)}`,
      );
      if (found.length === 0) out('no runbook fits');
      for (const { path, breadcrumb, startLine, endLine, score } of found)
        out(`${score.toFixed(3)}  ${path}:${startLine}-${endLine}  ${breadcrumb}`);
    });
}
