import { type Database, openEmbedded, openPostgres } from '../../src/database/index.ts';
import { throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { againstFloorPlus, type Measure, withinLimit } from '../measure.ts';
import { measureFailover } from './failover.ts';
import { measureFirstAction } from './first-action.ts';
import { measureOverhead } from './overhead.ts';
import { simulateTenMinutes } from './ten-minutes.ts';

const ROUNDS = 5;
const OVERHEAD_MS = 3;
const FAILOVER_MS = 50;
const BREAKER_MS = 1;
/** Most of what an alert's way to its first action may take, by kind of database. */
const FIRST_ACTION_MS = { embedded: { p50: 80, p99: null }, Postgres: { p50: 30, p99: 120 } } as const;

/** Measures what the gateway adds to a call of a model, how fast it goes on to the next, and whether it keeps within limits. */
export async function measureLlm({ quick, say }: { quick: boolean; say: (text: string) => void }): Promise<Measure[]> {
  const rounds = quick ? 1 : ROUNDS;
  const measures: Measure[] = [];
  const about = (metric: string, unit: string) => ({ bench: 'llm', metric, unit });
  for (const { name, open } of databases()) {
    const { db, close } = await open();
    try {
      say(`a call against the bare SDK, ${name} database`);
      const { calls, breakers } = await measureOverhead(db, rounds);
      const metric = `call, checked and recorded (${name}), p50 against the bare SDK call`;
      measures.push(againstFloorPlus(about(metric, 'ms'), calls, OVERHEAD_MS));
      const open = `call past an open breaker (${name}), p50 against one without`;
      measures.push(againstFloorPlus(about(open, 'ms'), breakers, BREAKER_MS));
      say(`going on to the next model, ${name} database`);
      const { refused, late } = await measureFailover(db, rounds);
      const worst = { of: 'worst', limit: FAILOVER_MS } as const;
      measures.push(
        withinLimit(about(`next model's answer after a refused connection (${name}), p50`, 'ms'), refused, worst),
      );
      measures.push(
        withinLimit(about(`next model's answer after a deadline (${name}), p50 beyond it`, 'ms'), late, worst),
      );
      if (name === 'embedded') {
        say('ten simulated minutes of 100,000 tokens a minute, two endpoints of 60,000 each');
        const found = await simulateTenMinutes(db);
        const share = round4(found.answeredTokens / found.demandedTokens);
        measures.push(
          withinLimit(about('ten minutes: answers of 429', ''), [found.tooMany], { of: 'worst', limit: 0 }),
        );
        measures.push(
          withinLimit(about('ten minutes: longest wait', 's'), [found.longestWaitMs / 1000], {
            of: 'worst',
            limit: 10,
          }),
        );
        const throughput = withinLimit(about('ten minutes: tokens answered of those demanded', ''), [share], {
          of: 'median',
        });
        measures.push({ ...throughput, value: share, goal: '>= 0.95', met: share >= 0.95 });
      }
    } finally {
      await close();
    }
    say(`from a webhook to the first action, ${name} database`);
    const ways = await measureFirstAction(name === 'Postgres' ? 'postgres' : 'embedded', rounds);
    for (const which of ['p50', 'p99'] as const) {
      const metric = `accepted webhook to first action (${name}), ${which}`;
      const values = ways.map((way) => way[which]);
      measures.push(withinLimit(about(metric, 'ms'), values, { of: 'median', limit: FIRST_ACTION_MS[name][which] }));
    }
  }
  return measures;
}

function databases() {
  const embedded = async () => {
    const db = await openEmbedded(null);
    return { db, close: () => db.close() };
  };
  const all: { name: 'embedded' | 'Postgres'; open: () => Promise<{ db: Database; close: () => Promise<void> }> }[] = [
    { name: 'embedded', open: embedded },
  ];
  if (process.env.NIGHTSHIFT_TEST_DATABASE_URL) all.unshift({ name: 'Postgres', open: served });
  return all;
}

async function served() {
  const { url, drop } = await throwawayDatabaseUrl();
  const db = await openPostgres(url);
  const close = async () => {
    await db.close();
    await drop();
  };
  return { db, close };
}

function round4(value: number): number {
  return Math.round(value * 10_000) / 10_000;
}
