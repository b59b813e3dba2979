import OpenAI from 'openai';
import type { Database } from '../../src/database/index.ts';
import { createModels, type Gateway, type ModelRequest } from '../../src/llm/index.ts';
import { createMetrics } from '../../src/telemetry/index.ts';
import { openaiText, rawServer, sendJson } from '../../test/integration/llm/raw-server.ts';
import { modelsConfig, promptOf } from '../../test/integration/support/models.ts';
import { median } from '../measure.ts';

const WARM_UP = 50;
const CALLS = 150;
/** As long as the evidence of an ordinary incident. */
const EVIDENCE = 'The worker is wedged, and nobody knows why it is. '.repeat(160);

interface Round {
  readonly value: number;
  readonly floor: number;
}

/** Measures a call through the gateway against the bare SDK, and one past an open breaker against one without, each medians in ms. */
export async function measureOverhead(db: Database, rounds: number): Promise<{ calls: Round[]; breakers: Round[] }> {
  const server = await rawServer((response) => sendJson(response, 200, openaiText('fine')));
  const broken = await rawServer((response) => response.writeHead(500).end());
  try {
    const ok = { provider: 'openai', model: 'm', baseUrl: `${server.url}/v1` } as const;
    const gone = { ...ok, model: 'broken', baseUrl: `${broken.url}/v1` };
    const plain = createModels(modelsConfig([ok]), { db, metrics: createMetrics() });
    const behind = createModels(modelsConfig([gone, ok]), { db, metrics: createMetrics() });
    const client = new OpenAI({ apiKey: 'none', baseURL: ok.baseUrl, maxRetries: 0 });
    let serial = 0;
    const bare = () =>
      client.chat.completions.create({
        model: 'm',
        max_tokens: 100,
        messages: [
          { role: 'system', content: 'You look.' },
          { role: 'user', content: `${serial++} ${EVIDENCE}` },
        ],
      });
    const ask = (models: Gateway) => models.ask(questionOf(`${serial++} ${EVIDENCE}`));
    while ((await ask(behind)).failedOver.every((reason) => !reason.includes('left alone')));
    const round = async (calls: number) => {
      const times: Record<'bare' | 'plain' | 'behind', number[]> = { bare: [], plain: [], behind: [] };
      for (let call = 0; call < calls; call += 1) {
        times.bare.push(await timed(bare));
        times.plain.push(await timed(() => ask(plain)));
        times.behind.push(await timed(() => ask(behind)));
      }
      return { bare: median(times.bare), plain: median(times.plain), behind: median(times.behind) };
    };
    await round(WARM_UP);
    const found = [];
    while (found.length < rounds) found.push(await round(CALLS));
    return {
      calls: found.map((one) => ({ value: one.plain, floor: one.bare })),
      breakers: found.map((one) => ({ value: one.behind, floor: one.plain })),
    };
  } finally {
    await Promise.all([server.close(), broken.close()]);
  }
}

/** Makes a question with these words. */
export function questionOf(words: string): ModelRequest {
  return {
    role: 'diagnose',
    prompts: [promptOf('You look.')],
    messages: [{ role: 'user', content: words }],
    maxTokens: 100,
    signal: new AbortController().signal,
    incidentId: null,
  };
}

/** Gives how long something took, in ms. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await run();
  return performance.now() - start;
}
