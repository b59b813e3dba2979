import { type Measure, median, round } from '../measure.ts';
import { type Drained, drain, type Offered, offer } from './offer.ts';
import { withReplicas } from './replicas.ts';

const REPLICAS = [1, 2, 4] as const;
const ROUNDS = 5;
const INCIDENTS = 300;
/** Incidents a second, offered one after another until they are no longer worked through as fast as they come. */
const RATES = [5, 10, 15, 20, 25, 30];
const OFFER_SECONDS = 12;
const PER_SECOND = 20;
const OF_ONE = 0.9;

/**
 * Measures how many incidents a second one, two and four replicas with the default settings work through on one Postgres, from the webhook
 * to the end, where models and tools take 2 s of each; first as fast as they can, then at rising rates until they fall behind.
 */
export async function measureScale({
  quick,
  say,
}: {
  quick: boolean;
  say: (text: string) => void;
}): Promise<Measure[]> {
  const drained = new Map<number, Drained[]>(REPLICAS.map((replicas) => [replicas, []]));
  for (let n = 0; n < (quick ? 1 : ROUNDS); n += 1)
    for (const replicas of REPLICAS) {
      say(`round ${n + 1}: ${replicas} replicas, ${INCIDENTS} incidents at once`);
      const one = await withReplicas(replicas, (scene) => drain(scene, quick ? INCIDENTS / 3 : INCIDENTS));
      drained.get(replicas)?.push(one);
      say(JSON.stringify(one));
    }
  const of = (replicas: number) => drained.get(replicas) ?? [];
  const measures = REPLICAS.flatMap((replicas) => throughput(replicas, of(replicas), of(1)));
  for (const replicas of quick ? [] : REPLICAS) measures.push(...(await knee(replicas, say)));
  return measures;
}

function throughput(replicas: number, rounds: readonly Drained[], one: readonly Drained[]): Measure[] {
  const bench = 'scale';
  const values = rounds.map(({ perSecond }) => perSecond);
  const ratios = rounds.map(({ perSecond }, n) => perSecond / (one[n]?.perSecond ?? Number.NaN));
  const isOne = replicas === 1;
  const value = round(median(values));
  const ratio = isOne ? null : round(median(ratios));
  const goal = isOne ? `>= ${PER_SECOND}` : replicas === 4 ? `ratio >= ${OF_ONE}` : null;
  const met = isOne ? median(values) >= PER_SECOND : goal === null ? null : median(ratios) >= OF_ONE;
  const ends = (all: readonly number[]) => [round(Math.min(...all)), round(Math.max(...all))] as const;
  const floor = isOne ? null : round(median(one.map(({ perSecond }) => perSecond)));
  const name = (what: string) => `${replicas} ${isOne ? 'replica' : 'replicas'}: ${what}`;
  const plain = (what: string, unit: string, all: readonly number[], most: number | null = null): Measure => ({
    ...{ bench, metric: name(what), unit, floor: null, ratio: null, spread: ends(all) },
    value: round(most === null ? median(all) : Math.max(...all)),
    goal: most === null ? null : `<= ${most}`,
    met: most === null ? null : Math.max(...all) <= most,
  });
  return [
    {
      bench,
      metric: name('incidents worked through'),
      unit: '/s',
      value,
      floor,
      ratio,
      spread: ends(isOne ? values : ratios),
      goal,
      met,
    },
    plain(
      'done twice',
      'actions',
      rounds.map(({ twice }) => twice),
      0,
    ),
    plain(
      'processor time of the replicas per incident',
      'ms',
      rounds.map(({ replicaMs }) => replicaMs),
    ),
    plain(
      'processor time of Postgres per incident',
      'ms',
      rounds.map(({ postgresMs }) => postgresMs),
    ),
    plain(
      'commits per incident',
      '',
      rounds.map(({ commits }) => commits),
    ),
    plain(
      'written ahead (WAL) per incident',
      'KiB',
      rounds.map(({ walKib }) => walKib),
    ),
    plain(
      'connections, the most at once',
      '',
      rounds.map(({ connections }) => connections),
    ),
  ];
}

/** Rising rates, until one is not kept up with. */
async function knee(replicas: number, say: (text: string) => void): Promise<Measure[]> {
  const measures: Measure[] = [];
  await withReplicas(replicas, async (scene) => {
    for (const rate of RATES) {
      const offered: Offered = await offer(scene, rate, OFFER_SECONDS);
      say(`${replicas} replicas at ${rate}/s: ${JSON.stringify(offered)}`);
      const about = { bench: 'scale', floor: null, ratio: null, goal: null, met: null };
      const metric = `${replicas} ${replicas === 1 ? 'replica' : 'replicas'} at ${rate}/s: webhook to the end, median`;
      const value = round(offered.p50);
      measures.push({ ...about, metric, unit: 's', value, spread: [value, round(offered.p95)] });
      if (!offered.keptUp) break;
    }
  });
  return measures;
}
