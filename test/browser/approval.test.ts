/** An approval from the question to what comes of it, on a phone and at a desk. */
import { it } from 'vitest';
import { describeConsole, show } from './support/console.ts';

describeConsole('an approval', (scene) => {
  it('denies on the phone, asks again, approves by the keyboard, and shows what comes of it by itself', async () => {
    const waiting = await scene.waiting();
    const phone = await scene.enter({ size: 'phone' });
    await phone.page.getByRole('button', { name: 'Deny' }).click();
    await phone.page.getByRole('dialog').getByLabel('Reason').fill('look at the jobs first');
    await show(phone, 'deny');
    await phone.page.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    await phone.page.getByRole('region', { name: 'Escalated' }).getByText(waiting).waitFor();

    const desk = await scene.enter({ path: `/incidents/${waiting}` });
    await desk.page.getByRole('button', { name: 'Ask again' }).click();
    await desk.page.getByRole('dialog').getByRole('button', { name: 'Ask again' }).click();
    await desk.page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    await desk.page.keyboard.press('a');
    const dialog = desk.page.getByRole('dialog', { name: `${waiting}: approve exactly this?` });
    await dialog.getByText('host.purge {"directory":"checkout"}').waitFor();
    await dialog.getByLabel('Reason').fill('the jobs are worth nothing');
    await show(desk, 'approve');
    await desk.page.keyboard.press('Control+Enter');
    await scene.until(waiting, 'verifying');
    await scene.unstuck(waiting);
    await desk.page.getByRole('heading', { name: 'Resolved', level: 3 }).waitFor({ timeout: 60_000 });
    await desk.page.getByText('the jobs are worth nothing').first().waitFor();
    await desk.page.getByRole('region', { name: 'Metrics' }).getByText('resolved by').waitFor();
    // The other page was never loaded again.
    await phone.page.getByRole('region', { name: 'Over within the last day' }).getByText(waiting).waitFor();
    await phone.page.getByText('1 escalated to people.', { exact: true }).waitFor();
    await show(desk, 'approved');
    await show(phone, 'quiet');
  });
});
