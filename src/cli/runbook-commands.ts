import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import { plain } from '../incident/index.ts';
import {
  describeFlags,
  type FailingRunbook,
  type Finding,
  type Flag,
  fileNameFor,
  newRunbook,
  pinRunbooks,
  type Seen,
  type Sync,
  type Why,
} from '../rag/index.ts';
import { findServer } from './client.ts';
import { addEvalCommand } from './eval-command.ts';
import { lintSources } from './lint-sources.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

const INCIDENTS_ASKED = 500;

/** As JSON has it. */
type Shown<T> = { readonly [Key in keyof T]: T[Key] extends Date ? string : T[Key] };

interface ShownPassage {
  readonly path: string;
  readonly breadcrumb: string;
  readonly cite: string;
  readonly score: number;
  readonly flags: readonly Flag[];
  readonly why: Why;
}

/** Adds the commands about runbooks. Lint, pin and new are about files and ask no server for them. */
export function addRunbookCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  const runbooks = program.command('runbooks').description('runbooks');
  addEvalCommand(runbooks, terminal);

  runbooks
    .command('lint')
    .description('report every mistake in the runbooks; exit code 1 when one is an error')
    .option('--strict', 'exit code 1 for warnings as well')
    .option('--json', 'as JSON, for programs')
    .action(async ({ strict = false, json = false }: { strict?: boolean; json?: boolean }) => {
      const { findings, shown } = await lintSources(loadConfig(terminal));
      const failing = findings.filter(({ severity }) => strict || severity === 'error');
      const failed = (areSources: boolean) =>
        new Set(failing.flatMap(({ rule, path }) => ((rule === 'source') === areSources ? [path] : []))).size;
      const unread = failed(true) > 0 ? `${failed(true)} source(s) of runbooks cannot be read, and ` : '';
      const verdict = `${unread}${failed(false)} of ${shown.length} runbook(s) have mistakes`;
      if (json) out(JSON.stringify({ ok: failing.length === 0, findings, runbooks: shown }, null, 2));
      const lines = findings.map(writeFinding);
      if (failing.length > 0)
        throw new NightshiftError('invalid_runbook', json ? verdict : `${verdict}:\n${lines.join('\n')}`);
      if (json) return;
      for (const line of lines) out(line);
      for (const { path, actionable, pinned, why } of shown)
        if (actionable && !pinned) out(`${path}: asks before it acts, because ${why}`);
      out(
        `${shown.length} runbook(s) in order, ${shown.filter(({ actionable }) => actionable).length} of them can act`,
      );
    });

  runbooks
    .command('pin')
    .description(
      'vouch for every runbook as it is now: writes runbooks.lock; outside git, only what stands there acts unasked',
    )
    .action(async () => {
      for (const { file, runbooks: count, inGit } of await pinRunbooks(ownFolders(terminal)))
        out(
          `${file}: ${count} runbook(s) pinned${inGit ? '; this folder is in git, so what is committed decides' : ''}`,
        );
    });

  runbooks
    .command('new <alert>')
    .description('write a runbook for an alert, to be filled in')
    .action(async (alert: string) => {
      const [folder] = ownFolders(terminal);
      if (folder === undefined)
        throw new NightshiftError(
          'invalid_config',
          'runbooks: every source is a repository. Fix: write the runbook there, or name a folder of this machine too',
        );
      const file = join(folder, fileNameFor(alert));
      const seen = await lastSeen(terminal, alert);
      await mkdir(folder, { recursive: true });
      try {
        await writeFile(file, newRunbook(alert, seen), { flag: 'wx' });
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
        throw new NightshiftError('conflict', `${file} is there already. Fix: edit it, or remove it first`, { cause });
      }
      out(
        `${file}: written${seen ? ` with the labels of ${seen.incident}` : ''}; edit it, then: nightshift runbooks lint`,
      );
    });

  runbooks
    .command('sync')
    .description('have the running Nightshift fetch and index the runbooks now')
    .action(async () => {
      const sync = await findServer(terminal).request<Sync>('POST', '/runbooks/sync', {});
      for (const path of sync.added) out(`added    ${plain(path)}`);
      for (const path of sync.changed) out(`changed  ${plain(path)}`);
      for (const path of sync.removed) out(`removed  ${plain(path)}`);
      for (const { path, problems } of sync.problems)
        out(`${path}\n${describeProblems(problems).replace(/^/gm, '  ')}`);
      out(`${sync.unchanged} unchanged`);
      if (sync.failed.length > 0)
        throw new NightshiftError(
          'invalid_config',
          `${sync.failed.length} source(s) of runbooks are as they were:\n${describeProblems(sync.failed)}`,
          { problems: sync.failed },
        );
    });

  runbooks
    .command('failing')
    .description('list the runbooks whose remedies keep failing, and for which alert')
    .action(async () => {
      const { failing } = await findServer(terminal).request<{ failing: Shown<FailingRunbook>[] }>(
        'GET',
        '/runbooks/failing',
      );
      if (failing.length === 0) out('no runbook keeps failing');
      for (const one of failing) out(writeFailing(one));
    });

  runbooks
    .command('search <text>')
    .description('ask the running Nightshift which runbook fits')
    .option('--alert <name>', 'as for an alert of this name')
    .action(async (text: string, { alert }: { alert?: string }) => {
      const { found, others } = await findServer(terminal).request<{ found: ShownPassage[]; others: ShownPassage[] }>(
        'GET',
        `/runbooks/search?q=${encodeURIComponent(text)}${alert === undefined ? '' : `&alert=${encodeURIComponent(alert)}`}`,
      );
      if (found.length === 0) out('no runbook fits');
      for (const one of found) out(writePassage(one));
      if (found.length > 0 || others.length === 0) return;
      out('the nearest of those that do not fit:');
      for (const one of others) out(writePassage(one));
    });
}

