/** What came of the incidents, in numbers. */
import { describe, expect, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sept', 'Oct', 'Nov', 'Dec'];

describeConsole('the insights', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('counts what came of the incidents', async () => {
      const watched = await scene.enter({ size, path: '/insights' });
      const { page } = watched;
      await page.getByRole('region', { name: 'What came of them' }).getByText('healed alone').waitFor();
      const byAlert = page.getByRole('table', { name: 'By alert and service' });
      await byAlert.getByRole('row').filter({ hasText: 'ServiceDown' }).waitFor();
      await page.getByRole('row').filter({ hasText: 'worker' }).waitFor();
      await page.getByRole('region', { name: 'Noise' }).getByText('said again only').waitFor();
      await page.getByRole('img', { name: /^Time to resolve: / }).waitFor();
      await show(watched, 'insights');
    });
  });

  it('gives the days as the server counts them, in whatever time zone they are read', async () => {
    const { trend } = await scene.api<{ trend: { day: string }[] }>('/insights?days=30');
    const day = (date: string) => `${Number(date.slice(8, 10))} ${MONTHS[Number(date.slice(5, 7)) - 1]}`;
    const { page } = await scene.enter({ path: '/insights', timeZone: 'America/New_York' });
    await page.getByRole('img', { name: /^Incidents: / }).waitFor();
    expect(await page.getByRole('main').textContent()).toContain(day(trend[0]?.day ?? ''));
    expect(await page.getByRole('main').textContent()).toContain(day(trend.at(-1)?.day ?? ''));
  });
});
