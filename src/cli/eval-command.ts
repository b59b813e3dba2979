import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { openEmbedded } from '../database/index.ts';
import { describeProblems, messageOf, NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import {
  claimsAt,
  createEmbedder,
  embedAll,
  evaluate,
  type LabelledAlert,
  originsOf,
  readLabelledAlerts,
  SIGNALS,
  type Signal,
  summarize,
  syncRunbooks,
  unknownGold,
} from '../rag/index.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** Whoever measures with another corpus than that of the alerts need not read thousands of lines. */
const WARNINGS_MAX = 20;

interface Options {
  readonly corpus: string;
  readonly queries: string[];
  readonly nogold: string[];
  readonly without: Signal[];
  readonly json?: boolean;
  readonly misses?: boolean;
}

/** Adds `runbooks eval`, which measures on alerts of one's own how well the right runbook is found. */
export function addEvalCommand(runbooks: Command, terminal: Terminal): void {
  const { out, err, directory } = terminal;
  runbooks
    .command('eval')
    .description('measure how well the right runbook is found, in a database made for it and thrown away')
    .requiredOption('--corpus <dir>', 'a folder of runbooks, or of folders of them')
    .requiredOption(
      '--queries <file...>',
      'alerts with the right runbooks, a JSON object a line: id, alertname, …, gold',
    )
    .option('--nogold <file...>', 'alerts that no runbook is right for, to measure whether that is noticed', [])
    .addOption(new Option('--without <signal...>', 'signals to leave out').choices([...SIGNALS]).default([]))
    .option('--misses', 'list the alerts whose right runbook is not first')
    .option('--json', 'print one JSON object')
    .action(async ({ corpus, queries, nogold, without, json, misses }: Options) => {
      const read = (option: string) => async (file: string) => {
        const alerts = readLabelledAlerts(file, await textOf(option, file, directory));
        if (alerts.length === 0) err(`nightshift: warning: ${option}: ${file} holds no alert`);
        return alerts;
      };
      const asked = (await Promise.all(queries.map(read('--queries')))).flat();
      if (asked.length === 0)
        throw mistake('--queries', queries.join(', '), 'holds no alert', 'write one JSON object a line');
      const alerts = [...asked, ...(await Promise.all(nogold.map(read('--nogold')))).flat()];
      await checkFolder(corpus, directory);
      const embedder = createEmbedder(loadConfig(terminal).embeddings, { warn: (_fields, message) => err(message) });
      const db = await openEmbedded(null);
      try {
        const { problems } = await syncRunbooks(db, { folders: [resolve(directory, corpus)], embedder });
        for (const { path, problems: own } of problems)
          for (const { field, message } of own) if (field === 'file') err(plain(`${path}: ${message}`));
        const paths = [...(await originsOf(db)).keys()];
        if (paths.length === 0)
          throw mistake('--corpus', corpus, 'holds no runbook', 'name a folder with .md files in it');
        warnOfGold(alerts, paths, err);
        await embedAll(db, embedder);
        const evaluations = await evaluate(db, alerts, { embedder, without });
        const summary = summarize(evaluations);
        if (json) return out(JSON.stringify(summary));
        for (const [name, value] of Object.entries(summary))
          out(`${name.padEnd(12)}${name === 'n' ? value : value.toFixed(3)}`);
        if (summary.auroc !== undefined)
          out(
            `where 95 % of the alerts with a right runbook keep theirs, ${percent(claimsAt(0.95, evaluations))} of the others claim one`,
          );
        const claims = (right: boolean) => {
          const among = evaluations.filter(({ alert }) => alert.gold.length > 0 === right);
          return `${percent(among.filter(({ fits }) => fits).length / Math.max(1, among.length))} of ${among.length}`;
        };
        out(`a runbook fits: ${claims(true)} alert(s) with a right one, ${claims(false)} without`);
        if (!misses) return;
        for (const { alert, place, found } of evaluations)
          if (alert.gold.length > 0 && place !== 1)
            out(
              `${alert.id}: ${alert.gold.join(', ')} is ${place === null ? 'not found' : `at ${place}`}; first is ${found[0] ?? 'nothing'}`,
            );
      } finally {
        await db.close();
      }
    });
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** No mistake: others' files may be about a larger corpus than the one that is measured. */
function warnOfGold(alerts: readonly LabelledAlert[], paths: readonly string[], err: Terminal['err']): void {
  const warn = (text: string) => err(plain(`nightshift: warning: ${text}`));
  const unknown = unknownGold(alerts, paths);
  for (const { alert, gold } of unknown.slice(0, WARNINGS_MAX))
    warn(`${alert.readFrom}: gold of ${alert.id || '(no id)'} names no file of the corpus: ${gold}`);
  if (unknown.length > WARNINGS_MAX) warn(`${unknown.length - WARNINGS_MAX} more of gold name no file of the corpus`);
  if (alerts.every(({ gold }) => gold.length === 0))
    warn('no alert has a right runbook (gold), so recall says nothing');
}

function mistake(field: string, value: string, message: string, fix: string, cause?: unknown): NightshiftError {
  const problems = [{ field, value, message, fix }];
  return new NightshiftError('invalid_config', describeProblems(problems), { cause, problems });
}

async function checkFolder(corpus: string, directory: string): Promise<void> {
  const fix = 'name a folder of runbooks';
  const facts = await stat(resolve(directory, corpus)).catch((cause) => {
    throw mistake('--corpus', corpus, whyUnread(cause, 'folder'), fix, cause);
  });
  if (!facts.isDirectory()) throw mistake('--corpus', corpus, 'is not a folder', fix);
}

async function textOf(option: string, file: string, directory: string): Promise<string> {
  try {
    return await readFile(resolve(directory, file), 'utf8');
  } catch (cause) {
    throw mistake(option, file, whyUnread(cause, 'file'), 'name a file of alerts, one JSON object a line', cause);
  }
}

function whyUnread(cause: unknown, what: 'file' | 'folder'): string {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return `there is no such ${what}`;
  if (code === 'EISDIR') return 'is a folder';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  return messageOf(cause);
}
