import { againstFloor, type Measure, withinLimit } from '../measure.ts';
import type { Kind } from './server.ts';
import { runStorm, type Storm } from './storm.ts';
import { type Round, runRound } from './throughput.ts';

const ROUNDS = 5;
const ROUNDS_EMBEDDED = 1;

/** Measures the whole intake on Postgres against pgbench in the same rounds, and on the embedded database beside it. */
export async function measureIngest({
  quick,
  say,
}: {
  quick: boolean;
  say: (text: string) => void;
}): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const kind of ['postgres', 'embedded'] as const) {
    const rounds: Round[] = [];
    const storms: Storm[] = [];
    const times = quick ? 1 : kind === 'postgres' ? ROUNDS : ROUNDS_EMBEDDED;
    for (let round = 1; round <= times; round += 1) {
      say(`${kind}: round ${round} of ${times}`);
      rounds.push(await runRound(kind));
      storms.push(await runStorm(kind));
    }
    measures.push(...throughputs(kind, rounds), ...stormMeasures(kind, storms));
  }
  return measures;
}

function throughputs(kind: Kind, rounds: readonly Round[]): Measure[] {
  const of = (
    name: string,
    values: (round: Round) => number,
    floor: (floors: NonNullable<Round['floors']>) => number,
    goal: number,
  ) => {
    const about = { bench: 'ingest', metric: `${kind}: ${name}`, unit: 'alerts/s' };
    const withFloor = rounds.flatMap((round) =>
      round.floors ? [{ value: values(round), floor: floor(round.floors) }] : [],
    );
    return withFloor.length > 0
      ? againstFloor(about, withFloor, goal)
      : withinLimit(about, rounds.map(values), { of: 'median' });
  };
  const ms = (name: string, values: (round: Round) => number) =>
    withinLimit({ bench: 'ingest', metric: `${kind}: ${name}`, unit: 'ms' }, rounds.map(values), { of: 'median' });
  return [
    of(
      'new fingerprints',
      ({ news }) => news,
      ({ one }) => one,
      0.4,
    ),
    of(
      'repeats',
      ({ repeats }) => repeats,
      ({ one }) => one,
      0.8,
    ),
    of(
      '100 alerts a webhook',
      ({ hundred }) => hundred,
      (floors) => floors.hundred,
      0.25,
    ),
    ms('100 alerts a webhook, p50', ({ hundredP50Ms }) => hundredP50Ms),
    ms('100 alerts a webhook, p99', ({ hundredP99Ms }) => hundredP99Ms),
  ];
}

function stormMeasures(kind: Kind, storms: readonly Storm[]): Measure[] {
  const of = (name: string, unit: string, values: (storm: Storm) => number, which: 'median' | 'worst', limit: number) =>
    withinLimit({ bench: 'ingest', metric: `${kind}: storm, ${name}`, unit }, storms.map(values), {
      of: which,
      limit: kind === 'postgres' ? limit : null,
    });
  return [
    of('end to end', 's', ({ seconds }) => seconds, 'median', 10),
    of('parents', 'incidents', ({ parents }) => parents, 'worst', 1),
    of('opened', 'incidents', ({ incidents }) => incidents, 'worst', 500),
    of('worked on twice', 'incidents', ({ workedTwice }) => workedTwice, 'worst', 0),
    of('most memory', 'MiB', ({ peakMiB }) => peakMiB, 'worst', 512),
    of('slowest /healthz', 'ms', ({ healthzMaxMs }) => healthzMaxMs, 'worst', 100),
  ];
}
