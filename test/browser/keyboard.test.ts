/** The console without a mouse. */
import { expect, it } from 'vitest';
import { describeConsole, heading, show } from './support/console.ts';

describeConsole('the keyboard', (scene) => {
  it('is used by the keyboard alone', async () => {
    const waiting = await scene.waiting();
    const watched = await scene.enter();
    const { page } = watched;
    await page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Skip to the content');
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await show(watched, 'keys');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    for (const [key, name] of [
      ['i', 'Incidents'],
      ['r', 'Runbooks'],
      ['p', 'Policy & autonomy'],
      ['s', 'Insights'],
      ['a', 'Audit'],
      ['n', 'Now'],
    ] as const) {
      await page.keyboard.press('g');
      await page.keyboard.press(key);
      await heading(watched, name);
    }
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    await heading(watched, new RegExp(`^${waiting} `));
    await page.keyboard.press('Control+k');
    await page.getByLabel('Search or jump to').last().waitFor();
    await page.keyboard.type(scene.incidents.healed);
    await page.getByText('ServiceDown (checkout)').last().waitFor();
    await show(watched, 'palette');
    await page.keyboard.press('Enter');
    await heading(watched, new RegExp(`^${scene.incidents.healed} `));
  });

  it('answers the approval of the row that has the focus, and none where that row waits for nobody', async () => {
    const waiting = await scene.waiting();
    const { page } = await scene.enter();
    const row = (incident: string) => page.locator(`a[data-row][href="/incidents/${incident}"]`).first();
    await row(scene.incidents.uncovered).focus();
    await page.keyboard.press('a');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await row(waiting).focus();
    await page.keyboard.press('a');
    await page.getByRole('dialog', { name: `${waiting}: approve exactly this?` }).waitFor();
  });

  it('works where the focus is on what no letter is typed into, and not behind a menu', async () => {
    await scene.waiting();
    const watched = await scene.enter({ path: '/insights' });
    const { page } = watched;
    await page.getByText('7 d', { exact: true }).click();
    await page.keyboard.press('g');
    await page.keyboard.press('n');
    await heading(watched, 'Now');
    await page.getByRole('button', { name: /^Deny/ }).waitFor();
    await page.getByRole('button', { name: /^You:/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor();
    await page.keyboard.press('d');
    await page.keyboard.press('Escape');
    await page.getByRole('menuitem', { name: 'Sign out' }).waitFor({ state: 'detached' });
    expect(await page.getByRole('dialog').count()).toBe(0);
  });
});
