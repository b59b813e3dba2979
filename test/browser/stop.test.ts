/** The switch that stops every change, and its release. */
import { expect, it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('the stop switch', (scene) => {
  it('stops everything and releases it, on every page at once', async () => {
    const one = await scene.enter();
    const other = await scene.enter({ size: 'phone', look: 'light', path: '/insights', token: scene.tokens.admin });
    await one.page.getByRole('button', { name: 'Stop everything' }).click();
    await one.page.getByRole('dialog').getByLabel('Reason').fill('a migration goes on');
    await one.page.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).click();
    for (const { page } of [one, other]) await page.getByText('a migration goes on').first().waitFor();
    await show(one, 'stopped');
    // Two different people release it.
    for (const { page } of [one, other]) {
      await page.getByRole('button', { name: 'Release' }).filter({ visible: true }).click();
      await page.getByRole('button', { name: 'Ask for the release' }).click();
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    for (const { page } of [one, other])
      await page.getByText('a migration goes on').first().waitFor({ state: 'detached' });
  });

  it('keeps what was meant when somebody else stops first, and lets nothing be approved', async () => {
    await scene.waiting();
    const { page } = await scene.enter();
    await page.getByRole('button', { name: 'Stop everything' }).click();
    const dialog = page.getByRole('dialog', { name: 'Stop everything?' });
    await dialog.getByLabel('Reason').fill('the database is broken');
    await scene.stopAll('ben was faster');
    await dialog.getByText(/^It is done already. ben stopped everything .*ben was faster$/).waitFor();
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await page.getByText('ben was faster').waitFor();
    // A yes would be used up, and nothing would run.
    const approve = page.getByRole('button', { name: /^Approve/ });
    expect(await approve.getAttribute('aria-disabled')).toBe('true');
    expect(await approve.textContent()).toContain('release the stop first');
    expect(await page.getByRole('button', { name: /^Deny/ }).getAttribute('aria-disabled')).toBeNull();
    expect(await scene.api('/now')).toMatchObject({ killSwitch: { engaged: true, releaseVotes: [] } });
    await scene.releaseAll();
  });
});
