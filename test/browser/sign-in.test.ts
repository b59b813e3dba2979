/** Who may look at the console, and how they are known. */
import { expect, it } from 'vitest';
import { describeConsole, heading, show } from './support/console.ts';

describeConsole('signing in', (scene) => {
  it('asks who is there, refuses a wrong token with the fix, and lets a right one in and out', async () => {
    const watched = await scene.enter({ token: null, path: '/incidents' });
    const { page } = watched;
    await page.getByLabel('Personal token').fill('nst_not-a-token');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').filter({ hasText: 'Fix:' }).waitFor();
    await show(watched, 'sign-in');
    await page.getByLabel('Personal token').fill(scene.tokens.viewer);
    await page.keyboard.press('Enter');
    await heading(watched, 'Incidents');
    await page.reload();
    await heading(watched, 'Incidents');
    await page.getByRole('button', { name: /^You:/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await page.getByLabel('Personal token').waitFor();
  });

  it('signs a person in by the issuer of the house, which is another site', async () => {
    const { publicUrl, issuerUrl } = scene;
    const watched = await scene.enter({ url: publicUrl, token: null, path: '/no-such-page' });
    const { page, foreign } = watched;
    // The issuer asks nobody for a password here: it takes whom it is told.
    await page.route('**/auth/oidc/start?*', async (route) => {
      const response = await route.fetch({ maxRedirects: 0 });
      const headers = response.headers();
      await route.fulfill({ response, headers: { ...headers, location: `${headers.location}&login_hint=u-ada` } });
    });
    await page.goto('/incidents?state=escalated');
    await page.getByRole('link', { name: 'Sign in with Acme' }).waitFor();
    await show(watched, 'sign-in-by-issuer');
    await page.getByRole('link', { name: 'Sign in with Acme' }).click();
    await heading(watched, 'Incidents');
    expect(page.url()).toBe(`${publicUrl}/incidents?state=escalated`);
    await page.getByRole('button', { name: 'You: ada' }).click();
    await page.getByRole('menuitem', { name: 'Where you are signed in' }).click();
    await page.getByRole('row').filter({ hasText: 'this one' }).getByText('oidc').waitFor();
    expect(new Set(foreign.splice(0).map((url) => new URL(url).origin))).toEqual(new Set([issuerUrl]));
  });

  it('asks again when the session is revoked, and lets the same person in again', async () => {
    const watched = await scene.enter({ path: '/policy' });
    const { page } = watched;
    await heading(watched, 'Policy & autonomy');
    const { id } = (await (await page.request.get('/api/v1/session')).json()) as { id: string };
    await scene.api(`/sessions/${id}`, { method: 'DELETE' });
    await page.getByRole('link', { name: 'Insights' }).first().click();
    const field = page.getByLabel('Personal token');
    await field.waitFor();
    expect(await page.getByLabel('Personal token').and(page.locator(':focus')).count()).toBe(1);
    await field.fill(scene.tokens.approver);
    await page.keyboard.press('Enter');
    await heading(watched, 'Insights');
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('region', { name: 'What came of them' }).waitFor();
    expect(await field.count()).toBe(0);
  });
});
