import type { Database } from '../../src/database/index.ts';
import { createModels } from '../../src/llm/index.ts';
import { createMetrics } from '../../src/telemetry/index.ts';
import { openaiText, rawServer, sendJson } from '../../test/integration/llm/raw-server.ts';
import { modelsConfig } from '../../test/integration/support/models.ts';
import { median } from '../measure.ts';
import { questionOf, timed } from './overhead.ts';

const DEADLINE_SECONDS = 0.3;
/** One less than opens the breaker, for each gateway. */
const CALLS = 4;
const GATEWAYS = 5;

/** Measures how long the second model's answer takes when the first refuses the connection, and beyond the deadline when it hangs; medians of each round in ms. */
export async function measureFailover(db: Database, rounds: number): Promise<{ refused: number[]; late: number[] }> {
  const server = await rawServer((response) => sendJson(response, 200, openaiText('fine')));
  const hanging = await rawServer(() => undefined);
  const gone = await rawServer(() => undefined);
  await gone.close();
  let serial = 0;
  const run = async (first: string) => {
    const times: number[] = [];
    for (let gateway = 0; gateway < GATEWAYS; gateway += 1) {
      const config = modelsConfig([
        { provider: 'openai', model: 'first', baseUrl: `${first}/v1`, timeoutSeconds: DEADLINE_SECONDS },
        { provider: 'openai', model: 'second', baseUrl: `${server.url}/v1` },
      ]);
      const models = createModels(config, { db, metrics: createMetrics() });
      for (let call = 0; call < CALLS; call += 1)
        times.push(await timed(() => models.ask(questionOf(`failover ${serial++}`))));
    }
    return median(times);
  };
  try {
    await run(gone.url);
    const [refused, late]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round += 1) {
      refused.push(await run(gone.url));
      late.push((await run(hanging.url)) - DEADLINE_SECONDS * 1000);
    }
    return { refused, late };
  } finally {
    await Promise.all([server.close(), hanging.close()]);
  }
}
