/** Real models of real providers, where their keys are given: the same incident through the whole of Nightshift. Costs money; never part of npm test. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  alert,
  type Service,
  startNightshift,
  startService,
  type TestNightshift,
} from '../integration/support/nightshift.ts';

const RUNBOOK = `---
match: ['alertname="SpoolStuck"']
remedies:
  - name: purge
    steps: [{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: The poison job blocks all others. }]
---
# Spool is stuck
A poison job blocks the workers, and every job behind it waits. Purge the spool.
`;
const PROVIDERS = [
  {
    provider: 'anthropic',
    key: process.env.ANTHROPIC_API_KEY,
    model: process.env.NIGHTSHIFT_LIVE_ANTHROPIC_MODEL ?? 'claude-sonnet-4-5',
  },
  {
    provider: 'openai',
    key: process.env.OPENAI_API_KEY,
    model: process.env.NIGHTSHIFT_LIVE_OPENAI_MODEL ?? 'gpt-5-mini',
  },
] as const;

describe.each(PROVIDERS)('a real model of $provider', ({ provider, key, model }) => {
  let service: Service;
  let nightshift: TestNightshift;

  beforeAll(async () => {
    if (!key) return;
    service = await startService();
    await service.jam(2);
    nightshift = await startNightshift({
      database: 'embedded',
      runbooks: { 'spool.md': RUNBOOK },
      config: {
        models: [{ provider, model, apiKey: key, timeoutSeconds: 60 }],
        judge: { share: 0 },
        toolsets: { spool: { uses: 'host', directories: { shop: { path: service.spool } } } },
      },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await service?.stop();
  });

  it.skipIf(!key)(
    'diagnoses from the evidence, plans what fits, and deletes nothing unasked',
    { timeout: 300_000 },
    async () => {
      const labels = { instance: service.instance, spool: 'shop' };
      const { body } = await nightshift.deliver([alert(labels)]);
      const [id] = body.incidents as number[];
      let incident = await nightshift.incident(id as number);
      const deadline = Date.now() + 240_000;
      while (!['awaiting_approval', 'escalated'].includes(incident.state) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        incident = await nightshift.incident(id as number);
      }
      expect(incident.events.filter(({ type }) => type === 'model.failed')).toEqual([]);
      expect(incident.diagnosis).toMatchObject({ mode: 'model' });
      expect(['awaiting_approval', 'escalated']).toContain(incident.state);
      expect(await service.jobs()).toHaveLength(2);
    },
  );
});
