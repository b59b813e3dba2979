import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { anyDatabase } from '../real-parts/databases.ts';
import { requireParts } from '../real-parts/require.ts';
import { count, type Scene, setScene } from './support/scene.ts';

const skip = requireParts(
  'a destructive remedy waits for a person',
  'prometheus',
  'alertmanager',
  'supervisor',
  'postgres',
);

describe.skipIf(skip).each(anyDatabase)('a destructive remedy waits for a person, on $name', ({ name: database }) => {
  let scene: Scene;
  afterEach(() => scene?.stop());

  it('survives kill -9 while it waits, runs once after the approval, and is verified at its source', async () => {
    scene = await setScene(database, { monitored: { repeatInterval: '3s' } });
    const job = scene.victim.spoolFile('poison.job');
    const waiting = await scene.until('JobSpoolStuck', 'awaiting_approval', 90);
    expect(waiting.approvals[0]?.card.join('\n')).toContain('host.purge {"directory":"checkout"}');

    await scene.nightshift().kill9();
    expect(existsSync(job)).toBe(true);
    await scene.restart();
    const still = await scene.until('JobSpoolStuck', 'awaiting_approval', 30);
    expect(still.approvals).toEqual(waiting.approvals);

    await scene.decide(still, 'approve');
    const done = await scene.until('JobSpoolStuck', 'resolved', 60);
    expect(existsSync(job)).toBe(false);
    expect(count(done, 'action.succeeded')).toBe(1);
    expect(count(done, 'approval.requested')).toBe(1);
    expect(done.events.find(({ type }) => type === 'approval.decided')).toMatchObject({
      actor: 'admin',
      data: { decision: 'approve' },
    });
  });

  it('never runs when it is denied', async () => {
    scene = await setScene(database, { monitored: { repeatInterval: '3s' } });
    const job = scene.victim.spoolFile('poison.job');
    await scene.decide(await scene.until('JobSpoolStuck', 'awaiting_approval', 90), 'deny');
    const denied = await scene.until('JobSpoolStuck', 'escalated', 30);
    expect(denied.needs).toMatch(/a person said no/);
    // The alert goes on firing and being repeated.
    await sleep(5000);
    const later = await scene.incident(denied.id);
    expect(later.state).toBe('escalated');
    expect(count(later, 'action.succeeded')).toBe(0);
    expect(existsSync(job)).toBe(true);
  });
});
