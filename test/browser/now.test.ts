/** What is burning, what a person has, what waits, and what is over. */
import { describe, expect, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

const FIRST_VIEW_BYTES_MAX = 250 * 1024;

describeConsole('the first page', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('shows what burns, what a person has, what waits, and what is over', async () => {
      const watched = await scene.enter({ size });
      const { page } = watched;
      const { healed, uncovered } = scene.incidents;
      const waiting = await scene.waiting();
      await page.getByRole('region', { name: 'Waits for you' }).getByText('host.purge').waitFor();
      await page.getByRole('region', { name: 'Burning' }).getByText(waiting).first().waitFor();
      await page.getByRole('region', { name: 'Escalated' }).getByText(uncovered).first().waitFor();
      await page.getByRole('region', { name: 'Over within the last day' }).getByText(healed).first().waitFor();
      await page
        .getByRole('link', { name: /^Mode auto/ })
        .filter({ visible: true })
        .waitFor();
      await page.getByRole('button', { name: /^Stop/ }).filter({ visible: true }).waitFor();
      await show(watched, 'now');
    });

    it('tells a viewer why not, and sends nothing', async () => {
      await scene.waiting();
      const { page } = await scene.enter({ size, token: scene.tokens.viewer });
      const approve = page.getByRole('button', { name: /^Approve/ });
      await approve.focus();
      await page.keyboard.press('Enter');
      expect(await approve.getAttribute('aria-disabled')).toBe('true');
      expect(await approve.textContent()).toContain('needs the role approver');
      expect(await page.getByRole('dialog').count()).toBe(0);
    });
  });

  it('loads at most 250 KiB for its first view', async ({ annotate }) => {
    await scene.waiting();
    const { page, weights } = await scene.enter();
    await page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    const shownMs = await page.evaluate(() => performance.now());
    const bytes = [...weights.values()].reduce((sum, size) => sum + size, 0);
    await annotate(`first view: ${Math.round(bytes / 1024)} KiB, ${Math.round(shownMs)} ms`);
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(FIRST_VIEW_BYTES_MAX);
  });
});
