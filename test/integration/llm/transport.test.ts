import { Agent, getGlobalDispatcher, setGlobalDispatcher, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { modelsConfig } from '../support/models.ts';
import { openaiText, rawServer, sendJson } from './raw-server.ts';

const before = getGlobalDispatcher();
const impatient = new Agent({ headersTimeout: 100, bodyTimeout: 100 });
let db: Database;
let server: Awaited<ReturnType<typeof rawServer>>;

beforeAll(async () => {
  db = await openEmbedded(null);
  setGlobalDispatcher(impatient);
  server = await rawServer((response) => setTimeout(() => sendJson(response, 200, openaiText('late but here')), 1800));
});
afterAll(async () => {
  setGlobalDispatcher(before);
  await server.close();
  await impatient.close();
  await db.close();
});

// Stands for the process's own limit of 300 seconds, which is too long for a test.
it('waits for a slow model as long as timeoutSeconds allows, though the process would give up on others sooner', async () => {
  const models = createModels(
    modelsConfig([{ provider: 'openai', model: 'slow', baseUrl: server.url, timeoutSeconds: 30 }]),
    { db, metrics: createMetrics() },
  );
  const question = {
    role: 'plan',
    prompts: [],
    messages: [{ role: 'user', content: 'Well?' }],
    maxTokens: 9,
    signal: new AbortController().signal,
    incidentId: null,
  } as const;
  const [other, answer] = await Promise.allSettled([undiciFetch(server.url), models.ask(question)]);
  expect(other).toMatchObject({ status: 'rejected', reason: { cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } } });
  expect(answer).toMatchObject({ status: 'fulfilled', value: { text: 'late but here' } });
});
