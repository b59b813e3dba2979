import { LLMock } from '@copilotkit/aimock';
import { describe, expect, it } from 'vitest';
import { anyDatabase } from '../real-parts/databases.ts';
import { requireParts } from '../real-parts/require.ts';
import { count, setScene } from './support/scene.ts';

const skip = requireParts('killed at any moment, it goes on', 'supervisor', 'postgres');

/** Each named moment of an incident's way, and how many restarts of the service the outside ledger may show for it. */
const MOMENTS: readonly (readonly [failpoint: string, restarts: number, unknown: boolean])[] = [
  ['land.before.triaged', 1, false],
  ['land.after.triaged', 1, false],
  ['land.before.investigated', 1, false],
  ['land.before.diagnosed', 1, false],
  ['land.after.planned', 1, false],
  ['land.before.acting', 1, false],
  ['execute.before-intent', 1, false],
  ['execute.before-send', 0, true],
  ['execute.after-send', 1, true],
  ['land.before.verifying', 1, true],
  ['land.after.verifying', 1, false],
  ['land.before.resolved', 1, false],
  ['land.after.resolved', 1, false],
];

describe.skipIf(skip).each(anyDatabase)('killed with -9 after a model has answered, on $name', ({ name: database }) => {
  it('does not ask the same question again', async () => {
    const mock = new LLMock({ port: 0 });
    await mock.start();
    const diagnosis = {
      root_cause: 'It died.',
      confidence: 'high',
      citations: [],
      ruled_out: [],
      unknowns: [],
      inconclusive: true,
    };
    mock.on({}, { content: JSON.stringify(diagnosis) });
    const models = [{ provider: 'anthropic', model: 'test', apiKey: 'test', baseUrl: mock.url }];
    const scene = await setScene(database, { failpoint: 'land.before.diagnosed', config: { models } });
    try {
      await scene.victim.exit();
      await scene.deliver('ServiceDown');
      expect(await scene.nightshift().exited).toMatchObject({ signal: 'SIGKILL' });
      const asked = mock.getRequests().map(({ body }) => JSON.stringify(body));
      expect(asked.filter((text) => text.includes('Find its most likely root cause'))).toHaveLength(1);
      expect(asked.length).toBeGreaterThan(1);
      await scene.restart();
      await scene.until('ServiceDown', 'escalated', 60);
      expect(mock.getRequests()).toHaveLength(asked.length);
    } finally {
      await scene.stop();
      await mock.stop();
    }
  });
});

describe.skipIf(skip).each(anyDatabase)('killed with -9 at any moment, it goes on, on $name', ({ name: database }) => {
  // Several at once: each waits for a lease to lapse most of the time.
  it.concurrent.each(MOMENTS)('%s', { timeout: 120_000 }, async (failpoint, restarts, unknown) => {
    const scene = await setScene(database, { failpoint });
    try {
      await scene.victim.exit();
      await scene.deliver('ServiceDown');
      // What kills it is the failpoint; resolving needs the alert to be reported as such first.
      const killedLate = failpoint.endsWith('.resolved');
      if (killedLate) {
        await scene.until('ServiceDown', ({ events }) => events.some(({ type }) => type === 'verification.passed'), 60);
        await scene.deliver('ServiceDown', { status: 'resolved' });
      }
      const { signal } = await scene.nightshift().exited;
      expect(signal).toBe('SIGKILL');
      await scene.restart();

      if (restarts === 0) {
        // Nobody knows whether it was sent: it is looked at, not sent again, and handed to a person.
        const handed = await scene.until('ServiceDown', 'escalated', 90);
        expect(handed.needs).toMatch(/nobody knows whether/);
        expect(scene.victim.starts()).toHaveLength(1);
        return;
      }
      if (!killedLate) {
        await scene.until('ServiceDown', ({ events }) => events.some(({ type }) => type === 'verification.passed'), 90);
        await scene.deliver('ServiceDown', { status: 'resolved' });
      }
      const done = await scene.until('ServiceDown', 'resolved', 60);
      expect(scene.victim.starts()).toHaveLength(1 + restarts);
      expect(count(done, 'action.unknown')).toBe(unknown ? 1 : 0);
      expect(count(done, 'action.succeeded')).toBe(unknown ? 0 : 1);
      for (const type of [
        'triage.done',
        'evidence.gathered',
        'diagnosis.made',
        'incident.resolved',
        'incident.remembered',
      ])
        expect(count(done, type), type).toBe(1);
    } finally {
      await scene.stop();
    }
  });
});
