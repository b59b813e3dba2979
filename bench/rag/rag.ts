import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbedded } from '../../src/database/index.ts';
import { hashEmbedder, syncRunbooks } from '../../src/rag/index.ts';
import { type Measure, withinLimit } from '../measure.ts';
import { againstCeiling } from './goals.ts';
import { type LatencyRound, measureLatency } from './latency.ts';
import { manyRunbooks, readAlerts } from './material.ts';
import { measureQuality } from './quality.ts';

const ROUNDS = 5;
const RUNBOOKS = 1000;
const SIZES = [
  { chunks: 10_000, ratio: 3 },
  { chunks: 100_000, ratio: 1.5 },
];

/**
 * Measures how well and how fast runbooks are found, on runbooks and alerts of others that are not part of this repository:
 * `corpora` is a folder with `corpora/NAME/*.md` and `queries/NAME*.jsonl`. Without it nothing is measured.
 */
export async function measureRag({
  quick,
  say,
  corpora,
}: {
  quick: boolean;
  say: (text: string) => void;
  corpora: string | null;
}): Promise<Measure[]> {
  const folder = corpora ?? (existsSync('../shared/bench/corpora') ? '../shared/bench' : null);
  if (folder === null) {
    say('rag: skipped, since there are no runbooks to measure with; name a folder of them with --corpora DIR');
    return [];
  }
  const runbooks = join(folder, 'corpora');
  const alerts = await readAlerts(folder);
  say('quality: indexing and asking');
  const measures = await measureQuality(runbooks, alerts);
  say(`indexing ${RUNBOOKS} runbooks`);
  measures.push(await measureIndexing(runbooks));
  if (!process.env.NIGHTSHIFT_TEST_DATABASE_URL) {
    say('latency: skipped, since NIGHTSHIFT_TEST_DATABASE_URL names no Postgres');
    return measures;
  }
  for (const { chunks, ratio } of quick ? SIZES.slice(0, 1) : SIZES) {
    say(`latency among ${chunks} chunks, the greater part of them synthetic`);
    const rounds = await measureLatency(runbooks, alerts.hard, { chunks, rounds: quick ? 1 : ROUNDS });
    measures.push(...latencies(chunks, ratio, rounds));
  }
  // One round shows a speed and proves none; how well it finds is the same every time.
  return quick ? measures.map((one) => (one.unit === 'share' ? one : { ...one, goal: null, met: null })) : measures;
}

function latencies(chunks: number, ratio: number, rounds: readonly LatencyRound[]): Measure[] {
  const about = (metric: string, unit: string) => ({
    bench: 'rag',
    metric: `${chunks} chunks, synthetic: ${metric}`,
    unit,
  });
  return [
    againstCeiling(
      about('p50 against bare vector + bare full text', 'ms'),
      rounds.map(({ p50, floor }) => ({ value: p50, floor })),
      ratio,
    ),
    withinLimit(
      about('p99 as a multiple of p50', '×'),
      rounds.map(({ p50, p99 }) => p99 / p50),
      { of: 'median', limit: 4 },
    ),
  ];
}

/** Indexes as many runbooks on the embedded database; those that are there, several times over under other names. */
async function measureIndexing(folder: string): Promise<Measure> {
  const made = await manyRunbooks(folder, RUNBOOKS);
  const db = await openEmbedded(null);
  try {
    const start = performance.now();
    await syncRunbooks(db, { folders: [made.folder], embedder: hashEmbedder });
    const seconds = (performance.now() - start) / 1000;
    return withinLimit({ bench: 'rag', metric: `indexing ${RUNBOOKS} runbooks, embedded`, unit: 's' }, [seconds], {
      of: 'worst',
      limit: 60,
    });
  } finally {
    await db.close();
    await made.remove();
  }
}
