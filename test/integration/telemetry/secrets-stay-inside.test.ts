/** Every kind of secret, in every encoding, through every way out: nothing of it may arrive. */
import express from 'express';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { problemHandler } from '../../../src/api/index.ts';
import { type Database, openEmbedded } from '../../../src/database/index.ts';
import { addEvidence, evidenceOf } from '../../../src/diagnosis/store.ts';
import { NightshiftError } from '../../../src/errors.ts';
import { addEvents, addMessages, eventsAfter } from '../../../src/incident/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import { createChannels, createOutbox } from '../../../src/notify/index.ts';
import { createLogger, createMetrics, redact, setSecrets } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { startLoopback } from '../../real-parts/loopback.ts';
import { ENCODINGS, expectNothingOf } from '../../unit/telemetry/encodings.ts';
import { SAMPLES } from '../../unit/telemetry/secret-samples.ts';
import { anthropicText, openaiText, rawServer, sendJson } from '../llm/raw-server.ts';
import { modelsConfig, promptOf } from '../support/models.ts';

const CANARY = 'Zq7-canary/of+0urs';
const kinds = [...SAMPLES, { kind: 'configured secret', line: `the value ${CANARY} was seen`, secret: CANARY }];
const cases = kinds.flatMap(({ kind, line, secret }) =>
  Object.entries(ENCODINGS).map(([encoding, encode]) => ({
    about: `${kind}, ${encoding}`,
    text: encode(line),
    secret,
  })),
);
const lines: string[] = [];
const log = createLogger('debug', { write: (line) => void lines.push(line) });
let checked = 0;

/** The text must have gone through, so something of it is there, and the secret not. */
function expectClean(seen: string | undefined, { about, secret }: { about: string; secret: string }): void {
  expect(seen, about).toContain('[redacted:');
  expectNothingOf(secret, seen ?? '', about);
  checked += 1;
}

beforeAll(() => setSecrets([CANARY]));
afterAll(() => setSecrets([]));

describe('of the secrets in a text', () => {
  it('there are enough kinds and encodings', () => {
    expect(kinds.length).toBeGreaterThanOrEqual(30);
    expect(Object.keys(ENCODINGS)).toHaveLength(4);
    // Without the redactor each would be seen: the search itself works.
    for (const { about, text, secret } of cases) expect(() => expectNothingOf(secret, text, about), about).toThrow();
  });

  it.each(['openai', 'anthropic'] as const)(
    'none is in what %s receives',
    async (provider) => {
      const answer = provider === 'openai' ? openaiText('fine') : anthropicText('fine');
      const server = await rawServer((response) => sendJson(response, 200, answer));
      const baseUrl = provider === 'openai' ? `${server.url}/v1` : server.url;
      const db = await openEmbedded(null);
      const models = createModels(modelsConfig([{ provider, model: 'm', baseUrl, timeoutSeconds: 10 }]), {
        ...{ db, metrics: createMetrics() },
      });
      for (const { text } of cases) {
        await models.ask({
          role: 'diagnose',
          prompts: [promptOf(`about ${text}`)],
          incidentId: null,
          messages: [
            { role: 'user', content: text },
            {
              role: 'assistant',
              content: text,
              toolCalls: [{ id: 'c1', name: 'x', arguments: { saw: text } }],
              original: { model: `${provider}/m`, content: [{ type: 'text', text }] },
            },
            { role: 'user', content: '', toolResults: [{ id: 'c1', content: text }] },
          ],
          tools: [{ name: 'x', description: text, inputSchema: { type: 'object', properties: {} } }],
          maxTokens: 16,
          signal: AbortSignal.timeout(10_000),
        });
      }
      await server.close();
      const kept = await db.q.selectFrom('model_call').select('request').orderBy('id').execute();
      await db.close();
      for (const [index, one] of cases.entries()) expectClean(JSON.stringify(kept[index]), one);
      for (const [index, one] of cases.entries()) expectClean(JSON.stringify(server.requests[index]?.body), one);
    },
    180_000,
  );

  it('none is in a text that goes to Slack', () => {
    for (const one of cases) expectClean(redact(one.text), one);
  });

  it('none is in a line of the log', () => {
    for (const one of cases) {
      log.warn({ saw: one.text, error: new Error(one.text) }, one.text);
      expectClean(lines.pop(), one);
    }
  });

  it('none is in an answer of the API', async () => {
    const app = express();
    app.get('/:case', (request) => {
      const { text } = cases[Number(request.params.case)] ?? { text: '' };
      const problems = [{ field: 'x', value: text, message: text, fix: text }];
      throw new NightshiftError('invalid_payload', `cannot read ${text}`, { problems });
    });
    app.use(problemHandler(log));
    const server = await startLoopback(app);
    for (const [index, one] of cases.entries())
      expectClean(await (await fetch(`${server.origin}/${index}`)).text(), one);
    await server.close();
    lines.length = 0;
  });

  it('there were as many checks as there should be', () => {
    expect(checked).toBeGreaterThanOrEqual(30 * 4 * 4);
    expect(checked).toBe(cases.length * 7);
  });
});

describe.each(anyDatabase)('of the secrets in a text, on a $name database', ({ open }) => {
  let db: Database;
  let incident: number;

  beforeAll(async () => {
    db = await open();
    const row = {
      state: 'received',
      correlation_key: 'k',
      title: 't',
      severity: 'critical',
      labels: '{}',
      trace_id: 'f'.repeat(32),
      context: '{"v":1}',
    };
    incident = (await db.q.insertInto('incident').values(row).returning('id').executeTakeFirstOrThrow()).id;
  });
  afterAll(() => db.close());

  it('none is in the timeline, which is the audit', async () => {
    const events = cases.map(({ text }) => ({ type: 'test', actor: 'test', data: { saw: text, list: [{ text }] } }));
    await addEvents(db, incident, events);
    const rows = await eventsAfter(db, incident, 0, cases.length);
    expect(rows).toHaveLength(cases.length);
    for (const [index, one] of cases.entries()) expectClean(JSON.stringify(rows[index]?.data), one);
  });

  it('none is in the evidence', async () => {
    const found = cases.map(({ text }, index) => ({
      ref: `E${index + 1}`,
      kind: 'tool' as const,
      title: text,
      content: text,
      origin: { arguments: { q: text } },
    }));
    await addEvidence(db, incident, 1, found);
    const kept = await evidenceOf(db, incident);
    for (const [index, one] of cases.entries()) expectClean(JSON.stringify(kept[index]), one);
  });

  it('none is in a message to people, in the outbox or where it is posted', async () => {
    const posted = await rawServer((response) => sendJson(response, 200, {}));
    const channels = createChannels({ webhook: posted.url }, { db, installation: 'here', writtenBack: [], log });
    const outbox = createOutbox({ db, channels, metrics: createMetrics(), log });
    for (const { line } of kinds) await addMessages(db, incident, [{ kind: 'escalated', text: line }]);
    const kept = await db.q.selectFrom('outbox').select('message').orderBy('id').execute();
    outbox.start();
    await expect.poll(() => posted.requests.length, { timeout: 30_000, interval: 200 }).toBe(kinds.length);
    await outbox.stop();
    await posted.close();
    for (const [index, { kind, secret }] of kinds.entries()) {
      expectClean(JSON.stringify(kept[index]?.message), { about: kind, secret });
      expectClean(JSON.stringify(posted.requests[index]?.body), { about: kind, secret });
      expectClean(
        lines.find((line) => JSON.parse(line).text === (kept[index]?.message as { text: string } | undefined)?.text),
        { about: kind, secret },
      );
    }
  });
});
