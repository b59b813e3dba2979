/** What heals within the hold wakes nobody; what does not, and what is exempt, does; and so it does when Nightshift is dead. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALERTMANAGERS } from '../real-parts/alertmanager.ts';
import { eventually } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { type Page, type PagerScene, setPagerScene } from './support/pager.ts';

/** Long beside what a busy machine needs to hear of three alerts. */
const HOLD_MS = 15_000;
/** Alertmanager's timers, and the machine's. */
const LATE_MS = 4000;
const ARGV = ['--hold', `${HOLD_MS / 1000}s`, '--exempt', 'severity="critical"'];

for (const { version, part, program } of ALERTMANAGERS) {
  const story = `Alertmanager ${version} holds the pager`;
  describe.skipIf(requireParts(story, part))(story, () => {
    let scene: PagerScene;
    beforeEach(async () => {
      scene = await setPagerScene({ program, argv: ARGV });
    });
    afterEach(() => scene?.stop());

    const alert = (alertname: string, severity = 'warning') => ({ alertname, severity, service: 'checkout' });
    const firing = (name: string) => scene.pages.find((page) => page.alert === name && page.status === 'firing');
    const paged = (name: string) => eventually(`a page about ${name}`, async () => firing(name), 40);
    const known = (name: string) =>
      eventually(
        `an incident about ${name}`,
        async () => (await scene.incidents()).find(({ alerts }) => alerts[0]?.labels.alertname === name),
        40,
      );
    const held = ({ at }: Page, since: number) => {
      expect(at - since).toBeGreaterThanOrEqual(HOLD_MS - 100);
      expect(at - since).toBeLessThan(HOLD_MS + LATE_MS);
    };

    it('until it is over, for each alert anew, and not for what is exempt', async () => {
      const began = Date.now();
      await scene.send([alert('Heals'), alert('Stays'), alert('Grave', 'critical')]);
      for (const name of ['Heals', 'Stays', 'Grave']) await known(name);
      expect(Date.now() - began).toBeLessThan(HOLD_MS);
      expect((await paged('Grave')).at - began).toBeLessThan(HOLD_MS / 2);
      await scene.send([alert('Heals')], 'resolved');
      expect(scene.pages.map((page) => page.alert)).toEqual(['Grave']);
      held(await paged('Stays'), began);

      // Of the same name and service as one that was paged already: in one group with that it would be paged with the next round.
      await sleep(HOLD_MS / 2);
      const again = Date.now();
      const second = { ...alert('Stays'), instance: 'second' };
      await scene.send([second]);
      const pages = () => scene.pages.filter((page) => page.alert === 'Stays' && page.status === 'firing');
      held(await eventually('a page about the second', async () => pages()[1], 40), again);
      expect(scene.pages.filter((page) => page.alert === 'Heals')).toEqual([]);
    });

    it('no longer when Nightshift is dead, and Nightshift hears of it afterwards', async () => {
      await scene.nightshift().kill9();
      const began = Date.now();
      await scene.send([alert('Unheard'), alert('Grave', 'critical')]);
      expect((await paged('Grave')).at - began).toBeLessThan(HOLD_MS / 2);
      held(await paged('Unheard'), began);
      await scene.start();
      await known('Unheard');
      await known('Grave');
      await sleep(1000);
      expect(scene.pages.filter(({ status }) => status === 'firing')).toHaveLength(2);
    });
  });
}
