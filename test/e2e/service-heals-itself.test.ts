import { afterEach, describe, expect, it } from 'vitest';
import { databases } from '../real-parts/databases.ts';
import { eventually } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { count, type Scene, setScene } from './support/scene.ts';

const skip = requireParts('a dead service heals itself', 'prometheus', 'alertmanager', 'supervisor', 'postgres');

describe.skipIf(skip).each(databases)('a dead service heals itself, on $name', ({ name: database }) => {
  let scene: Scene;
  afterEach(() => scene?.stop());

  it('through real Prometheus, Alertmanager and supervisord, and a repeat of the alert changes nothing', async () => {
    scene = await setScene(database, { monitored: { repeatInterval: '1s' } });
    await scene.victim.exit();
    const healed = await scene.until('ServiceDown', 'resolved', 90);

    expect(await scene.victim.isHealthy()).toBe(true);
    expect(scene.victim.starts()).toHaveLength(2);
    expect(scene.supervisord.control('status', 'checkout').output).toMatch(/RUNNING/);
    expect(healed.events.map(({ type }) => type)).toEqual(
      expect.arrayContaining([
        'incident.opened',
        'alert.firing',
        'evidence.gathered',
        'diagnosis.made',
        'plan.made',
        'policy.decided',
        'action.succeeded',
        'verification.recovered',
        'incident.resolved',
        'incident.remembered',
      ]),
    );
    expect(healed.events.find(({ type }) => type === 'policy.decided')?.data).toMatchObject({
      tool: 'supervisor.restart',
      decision: 'allow',
    });
    expect(count(healed, 'alert.firing')).toBe(1);
    expect(count(healed, 'action.succeeded')).toBe(1);

    // Alertmanager says `resolved` in its own time, and that changes nothing any more.
    await eventually(
      'Alertmanager reports it resolved',
      async () => (count(await scene.incident(healed.id), 'alert.resolved') === 1 ? true : undefined),
      30,
    );
    const after = await scene.incident(healed.id);
    expect(after.state).toBe('resolved');
    expect(after.cycle).toBe(1);
    expect(await scene.incidents()).toHaveLength(1);
  });

  it('the same alert repeated and resolved by the real Alertmanager is one incident, counted, and cancels what waits', async () => {
    scene = await setScene(database, { config: { mode: 'ask' }, monitored: { repeatInterval: '1s' } });
    await scene.victim.wedge();
    const waiting = await scene.until('ServiceDown', 'awaiting_approval', 90);
    const received = async () =>
      Number(
        /nightshift_alerts_total\{source="alertmanager",status="firing"\} (\d+)/.exec(
          await (await fetch(`${scene.nightshift().url}/metrics`)).text(),
        )?.[1] ?? 0,
      );
    await eventually(
      'Alertmanager has repeated it twice',
      async () => ((await received()) >= 3 ? true : undefined),
      30,
    );
    expect(await scene.incidents()).toHaveLength(1);
    expect(count(await scene.incident(waiting.id), 'alert.firing')).toBe(1);

    // A person mends it by hand meanwhile.
    expect(scene.supervisord.control('restart', 'checkout').code).toBe(0);
    const done = await scene.until('ServiceDown', 'resolved', 60);
    expect(done.approvals.map(({ status }) => status)).toEqual(['superseded']);
    expect(count(done, 'action.succeeded')).toBe(0);
    expect(scene.victim.starts()).toHaveLength(2);
  });
});
