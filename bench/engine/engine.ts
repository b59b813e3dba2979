import { openPostgres } from '../../src/database/index.ts';
import { throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { againstFloor, type Measure } from '../measure.ts';
import { measureFloor } from './floor.ts';
import { measureIncidents } from './incidents.ts';
import { measureLangGraph } from './langgraph.ts';

const ROUNDS = 5;
const RUNS = { 1: 150, 16: 400 } as const;
const FLOOR_RATIO = 0.6;
const LANGGRAPH_RATIO = 3;

/** Measures how many incidents a second the driver takes through eight transitions, against bare transactions and against LangGraph.js. */
export async function measureEngine({
  quick,
  say,
}: {
  quick: boolean;
  say: (text: string) => void;
}): Promise<Measure[]> {
  const { url, drop } = await throwawayDatabaseUrl();
  const db = await openPostgres(url);
  try {
    const measures: Measure[] = [];
    for (const concurrency of [1, 16] as const) {
      const options = { runs: RUNS[concurrency], concurrency };
      const rounds: { floor: number; incidents: number; langGraph: number }[] = [];
      say(`${concurrency} at once`);
      // What is compiled and cached on the way is the machine's, not the engine's.
      await measureIncidents(db, options);
      await measureLangGraph(url, options);
      while (rounds.length < (quick ? 1 : ROUNDS)) {
        const floor = await measureFloor(url, options);
        const incidents = await measureIncidents(db, options);
        const langGraph = await measureLangGraph(url, options);
        rounds.push({ floor, incidents, langGraph });
      }
      const about = (against: string) => ({
        bench: 'engine',
        metric: `incidents of 8 transitions, ${concurrency} at once, against ${against}`,
        unit: '/s',
      });
      const ratio = (of: 'floor' | 'langGraph') => rounds.map((one) => ({ value: one.incidents, floor: one[of] }));
      measures.push(againstFloor(about('8 bare transactions'), ratio('floor'), FLOOR_RATIO));
      measures.push(againstFloor(about('LangGraph.js, 6 nodes, in Postgres'), ratio('langGraph'), LANGGRAPH_RATIO));
    }
    return measures;
  } finally {
    await db.close();
    await drop();
  }
}
