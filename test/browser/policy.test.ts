/** What may be done, why, and what is left of the budgets. */
import { describe, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('the policy', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('shows the rules, explains a call, and says what was earned and what is left', async () => {
      const watched = await scene.enter({ size, path: '/policy' });
      const { page } = watched;
      await page.getByRole('region', { name: 'Rules in force' }).getByText('safe-remedies').waitFor();
      await page.getByLabel('Tool').fill('host.purge');
      await page.getByLabel('Arguments').fill('{"directory": "checkout"}');
      await page.getByRole('button', { name: 'Explain' }).click();
      await page.getByRole('status').getByText('risk-destructive').waitFor();
      await page.getByRole('row').filter({ hasText: 'supervisor.restart' }).waitFor();
      await page.getByRole('region', { name: 'Budgets left' }).getByText('Models, today').waitFor();
      await show(watched, 'policy');
    });
  });
});
