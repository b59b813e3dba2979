import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { openEmbedded } from '../database/index.ts';
import { messageOf, NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';
import {
  claimsAt,
  createEmbedder,
  embedAll,
  evaluate,
  readLabelledAlerts,
  SIGNALS,
  type Signal,
  summarize,
  syncRunbooks,
} from '../rag/index.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

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
      const read = async (file: string) => readLabelledAlerts(file, await textOf(resolve(directory, file)));
      const alerts = (await Promise.all([...queries, ...nogold].map(read))).flat();
      const embedder = createEmbedder(loadConfig(terminal).embeddings, { warn: (_fields, message) => err(message) });
      const db = await openEmbedded(null);
      try {
        const { problems } = await syncRunbooks(db, { folders: [resolve(directory, corpus)], embedder });
        for (const { path, problems: own } of problems)
          for (const { field, message } of own) if (field === 'file') err(plain(`${path}: ${message}`));
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

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new NightshiftError(
      'invalid_config',
      `cannot read ${file}: ${messageOf(cause)}. Fix: name a file that is there`,
      {
        cause,
      },
    );
  }
}
