/** What came of the incidents, in numbers. */
import { describe, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('the insights', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('counts what came of the incidents', async () => {
      const watched = await scene.enter({ size, path: '/insights' });
      const { page } = watched;
      await page.getByRole('region', { name: 'What came of them' }).getByText('healed alone').waitFor();
      await page.getByRole('row').filter({ hasText: 'ServiceDown' }).waitFor();
      await page.getByRole('row').filter({ hasText: 'worker' }).waitFor();
      await page.getByRole('region', { name: 'Noise' }).getByText('said again only').waitFor();
      await page.getByRole('img', { name: /^Time to resolve: / }).waitFor();
      await show(watched, 'insights');
    });
  });
});
