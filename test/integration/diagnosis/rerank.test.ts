import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../../src/database/index.ts';
import { rerank } from '../../../src/diagnosis/rerank.ts';
import { createModels } from '../../../src/llm/index.ts';
import type { Found } from '../../../src/rag/index.ts';
import { createMetrics } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { modelsConfig } from '../support/models.ts';
import { openQuietly } from './stages.ts';

const mock = new LLMock({ port: 0 });
const ALERT = {
  source: 'alertmanager',
  fingerprint: 'f',
  status: 'firing' as const,
  labels: { alertname: 'QueueGrows' },
  annotations: {},
  startsAt: new Date(0),
  endsAt: null,
  generatorUrl: null,
};

function passage(path: string, score: number, why: Partial<Found['why']> = {}): Found {
  const said = { ...why } as Found['why'];
  const place = { startLine: 1, endLine: 2 };
  return {
    path,
    title: path,
    repository: null,
    commit: null,
    repositoryPath: null,
    breadcrumb: path,
    ...place,
    content: `What to do: ${path}`,
    score,
    fits: true,
    flags: [],
    why: said,
  };
}

const CLOSE = [passage('a.md', 0.71), passage('b.md', 0.7), passage('c.md', 0.66)];

const [{ open }] = databases as [(typeof databases)[number]];
let db: Database;
let incidentId: number;

async function order(found: readonly Found[], { withModel = true, signal = new AbortController().signal } = {}) {
  const small = {
    provider: 'openai',
    model: 'small',
    apiKey: 'test',
    baseUrl: `${mock.url}/v1`,
    timeoutSeconds: 2,
  } as const;
  const routing = { rerank: { models: ['openai/small'] } };
  const config = withModel ? modelsConfig([small], { routing }) : modelsConfig([]);
  const models = createModels(config, { db, metrics: createMetrics() });
  const result = await rerank(found, { incidentId, alerts: [ALERT], models, signal });
  return { paths: result.found.map(({ path }) => path), model: result.model };
}

describe('rerank', () => {
  beforeAll(async () => {
    await mock.start();
    db = await open();
    incidentId = await openQuietly(db);
  });
  afterAll(async () => {
    await db.close();
    await mock.stop();
  });
  beforeEach(() => {
    mock.reset();
  });
  const says = (text: string) => mock.on({}, { content: text });

  it('puts close ones into the order that the model gives, and names it', async () => {
    says('{"order":["R3","R1","R2"]}');
    expect(await order(CLOSE)).toEqual({ paths: ['c.md', 'a.md', 'b.md'], model: 'openai/small' });
    expect(JSON.stringify(mock.getRequests()[0]?.body)).toContain('What to do: b.md');
  });

  it.each([
    ['no model', CLOSE, false],
    ['one that is clearly the best', [passage('a.md', 0.8), passage('b.md', 0.69)], true],
    ['a single one', [passage('a.md', 0.6)], true],
    ['none at all', [], true],
    [
      'only those that declare themselves',
      [passage('a.md', 0.6, { matched: true }), passage('b.md', 0.6, { named: true })],
      true,
    ],
  ])('asks nothing with %s', async (_, found, withModel) => {
    says('{"order":["R2","R1"]}');
    expect(await order(found, { withModel })).toEqual({ paths: found.map(({ path }) => path), model: null });
    expect(mock.getRequests()).toEqual([]);
  });

  it('never moves what declares itself, is linked or bears the name', async () => {
    says('{"order":["R2","R1"]}');
    const found = [
      passage('declared.md', 0.5, { matched: true }),
      passage('linked.md', 0.5, { linked: true }),
      passage('named.md', 0.9, { named: true }),
      ...CLOSE.slice(0, 2),
    ];
    expect((await order(found)).paths).toEqual(['declared.md', 'linked.md', 'named.md', 'b.md', 'a.md']);
  });

  it.each([
    ['names one twice', '{"order":["R1","R1","R2"]}'],
    ['leaves one out', '{"order":["R2","R1"]}'],
    ['names one that it was not given', '{"order":["R1","R2","R9"]}'],
    ['says something else', '{"best":"R2"}'],
    ['does not answer in JSON', 'R2 is the best'],
  ])('changes nothing when the model %s', async (_, text) => {
    says(text);
    expect(await order(CLOSE)).toEqual({ paths: ['a.md', 'b.md', 'c.md'], model: null });
  });

  it('changes nothing when the model fails, or time is over', async () => {
    mock.on({}, { error: { message: 'overloaded', type: 'server_error' }, status: 500 });
    // Others than before, to whose question there is no stored answer.
    const others = [passage('d.md', 0.71), passage('e.md', 0.7)];
    expect(await order(others)).toEqual({ paths: ['d.md', 'e.md'], model: null });
    expect((await order(others, { signal: AbortSignal.abort() })).model).toBeNull();
  });
});
