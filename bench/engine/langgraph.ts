import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { PostgresSaver } from '@langchain/langgraph-checkpoint-postgres';
import pg from 'pg';

const NODES = 6;
const NOTE = 'x'.repeat(600);
const BECAUSE = 'x'.repeat(200);

const StateOfRun = Annotation.Root({
  step: Annotation<number>,
  note: Annotation<string>,
  timeline: Annotation<string[]>({ reducer: (before, more) => [...before, ...more], default: () => [] }),
});

const knowing = (name: string) => (state: typeof StateOfRun.State) => ({
  step: state.step + 1,
  note: NOTE,
  timeline: [`${name}: ${BECAUSE}`],
});

/**
 * Lets LangGraph.js take runs through six nodes that know their answer at once, each run checkpointed in Postgres under a thread of its own; gives the
 * runs in a second.
 */
export async function measureLangGraph(
  url: string,
  { runs, concurrency }: { runs: number; concurrency: number },
): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: concurrency });
  // A connection that has been told to end may live until the database is dropped.
  pool.on('error', () => {});
  const saver = new PostgresSaver(pool);
  try {
    await saver.setup();
    const graph = new StateGraph(StateOfRun)
      .addNode('triage', knowing('triage'))
      .addNode('investigate', knowing('investigate'))
      .addNode('diagnose', knowing('diagnose'))
      .addNode('plan', knowing('plan'))
      .addNode('act', knowing('act'))
      .addNode('verify', knowing('verify'))
      .addEdge(START, 'triage')
      .addEdge('triage', 'investigate')
      .addEdge('investigate', 'diagnose')
      .addEdge('diagnose', 'plan')
      .addEdge('plan', 'act')
      .addEdge('act', 'verify')
      .addEdge('verify', END);
    const compiled = graph.compile({ checkpointer: saver });
    let next = 0;
    const batch = String(process.hrtime.bigint());
    const worker = async () => {
      for (let run = ++next; run <= runs; run = ++next) {
        const { step } = await compiled.invoke(
          { step: 0, note: '' },
          { configurable: { thread_id: `${batch}-${run}` } },
        );
        if (step !== NODES) throw new Error(`a run ended after ${step} nodes`);
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: concurrency }, worker));
    return runs / ((performance.now() - started) / 1000);
  } finally {
    await pool.end();
  }
}
