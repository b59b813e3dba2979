/** Alertmanager groups, repeats, resolves and tries again; Nightshift takes each alert once, whoever was away in between. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALERTMANAGERS } from '../real-parts/alertmanager.ts';
import { eventually } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { type PagerScene, setPagerScene } from './support/pager.ts';

const ALERTS = 24;
const ROUTE = { group_wait: '500ms', group_interval: '1s', repeat_interval: '2s' };

for (const { version, part, program } of ALERTMANAGERS) {
  const story = `Alertmanager ${version} sends, and`;
  describe.skipIf(requireParts(story, part))(story, () => {
    let scene: PagerScene;
    beforeEach(async () => {
      scene = await setPagerScene({ program, argv: [], route: ROUTE });
    });
    afterEach(() => scene?.stop());

    const count = (types: readonly { type: string }[], wanted: string) =>
      types.filter(({ type }) => type === wanted).length;

    it('a group is one incident, repeats change nothing, and what resolved is resolved', async () => {
      const group = ['a', 'b'].map((instance) => ({ alertname: 'Down', service: 'checkout', instance }));
      await scene.send(group);
      const webhooks = async () => {
        const text = await (await fetch(`${scene.nightshift().url}/metrics`)).text();
        const counts = [...text.matchAll(/^nightshift_webhooks_total\{.*outcome="accepted".*\} (\d+)$/gm)];
        return counts.reduce((sum, [, value]) => sum + Number(value), 0);
      };
      await eventually('two repeats', async () => ((await webhooks()) >= 3 ? true : undefined));
      const [incident, ...others] = await scene.incidents();
      expect(others).toEqual([]);
      expect(incident?.alerts.map(({ status, labels }) => [status, labels.instance]).sort()).toEqual([
        ['firing', 'a'],
        ['firing', 'b'],
      ]);
      expect(count(incident?.events ?? [], 'alert.firing')).toBe(2);

      await scene.send(group, 'resolved');
      const over = await eventually('both are resolved', async () => {
        const [now] = await scene.incidents();
        return now?.alerts.every(({ status }) => status === 'resolved') ? now : undefined;
      });
      expect(count(over.events, 'alert.resolved')).toBe(2);
    });

    it('whatever it sends while Nightshift is killed and started again arrives, and once', async () => {
      const names = Array.from({ length: ALERTS }, (_, index) => `Lost${index}`);
      const sending = (async () => {
        for (const alertname of names) {
          await scene.send([{ alertname, service: alertname }]);
          await sleep(150);
        }
      })();
      await sleep(1000);
      await scene.nightshift().kill9();
      await sleep(1500);
      await scene.start();
      await sending;
      const arrived = await eventually(
        'every alert is there',
        async () => {
          const incidents = await scene.incidents();
          const there = new Set(incidents.flatMap(({ alerts }) => alerts.map(({ labels }) => labels.alertname)));
          return names.every((name) => there.has(name)) ? incidents : undefined;
        },
        60,
      );
      expect(arrived.flatMap(({ alerts }) => alerts)).toHaveLength(ALERTS);
      for (const { events } of arrived) expect(count(events, 'alert.firing')).toBe(1);
    });
  });
}
