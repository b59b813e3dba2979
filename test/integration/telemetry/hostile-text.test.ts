/** Text that was written to get secrets out, to get something evaluated, or to keep the process busy. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { investigationSchema } from '../../../src/config/models.ts';
import type { Database } from '../../../src/database/index.ts';
import { createGather, describeCase, evidenceOf, loadSpecialists } from '../../../src/diagnosis/index.ts';
import { addEvents, createJournal, eventsAfter, loadIncident, openIncident } from '../../../src/incident/index.ts';
import { createModels } from '../../../src/llm/index.ts';
import { createCatalogue, type Look, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { createChannels, createOutbox } from '../../../src/notify/index.ts';
import { hashEmbedder } from '../../../src/rag/index.ts';
import { createLogger, createMetrics, redact, redactValue } from '../../../src/telemetry/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { startLoopback } from '../../real-parts/loopback.ts';
import { expectNothingOf } from '../../unit/telemetry/encodings.ts';
import { random } from '../../unit/telemetry/secret-samples.ts';
import { openaiText, rawServer, sendJson } from '../llm/raw-server.ts';
import { modelsConfig } from '../support/models.ts';
import { callTool } from '../toolsets/call-tool.ts';

const TOKEN = `gh${'p_'}${random(36)}`;
const embedded = databases[0] as (typeof databases)[number];
let db: Database;

beforeAll(async () => {
  db = await embedded.open();
});
afterAll(() => db.close());

const newIncident = () =>
  openIncident(db, {
    state: 'triaged',
    correlationKey: `k${Math.random()}`,
    title: 't',
    severity: 'critical',
    labels: {},
    context: { v: 1 },
    because: 'a test says so',
    actor: 'test',
  });

/** What a model is sent when this comes back from a tool, as one string. */
async function sentToModel(content: string): Promise<string> {
  const model = await rawServer((response) => sendJson(response, 200, openaiText('fine')));
  const config = modelsConfig([{ provider: 'openai', model: 'm', baseUrl: `${model.url}/v1`, timeoutSeconds: 10 }]);
  const models = createModels(config, { db, metrics: createMetrics() });
  await models.ask({
    role: 'diagnose',
    prompts: [],
    incidentId: null,
    messages: [
      { role: 'user', content: 'why?' },
      { role: 'assistant', content: '', toolCalls: [{ id: 'c1', name: 'x', arguments: {} }] },
      { role: 'user', content: '', toolResults: [{ id: 'c1', content }] },
    ],
    maxTokens: 16,
    signal: AbortSignal.timeout(10_000),
  });
  await model.close();
  return JSON.stringify(model.requests[0]?.body);
}

/** What the log, the audit and a model get to see of it. */
async function seenOf(content: string): Promise<string> {
  const lines: string[] = [];
  createLogger('info', { write: (line) => void lines.push(line) }).info({ content }, content);
  const id = await newIncident();
  await addEvents(db, id, [{ type: 'test', actor: 'test', data: { content } }]);
  const events = (await eventsAfter(db, id, 0, 10)).filter(({ type }) => type === 'test');
  return [...lines, JSON.stringify(events), redact(content), await sentToModel(content)].join('\n');
}

describe('hostile text', () => {
  it('with a private key that was cut before its end shows nothing of it', async () => {
    const line = ['-----BEGIN RSA ', 'PRIVATE KEY-----\n', 'TUlJRXBBSUJBQUtDQVFFQQ\n'.repeat(9)].join('');
    const seen = await seenOf(line);
    expect(seen).toContain('[redacted:private-key]');
    expect(seen).not.toContain('TUlJRXBBSUJB');
  });

  it('with a password in a URL, URL-encoded and in base64 shows it in no form', async () => {
    const canary = 'p4ss-w0rd-canary';
    const encoded = Buffer.from(`password=${canary}`).toString('base64');
    const seen = await seenOf(`connect redis://:${canary}@cache:6379/0 password%3D${canary} b64=${encoded}`);
    expectNothingOf(canary, seen, 'canary');
    expect(seen).toContain('connect redis://:[redacted:url-credentials]@cache:6379/0');
  });

  it('with the data of a Kubernetes Secret shows it neither as it is nor decoded', async () => {
    const secret = 'canary-secret-value-000';
    const object = {
      kind: 'Secret',
      data: { token: Buffer.from(secret).toString('base64'), other: Buffer.from(secret).toString('base64') },
    };
    expectNothingOf(secret, await seenOf(JSON.stringify(object)), 'text');
    expectNothingOf(secret, JSON.stringify(redactValue({ tool: 'k8s/get', content: object })), 'data');
  });

  it('of 10 MiB takes less than a second, and no more than 64 KiB of it get to a model', async () => {
    const line = 'x'.repeat(10 * 1024 * 1024);
    const started = process.cpuUsage();
    redact(line);
    redactValue({ content: line });
    expect(process.cpuUsage(started).user).toBeLessThan(1_000_000);
    expect((await sentToModel(line)).split('x').length).toBeLessThanOrEqual(65_536 + 100);
  });

  it('with place holders gets none of them filled in, on the way to a model or to people', async () => {
    const description = `{{ env.SLACK_SIGNING_SECRET }} \${process.env.PATH} {{constructor.constructor('return process')()}}`;
    const alert = {
      source: 'alertmanager',
      fingerprint: 'f',
      status: 'firing' as const,
      labels: {},
      annotations: { description },
      startsAt: new Date(0),
      endsAt: null,
      generatorUrl: null,
    };
    const seen = await seenOf(describeCase([alert], []));
    expect(seen).toContain(`{{ env.SLACK_SIGNING_SECRET }} \${process.env.PATH}`);
    expect(seen).not.toContain(process.env.PATH);
  });
});

