import { LLMock } from '@copilotkit/aimock';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { alert, type Service, startNightshift, startService, type TestNightshift } from '../support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
remedies:
  - name: purge
    steps: [{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: The poison job blocks all others. }]
  - name: restart the ledger when it hangs
    when: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/healthz" }, expect: status == 299 }]
    steps: [{ tool: supervisor.restart, with: { process: ledger }, why: It hangs. }]
verify:
  - tool: http.probe
    with: { url: "http://{{ labels.instance }}/healthz" }
    expect: status == 200
    within: 500ms
---
# Spool is stuck
A poison job blocks the workers, and every job behind it waits.
`;

const mock = new LLMock({ port: 0 });

const diagnosis = (change: object = {}) =>
  JSON.stringify({
    root_cause: 'A poison job blocks the workers.',
    confidence: 'high',
    citations: [{ evidence: 'E1', quote: 'A poison job blocks the workers' }],
    ruled_out: [],
    unknowns: [],
    inconclusive: false,
    ...change,
  });
const proposal = (name: string, args: object) => ({
  name,
  arguments: JSON.stringify({ arguments: args, reason: 'It frees the queue.', expected_effect: 'Jobs move again.' }),
});

// One kind of database is enough here: what differs between them is the business of the other tests.
const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];

describe.each(['anthropic', 'openai'] as const)('model mode with %s', (provider) => {
  let service: Service;
  let nightshift: TestNightshift;
  let fingerprint = 0;

  beforeAll(async () => {
    await mock.start();
    service = await startService();
    const model = {
      provider,
      model: 'test-model',
      apiKey: 'test',
      baseUrl: provider === 'openai' ? `${mock.url}/v1` : mock.url,
      timeoutSeconds: 2,
    };
    nightshift = await startNightshift({
      database,
      runbooks: { 'spool.md': RUNBOOK },
      config: {
        models: [model],
        investigation: { steps: 3, deep: 'never', critiqueRounds: 2 },
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          spool: { uses: 'host', directories: { shop: { path: service.spool } } },
          processes: { uses: 'supervisor', url: 'http://127.0.0.1:9' },
        },
      },
    });
  });
  beforeEach(async () => {
    mock.reset();
    await service.clear();
    await service.jam();
  });
  // An incident left open would go on asking the model while the next test counts its questions.
  afterEach(async () => {
    const { body } = await nightshift.api<{ incidents: { id: string; state: string }[] }>('/incidents');
    for (const { id, state } of body.incidents) {
      if (state === 'resolved' || state === 'stopped') continue;
      await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
      await nightshift.until(Number(id.slice(4)), 'stopped');
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
    await mock.stop();
  });

  const open = async () => {
    fingerprint += 1;
    const firing = alert(
      { instance: service.instance, spool: 'shop', service: `shop-${fingerprint}` },
      { fingerprint: `f${fingerprint}` },
    );
    const { body } = await nightshift.deliver([firing]);
    return (body.incidents as number[])[0] as number;
  };
  const asks = (words: string) => mock.getRequests().filter(({ body }) => JSON.stringify(body).includes(words)).length;
  const asksToPlan = () => asks('You plan the remedy');
  const asksToDiagnose = () => asks('Find its most likely root cause');

  it('walks the same way by function calling, and says which model it was', async () => {
    mock.on(
      { systemMessage: /You plan the remedy/ },
      { content: 'Purging frees the queue.', toolCalls: [proposal('host__purge', { directory: 'shop' })] },
    );
    mock.on({}, { content: diagnosis() });
    const id = await open();
    const waiting = await nightshift.until(id, 'awaiting_approval');
    expect(waiting.diagnosis).toMatchObject({ mode: 'model', model: `${provider}/test-model`, inconclusive: false });
    expect(waiting.actions).toMatchObject([
      { tool: 'host.purge', origin: `model:${provider}/test-model`, status: 'asked' },
    ]);
    expect(waiting.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toEqual(['risk-destructive', 'nothing-allows']);
    await nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
    await nightshift.until(id, ({ events }) => events.some(({ type }) => type === 'verification.passed'));
    expect(await service.jobs()).toEqual([]);
    expect([asksToDiagnose(), asksToPlan()]).toEqual([1, 1]);
  });

  it('looks further by itself with what only reads, through the real toolsets, and cites what it saw', async () => {
    const probe = { url: `http://${service.instance}/jobs` };
    const look = { arguments: probe, why: 'Whether another page answers.' };
    const investigates = /You are an engineer who looks into/;
    const calls = [
      { name: 'http__probe', arguments: JSON.stringify(look) },
      proposal('host__purge', { directory: 'shop' }),
    ];
    mock.on({ systemMessage: investigates, sequenceIndex: 0 }, { content: 'It may be one page.', toolCalls: calls });
    mock.on({ systemMessage: investigates }, { content: 'It is all of it.' });
    mock.on({ systemMessage: /You plan the remedy/ }, { content: 'Nothing fits.' });
    mock.on({}, () => {
      const sent = JSON.stringify(mock.getRequests().at(-1)?.body);
      const ref = /id=\\"(E\d+)\\" kind=\\"tool\\" title=\\"web http.probe [^>]*jobs/.exec(sent)?.[1] ?? 'E0';
      return { content: diagnosis({ citations: [{ evidence: ref, quote: '"status":503' }] }) };
    });
    const handed = await nightshift.until(await open(), 'escalated');
    const seen = handed.evidence.find(({ title }) => title.includes('/jobs'));
    expect(seen?.content).toContain('"status":503');
    expect(handed.diagnosis).toMatchObject({
      mode: 'model',
      inconclusive: false,
      citations: [{ evidence: seen?.ref }],
    });
    const step = handed.events.find(({ type }) => type === 'investigation.step');
    expect(JSON.stringify(step?.data)).toMatch(/Whether another page answers.*host.*purge.*no such function on offer/);
    expect(await service.jobs()).toHaveLength(1);
  });

  it('asks a person about a safe remedy that no runbook declares, however sure the model is', async () => {
    mock.on(
      { systemMessage: /You plan the remedy/ },
      { content: 'Restart.', toolCalls: [proposal('supervisor__restart', { process: 'payments' })] },
    );
    mock.on({}, { content: diagnosis() });
    const waiting = await nightshift.until(await open(), 'awaiting_approval');
    expect(waiting.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toContain('not-in-a-runbook');
  });

  it('asks about one that a runbook declares under a condition, since the model did not look at that', async () => {
    mock.on(
      { systemMessage: /You plan the remedy/ },
      { content: 'Restart.', toolCalls: [proposal('supervisor__restart', { process: 'ledger' })] },
    );
    mock.on({}, { content: diagnosis() });
    const waiting = await nightshift.until(await open(), 'awaiting_approval');
    expect(waiting.actions[0]?.decision?.spoke.map(({ rule }) => rule)).toContain('not-in-a-runbook');
  });

  it('sends invented evidence back once, then drops it, and hands over what is left without ground', async () => {
    mock.on(
      {},
      {
        content: diagnosis({
          citations: [
            { evidence: 'E1', quote: 'the moon is full' },
            { evidence: 'E99', quote: 'x' },
          ],
        }),
      },
    );
    const handed = await nightshift.until(await open(), 'escalated');
    expect(handed.diagnosis).toMatchObject({ mode: 'model', inconclusive: true, citations: [] });
    expect(handed.needs).toMatch(/could not ground/);
    expect(mock.getRequests().filter(({ body }) => JSON.stringify(body).includes('does not occur in it'))).toHaveLength(
      1,
    );
    expect([asksToDiagnose(), asksToPlan()]).toEqual([2, 0]);
  });

  it('drops and records calls of unknown tools, with bad arguments, or out of bounds, and runs none of them', async () => {
    const calls = [
      proposal('shell__exec', { command: 'rm -rf /' }),
      proposal('host__purge', { directory: '../etc' }),
      proposal('host__purge', { directory: 'shop', force: true }),
      { name: 'host__purge', arguments: '{}' },
    ];
    mock.on({ systemMessage: /You plan the remedy/ }, { content: 'All of it.', toolCalls: calls });
    mock.on({}, { content: diagnosis() });
    const handed = await nightshift.until(await open(), 'escalated');
    expect(handed.actions).toEqual([]);
    const dropped = JSON.stringify(handed.events.filter(({ type }) => type === 'model.answered').at(-1)?.data);
    expect(dropped).toContain('shell');
    expect(await service.jobs()).toHaveLength(1);
    expect(asksToPlan()).toBe(2);
  });

  it('goes on in runbook mode when the model fails, and says so', async () => {
    mock.on({}, { status: 529, error: { message: 'overloaded' } });
    const waiting = await nightshift.until(await open(), 'awaiting_approval');
    expect(waiting.diagnosis?.mode).toBe('runbook');
    expect(waiting.actions[0]?.origin).toBe('runbook:spool.md');
    expect(waiting.events.filter(({ type }) => type === 'model.failed')).toHaveLength(2);
  });
});
