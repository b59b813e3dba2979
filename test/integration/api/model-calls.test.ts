/** What models were asked about an incident, over the API. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import { modelCalls as modelCallsShape } from '../../../src/api/answers/incident.ts';
import { type Script, startScript } from '../models/script.ts';
import { alert, startNightshift, type TestNightshift } from '../support/nightshift.ts';

let script: Script;
let nightshift: TestNightshift;

beforeAll(async () => {
  script = await startScript('openai');
  nightshift = await startNightshift({
    database: 'embedded',
    config: {
      models: [{ name: 'large', provider: 'openai', model: 'gpt-6.2-sol', apiKey: 'k', baseUrl: script.baseUrl }],
    },
  });
});
afterAll(async () => {
  await nightshift?.stop();
  await script?.stop();
});

it('are shown with what was sent, what came back and what it cost', async () => {
  const { body } = await nightshift.deliver([
    alert(
      { alertname: 'MailQueueStuck' },
      { annotations: { summary: 'key sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789' } },
    ),
  ]);
  const [id = 0] = body.incidents as number[];
  await nightshift.until(id, 'escalated');
  const answer = await nightshift.api(`/incidents/${id}/model-calls`);
  const { calls } = modelCallsShape.parse(answer.body);
  expect(answer.body).toMatchObject({ leftOut: 0 });
  const diagnose = calls.find(({ role }) => role === 'diagnose');
  expect(diagnose).toMatchObject({
    model: 'large',
    outcome: 'ok',
    error: null,
    degraded: null,
    answer: { stopReason: 'end' },
  });
  expect(diagnose?.prompts[0]).toMatch(/^diagnose@\d+$/);
  expect(JSON.stringify(diagnose?.request)).toContain('MailQueueStuck');
  expect(JSON.stringify(answer.body)).not.toContain('abcdefghijklmnopqrstuvwxyz0123456789');
  expect(diagnose?.inputTokens).toBeGreaterThan(0);
  expect(diagnose?.costUsd).toBeGreaterThan(0);
  expect(calls.map((call) => call.id)).toEqual(calls.map((call) => call.id).sort((a, b) => Number(a) - Number(b)));
  const whole = await nightshift.api<{ modelCalls: object[] }>(`/incidents/${id}/export`);
  expect(whole.body.modelCalls).toHaveLength(calls.length);
});