describe('a secret across the place where text is cut', () => {
  it('leaves no half in the evidence or in the journal', async () => {
    const config = { super: { uses: 'supervisor', match: [], url: 'http://127.0.0.1:1' } };
    for (const before of [3940, 3960, 3970, 3980]) {
      const id = await newIncident();
      const incident = await loadIncident(db, id);
      const look: Look = async () => ({
        outcome: 'succeeded',
        result: { log: `${'a '.repeat(before / 2)}${TOKEN} end` },
      });
      const gather = createGather({
        db,
        config: { limits: { gatherSeconds: 10 } as never, investigation: investigationSchema.parse({}) },
        catalogue: createCatalogue(TOOLSETS, config),
        look,
        embedder: hashEmbedder,
        models: createModels(modelsConfig([]), { db, metrics: createMetrics() }),
        specialists: loadSpecialists(),
      });
      const alert = {
        source: 'test',
        fingerprint: 'f',
        status: 'firing' as const,
        labels: { process: 'checkout' },
        annotations: {},
        startsAt: new Date(),
        endsAt: null,
        generatorUrl: null,
        receivedAt: new Date(),
      };
      const outcome = await gather({
        incident,
        alerts: [alert],
        signals: [],
        journal: createJournal(db, incident),
        abort: new AbortController().signal,
        assertHeld: async () => true,
      });
      await outcome.write?.();
      const kept = (await evidenceOf(db, id)).filter(({ kind }) => kind === 'tool');
      expect(kept[0]?.content.length).toBeLessThanOrEqual(4000);
      const journal = await db.q.selectFrom('journal').select('result').where('incident_id', '=', id).execute();
      const seen = JSON.stringify([kept, journal, outcome.events]);
      expect(seen, String(before)).not.toContain(TOKEN.slice(0, 8));
    }
  });

  it('leaves no half in what a probe brings', async () => {
    const page = await startLoopback((_, response) => response.end(`${'é '.repeat(680)}${TOKEN} end`));
    const found = await callTool(TOOLSETS.http as never, 'http.probe', { url: page.origin }, { allow: [page.origin] });
    await page.close();
    expect(String(found.bodyStart)).toContain(' [redact');
    expect(String(found.bodyStart)).not.toContain(TOKEN.slice(0, 8));
  });
});

describe('a message in the outbox', () => {
  it('is posted without secrets, whoever put it there, and fails without showing its address', async () => {
    const id = await newIncident();
    const posted = await rawServer((response) => sendJson(response, 200, {}));
    const log = createLogger('silent');
    const metrics = createMetrics();
    await db.q
      .insertInto('outbox')
      .values({ incident_id: id, kind: 'resolved', message: JSON.stringify({ text: `use ${TOKEN}` }) })
      .execute();
    const channelsTo = (webhook: string) =>
      createChannels({ webhook }, { db, installation: 'here', writtenBack: [], log });
    const failing = createOutbox({
      db,
      channels: channelsTo(posted.url.replace('://', '://ops:hunter2-x9@')),
      metrics,
      log,
    });
    failing.start();
    const errorOf = async () =>
      (await db.q.selectFrom('outbox_delivery').select('last_error').executeTakeFirst())?.last_error;
    await expect.poll(errorOf, { timeout: 10_000 }).toMatch(/\S/);
    await failing.stop();
    expect(await errorOf()).not.toContain('hunter2-x9');

    await db.q
      .updateTable('outbox_delivery')
      .set({ due_at: new Date(0) })
      .execute();
    const outbox = createOutbox({ db, channels: channelsTo(posted.url), metrics, log });
    outbox.start();
    await expect.poll(() => posted.requests.length, { timeout: 10_000 }).toBe(1);
    await outbox.stop();
    await posted.close();
    expect(posted.requests[0]?.body).toMatchObject({ text: 'use [redacted:github-token]' });
  });
});
