/** The harness judged by what was planted: a Nightshift that forgets or lies must be found out, and an honest one must not. */
import { LLMock } from '@copilotkit/aimock';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MailServer, startMail } from '../../chaos/mail.ts';
import { type Plan, planOf } from '../../chaos/plan.ts';
import type { Sabotage } from '../../chaos/replica.ts';
import { runOnce } from '../../chaos/run.ts';
import { makeTemplates, type Templates } from '../../chaos/templates.ts';
import { requireParts } from '../../real-parts/require.ts';

const skip = requireParts('chaos finds what was planted', 'postgres');

/** Killed right after a remedy that does not help was sent. */
const PLAN: Plan = {
  ...planOf('planted'),
  database: 'postgres',
  replicas: 1,
  stories: ['Futile', 'Approved'],
  slack: false,
  smtp: false,
  pages: false,
  model: false,
  snapshots: false,
  faults: [{ kind: 'kill', replica: 0, kills: [{ point: 'execute.after-send', nth: 1, pauseMs: 100 }] }],
};

describe.skipIf(skip)('chaos', { timeout: 240_000 }, () => {
  let templates: Templates;
  let mail: MailServer;
  const mock = new LLMock({ port: 0 });

  beforeAll(async () => {
    [templates, mail] = [await makeTemplates(), await startMail()];
    await mock.start();
  });

  afterAll(async () => {
    await mock.stop();
    await mail.stop();
    await templates.remove();
  });

  const rulesOf = async (sabotage: Sabotage | null) => {
    const { violations, kills } = await runOnce({ plan: PLAN, templates, modelUrl: mock.url, mail, sabotage });
    expect(kills).toHaveLength(1);
    return violations.map(({ rule, words }) => `${rule}: ${words}`);
  };

  it.concurrent('finds nothing in a Nightshift as it is', async () => {
    expect(await rulesOf(null)).toEqual([]);
  });

  it.concurrent('finds one that forgets what it was about to send', async () => {
    expect((await rulesOf('forget-intents')).join('\n')).toMatch(/^doubled: rig\.poke was done 2 times/m);
  });

  it.concurrent('finds one that answers before it has committed', async () => {
    expect((await rulesOf('answer-early')).join('\n')).toMatch(/^lost: /m);
  });
});
