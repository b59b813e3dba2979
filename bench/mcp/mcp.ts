import { againstFloorPlus, type Measure, withinLimit } from '../measure.ts';
import { openBenchTools } from './bench-tools.ts';
import { type GatedRound, measureGatedCall } from './gated-call.ts';
import { measureMemory } from './memory.ts';
import { measureReadCall } from './read-call.ts';

const ROUNDS = 5;
const READ_MS_MORE = 0.2;
const GATED_MS_MORE = 1;
const MEMORY_MIB_MAX = 100;

/**
 * Measures what a tool costs beyond the bare SDK: a look, an action with its durable intent and outcome on Postgres, and the memory of
 * each toolset's process.
 */
export async function measureMcp({ quick, say }: { quick: boolean; say: (text: string) => void }): Promise<Measure[]> {
  const rounds = quick ? 1 : ROUNDS;
  const measures: Measure[] = [];
  const about = (metric: string, unit: string) => ({ bench: 'mcp', metric, unit });
  const tools = await openBenchTools();
  try {
    say('a look against the bare SDK');
    const looks = await measureReadCall(tools, rounds);
    measures.push(againstFloorPlus(about('look, p50 against the bare SDK call', 'ms'), looks, READ_MS_MORE));
    if (process.env.NIGHTSHIFT_TEST_DATABASE_URL) {
      say('an action against the bare SDK and two commits');
      const actions = await measureGatedCall(tools, rounds);
      const beside = (key: 'whole' | 'sending' | 'rows') =>
        actions.map((round: GatedRound) => ({ value: round[key], floor: round.call + round.commits }));
      measures.push(
        againstFloorPlus(
          about('action, its rows alone, p50 against the bare SDK call + 2 commits', 'ms'),
          beside('rows'),
          GATED_MS_MORE,
        ),
        againstFloorPlus(
          about('action, intent to outcome, judged once more, p50 against the same', 'ms'),
          beside('sending'),
          GATED_MS_MORE,
        ),
        againstFloorPlus(about('action, the whole stage, p50 against the same', 'ms'), beside('whole'), GATED_MS_MORE),
      );
    } else say('an action: skipped, since NIGHTSHIFT_TEST_DATABASE_URL names no Postgres');
  } finally {
    await tools.close();
  }
  say('the memory of each toolset');
  const memories = [];
  for (let round = 1; round <= rounds; round += 1) memories.push(...(await measureMemory()));
  for (const toolset of new Set(memories.map((one) => one.toolset))) {
    const own = memories.filter((one) => one.toolset === toolset).map(({ listed, looked }) => looked ?? listed);
    measures.push(withinLimit(about(`memory of ${toolset}`, 'MiB'), own, { of: 'worst', limit: MEMORY_MIB_MAX }));
  }
  return measures;
}
