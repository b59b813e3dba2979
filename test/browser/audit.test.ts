/** Who did what, and whether any of it was changed. */
import { describe, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('the audit', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('says who did what, and verifies that nothing of it was changed', async () => {
      const watched = await scene.enter({ size, path: '/audit', token: scene.tokens.admin });
      const { page } = watched;
      await page.getByText('incident.resolved').first().waitFor();
      await page.getByRole('button', { name: 'Verify' }).click();
      await page.getByText('Nothing was changed').waitFor();
      await show(watched, 'audit');
    });
  });
});
