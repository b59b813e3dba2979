/** What the page says when something fails, and that it survives it. */
import { afterEach, expect, it } from 'vitest';
import { describeConsole, heading } from './support/console.ts';
import { openLine } from './support/line.ts';

const FAILED = { status: 500, json: { status: 500, code: 'internal', detail: 'it broke. Fix: mend it' } };

describeConsole('a failure', (scene) => {
  afterEach(() => scene.releaseAll());

  it('leaves the page where it is while the server is gone, and goes on when it is back', async () => {
    const line = await openLine(scene.url);
    const watched = await scene.enter({ url: line.url, path: '/policy' });
    const { page, complaints } = watched;
    await heading(watched, 'Policy & autonomy');
    await page.getByText('Live', { exact: true }).waitFor();
    await line.cut();
    await page.getByText('Not live').waitFor();
    await page.getByRole('link', { name: 'Insights' }).first().click();
    await page.getByRole('main').getByText('This part of the console could not be loaded').waitFor();
    await page.keyboard.press('?');
    await page.getByRole('alert').filter({ hasText: 'This part of the console could not be loaded' }).nth(1).waitFor();
    await page.getByRole('link', { name: 'Policy' }).first().click();
    await heading(watched, 'Policy & autonomy');
    await page.getByRole('link', { name: 'Insights' }).first().click();
    await line.mend();
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('main').getByRole('button', { name: 'Try again' }).last().click();
    await heading(watched, 'Insights');
    // React tells of what the page itself shows.
    complaints.splice(0);
    await line.cut();
  });

  it('sends no answer later that could not be sent when it was given', async () => {
    const incident = await scene.waiting();
    const { page } = await scene.enter();
    await page.getByRole('button', { name: /^Approve/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    await page.context().setOffline(true);
    await dialog.getByRole('button', { name: /^Approve/ }).click();
    await dialog.getByRole('alert').filter({ hasText: 'nobody knows whether it heard this' }).waitFor();
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    const sent: string[] = [];
    page.on('request', (request) => request.method() === 'POST' && sent.push(request.url()));
    await page.context().setOffline(false);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(sent).toEqual([]);
    expect((await scene.until(incident, 'awaiting_approval')).approvals.at(-1)?.status).toBe('pending');
  });

  it('is said where the page cannot know whether everything is stopped', async () => {
    await scene.stopAll('nobody sees this');
    const { page } = await scene.enter({ path: '/no-such-page' });
    await page.getByText('nobody sees this').waitFor();
    await page.route('**/api/v1/now', (route) => route.fulfill(FAILED));
    await page.goto('/policy');
    await page.getByText('It is not known whether everything is stopped: it broke').waitFor();
    await page.unroute('**/api/v1/now');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('nobody sees this').waitFor();
    await page.getByText('It is not known').waitFor({ state: 'detached' });
  });

  it('is said beside what was read before', async () => {
    const { page } = await scene.enter();
    await page.getByRole('region', { name: 'Escalated' }).waitFor();
    await page.route('**/api/v1/now', (route) => route.fulfill(FAILED));
    await scene.stopAll('a change');
    await page.getByText('What is shown is old: it broke').waitFor();
    expect(await page.getByRole('region', { name: 'Escalated' }).count()).toBe(1);
  });

  it('is called by its name where there is no such incident', async () => {
    const watched = await scene.enter({ path: '/incidents/INC-999' });
    await heading(watched, 'INC-999 not found');
    expect(await watched.page.title()).toBe('INC-999 not found · Nightshift');
    await watched.page.getByRole('alert').waitFor();
    expect(await watched.page.getByRole('button', { name: 'Try again' }).count()).toBe(0);
  });

  it('is said of a word that no place on the page shows', async () => {
    const { page } = await scene.enter({ path: '/runbooks' });
    const said = page.getByRole('alert').filter({ hasText: 'it broke' });
    await page.route('**/api/v1/runbooks/sync', (route) => route.fulfill(FAILED));
    await page.getByRole('button', { name: 'Read them now' }).click();
    await said.filter({ hasText: 'Fix: mend it' }).waitFor();
    await said.getByRole('button').click();
    await said.waitFor({ state: 'detached' });
    await page.route('**/api/v1/session', (route) =>
      route.request().method() === 'DELETE' ? route.fulfill(FAILED) : route.continue(),
    );
    await page.getByRole('button', { name: /^You:/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await said.waitFor();
    await page.getByRole('heading', { name: 'Runbooks', level: 1 }).waitFor();
  });
});
