/** What Nightshift knows, how well it works, and what is missing. */
import { describe, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('the runbooks', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('finds runbooks and says why, shows their health, and drafts one for an alert that has none', async () => {
      const watched = await scene.enter({ size, path: '/runbooks' });
      const { page } = watched;
      await page.getByLabel('Ask the runbooks').fill('connection refused');
      const fits = page.getByRole('region', { name: 'Fits' });
      await fits
        .getByRole('list', { name: 'Why it was found' })
        .getByText(/by words/)
        .waitFor();
      await page.getByRole('row').filter({ hasText: 'service-down.md' }).getByText('well').waitFor();
      await show(watched, 'runbooks');
      await page
        .getByRole('row')
        .filter({ hasText: 'CertificateExpiresSoon' })
        .getByRole('button', { name: /Draft one/ })
        .click();
      const dialog = page.getByRole('dialog');
      await dialog.getByText('alertname="CertificateExpiresSoon"').waitFor();
      await show(watched, 'draft');
    });
  });
});
