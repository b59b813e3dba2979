import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createModelRoutes } from '../../../src/api/model-routes.ts';
import { runCli } from '../../../src/cli/index.ts';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { createModels, type Gateway } from '../../../src/llm/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { type Loopback, startLoopback } from '../../real-parts/loopback.ts';
import { openaiText, rawServer, sendJson } from '../llm/raw-server.ts';
import { modelsConfig, promptOf } from '../support/models.ts';

let db: Database;
let directory: string;
let provider: Awaited<ReturnType<typeof rawServer>>;
let broken: Awaited<ReturnType<typeof rawServer>>;
let api: Loopback;
let models: Gateway;

beforeAll(async () => {
  db = await openEmbedded(null);
  directory = await mkdtemp(join(tmpdir(), 'nightshift-test-'));
  const usage = { prompt_tokens: 1_000_000, completion_tokens: 0 };
  provider = await rawServer((response) => sendJson(response, 200, { ...openaiText('fine'), usage }));
  broken = await rawServer((response) => response.destroy());
  const config = modelsConfig(
    [
      { name: 'broken', provider: 'openai', model: 'llama', baseUrl: broken.url },
      {
        name: 'sol',
        provider: 'openai',
        model: 'gpt-6.2-sol',
        baseUrl: provider.url,
        limits: { requestsPerMinute: 50 },
      },
    ],
    { routing: { judge: { models: ['sol'] } }, spending: { dayUsd: 100, roleUsd: { plan: 7 } } },
  );
  models = createModels(config, { db, metrics: createMetrics() });
  const served = express().use((_request, response, next) => {
    response.locals.principal = { name: 'vic', role: 'viewer' };
    next();
  });
  api = await startLoopback(served.use('/api/v1', createModelRoutes(models)));
});
afterAll(async () => {
  await Promise.all([api.close(), provider.close(), broken.close()]);
  await db.close();
  await rm(directory, { recursive: true, force: true });
});

async function run(...argv: string[]) {
  const said: string[] = [];
  const code = await runCli({
    argv,
    env: { NIGHTSHIFT_URL: api.origin, NIGHTSHIFT_TOKEN: 'x', NIGHTSHIFT_DATA_DIR: directory },
    directory,
    out: (text) => void said.push(text),
    err: (text) => void said.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.join('\n') };
}

it('shows the models, who is left alone, and what was spent', async () => {
  for (let time = 0; time < 5; time += 1) {
    await models
      .ask({
        role: 'plan',
        prompts: [promptOf('You plan.')],
        messages: [{ role: 'user', content: `plan ${time}` }],
        maxTokens: 10,
        signal: AbortSignal.timeout(10_000),
        incidentId: null,
      })
      .catch(() => undefined);
  }
  const { code, out } = await run('models');
  expect(code).toBe(0);
  const lines = out.split('\n');
  expect(lines[0]).toMatch(
    /^broken {2}standard {2}127\.0\.0\.1:\d+ {2}tried|^broken {2}standard {2}127\.0\.0\.1:\d+ {2}/,
  );
  expect(lines[0]).toMatch(/ {2}ok|KEEPS FAILING, left alone until \d\d:\d\d:\d\d UTC/);
  expect(out).toContain('  price: unknown, counts toward no ceiling');
  expect(out).toMatch(/^sol {2}standard {2}127\.0\.0\.1:\d+ {2}ok {2}p50 \d+\.\d s$/m);
  expect(out).toMatch(/^ {2}price: \$2 in, \$10 out for a million tokens \(list of 20\d\d-\d\d-\d\d\)$/m);
  expect(out).toContain('  limits: 50 requests a minute');
  expect(out).toContain('  roles: triage, investigate, summarise, diagnose, critique, plan, judge, answer');
  expect(out).toMatch(/^spent today: \$[\d.]+ of \$100\.00 \(spending\.dayUsd\)$/m);
  expect(out).toMatch(/^spent today: \$[\d.]+ of \$7\.00 \(spending\.roleUsd\.plan\)$/m);
  expect(out).toContain('an incident may cost $2.00 (spending.incidentUsd)');
  const shown = JSON.parse((await run('models', '--json')).out);
  expect(shown.models[0]).toMatchObject({ name: 'broken', price: null, roles: expect.not.arrayContaining(['judge']) });
});
