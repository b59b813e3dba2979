import { readFile } from 'node:fs/promises';
import { openEmbedded } from '../../src/database/index.ts';
import { claimsAt, evaluate, hashEmbedder, summarize, syncRunbooks } from '../../src/rag/index.ts';
import { type Measure, withinLimit } from '../measure.ts';
import { atLeast } from './goals.ts';
import type { Alerts } from './material.ts';

/** Measures how well the right runbook is found, and that there is none, with the embedder that needs no network. */
export async function measureQuality(folder: string, { easy, hard, noRunbook }: Alerts): Promise<Measure[]> {
  const db = await openEmbedded(null);
  try {
    await syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
    const ask = (alerts: Alerts['easy']) => evaluate(db, alerts, { embedder: hashEmbedder });
    const [named, nameless, none] = [await ask(easy), await ask(hard), await ask(noRunbook)];
    const both = [...nameless, ...none];
    const exceptions = await readExceptions();
    const judged = [...nameless, ...none.filter(({ alert }) => !exceptions.has(alert.id))];
    const figures = { easy: summarize(named), hard: summarize(both) };
    const about = (metric: string) => ({ bench: 'rag', metric, unit: 'share' });
    return [
      atLeast(about('easy R@1'), figures.easy['recall@1'], 0.975),
      atLeast(about('easy R@5'), figures.easy['recall@5'], 1),
      atLeast(about('hard R@1'), figures.hard['recall@1'], 0.87),
      atLeast(about('hard R@5'), figures.hard['recall@5'], 0.975),
      atLeast(about('hard MRR@10'), figures.hard['mrr@10'], 0.92),
      atLeast(about('no runbook fits, AUROC'), figures.hard.auroc ?? 0, 0.94),
      atLeast(about('no runbook fits, AUROC, without the exceptions'), summarize(judged).auroc ?? 0, 0.94),
      withinLimit(about('false claims where 95 % of true ones are kept'), [claimsAt(0.95, both)], {
        of: 'worst',
        limit: 0.2,
      }),
    ];
  } finally {
    await db.close();
  }
}

/** The alerts that are filed as having no runbook though one is there, judged by reading both: see `because` in exceptions.jsonl. */
async function readExceptions(): Promise<Set<string>> {
  const text = await readFile(new URL('exceptions.jsonl', import.meta.url), 'utf8');
  return new Set(
    text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { id: string }).id),
  );
}