function writeFailing({ path, alertname, tried, healed, last }: Shown<FailingRunbook>): string {
  return plain(`${path} failed ${tried - healed} of ${tried} times for ${alertname}, last on ${last.slice(0, 10)}`);
}

/** One line: the score, where it stands, and the signals that found it with their ranks. */
function writePassage({ breadcrumb, cite, score, why, flags }: ShownPassage): string {
  const ranks = [
    ['words', why.words],
    ['vector', why.vector],
    ['similar name', why.name],
  ] as const;
  const signals = [
    ...(why.matched ? ['its matchers hold'] : []),
    ...(why.linked ? ['the alert links to it'] : []),
    ...(why.named ? ['it bears the name'] : []),
    ...(why.service ? ['it is for the service'] : []),
    ...ranks.flatMap(([name, rank]) => (rank === null ? [] : [`${name} #${rank}`])),
    ...(why.record
      ? [`healed ${why.record.healed} of ${why.record.tried} times${why.record.failing ? ', failing' : ''}`]
      : []),
    ...(flags.length > 0 ? [`instruction-like text: ${describeFlags(flags)}`] : []),
    ...(why.nameSaid > 0 ? [`${Math.round(why.nameSaid * 100)} % of its name is said`] : []),
  ];
  return `${score.toFixed(3)}  ${plain(cite)}  ${plain(breadcrumb)}  (${signals.join(', ')})`;
}

/** The folders that are the operator's to write into; clones of repositories are not. */
function ownFolders(terminal: Terminal): string[] {
  const { runbooks, runbookRemotes } = loadConfig(terminal);
  return runbooks.filter((folder) => !runbookRemotes.some((remote) => remote.folder === folder));
}

function writeFinding({ path, line, severity, rule, field, value, message, fix }: Finding): string {
  const problem: Problem = { field, message, ...(value === undefined ? {} : { value }), ...(fix ? { fix } : {}) };
  return `${rule === 'source' ? '' : `${path}:${line}: `}${severity}: ${describeProblems([problem])} [${rule}]`;
}

/** The newest incident of an alert, where a server is there to be asked. */
async function lastSeen(terminal: Terminal, alert: string): Promise<Seen | null> {
  try {
    const { incidents } = await findServer(terminal).request<{
      incidents: { id: string; labels: Record<string, string> }[];
    }>('GET', `/incidents?limit=${INCIDENTS_ASKED}`);
    const last = incidents.find(({ labels }) => labels.alertname === alert);
    return last ? { incident: last.id, labels: last.labels } : null;
  } catch {
    // The file is as good without.
    return null;
  }
}
