/** That the page hears of changes by its stream: nothing here is read again by the page itself, so without a stream every test fails. */
import type { Page } from 'playwright-core';
import { afterEach, expect, it } from 'vitest';
import { describeConsole } from './support/console.ts';
import { openLine } from './support/line.ts';

const TABS = 7;
/** A change each of these, while the page's question takes longer. */
const [CHANGE_EVERY_MS, ANSWER_MS, CHANGES] = [100, 500, 60];

describeConsole('what happens', (scene) => {
  afterEach(() => scene.releaseAll());
  const isLive = (page: Page) => page.getByText('Live', { exact: true }).waitFor();

  it('shows on every page at once, and is read out', async () => {
    const one = await scene.enter({ isUnpolled: true });
    const other = await scene.enter({ isUnpolled: true, size: 'phone', path: '/insights', token: scene.tokens.viewer });
    await isLive(one.page);
    await other.page.locator('[data-liveness="live"]').waitFor();
    await scene.stopAll('a migration goes on');
    for (const { page } of [one, other]) {
      await page.getByText('a migration goes on').waitFor();
    }
    await scene.releaseAll();
    for (const { page } of [one, other]) {
      await page.getByText('a migration goes on').waitFor({ state: 'detached' });
      // What came later has not taken the place of what nobody has heard yet.
      const said = await page.getByRole('log', { name: 'Changes' }).locator('p').allTextContents();
      expect(said).toEqual(['everything is stopped', 'the stop is over']);
    }
  });

  it(`shows in ${TABS} tabs of one browser, which still reach the server, and goes on where the one with the stream is closed`, async () => {
    const { page: first } = await scene.enter({ isUnpolled: true });
    await isLive(first);
    const others: Page[] = [];
    while (others.length < TABS - 1) {
      const page = await first.context().newPage();
      await page.goto('/');
      await isLive(page);
      others.push(page);
    }
    await first.getByRole('button', { name: 'Stop everything' }).click();
    await first.getByRole('dialog').getByLabel('Reason').fill('too many tabs');
    await first.getByRole('dialog').getByRole('button', { name: 'Stop everything' }).click();
    for (const page of [first, ...others]) await page.getByText('too many tabs').waitFor();
    await first.close();
    await scene.releaseAll();
    for (const page of others) await page.getByText('too many tabs').waitFor({ state: 'detached' });
  });

  it('shows after the server was gone, with what happened meanwhile', async () => {
    const line = await openLine(scene.url);
    const { page } = await scene.enter({ isUnpolled: true, url: line.url });
    await isLive(page);
    await line.cut();
    await page.getByText('Not live').waitFor();
    await scene.stopAll('while nobody heard it');
    await line.mend();
    await isLive(page);
    await page.getByText('while nobody heard it').waitFor();
    await line.cut();
  });

  it('shows again after the stream was refused', async () => {
    const { page } = await scene.enter({ isUnpolled: true, path: '/policy', token: scene.tokens.viewer });
    await isLive(page);
    await page.route('**/api/v1/stream', (route) => route.fulfill({ status: 503, json: { status: 503 } }));
    await page.reload();
    await page.getByText('Not live').waitFor();
    await page.unroute('**/api/v1/stream');
    await isLive(page);
    await scene.stopAll('heard again');
    await page.getByText('heard again').waitFor();
  });

  it('shows while changes come faster than they can be read', async () => {
    const { page } = await scene.enter({ isUnpolled: true });
    await isLive(page);
    await page.route('**/api/v1/now', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
      await route.continue().catch(() => {});
    });
    let isOver = false;
    const changing = (async () => {
      for (let at = 0; at < CHANGES; at += 1) {
        await scene.stopAll(`change ${at}`);
        await new Promise((resolve) => setTimeout(resolve, CHANGE_EVERY_MS));
      }
      isOver = true;
    })();
    await page.getByText(/change \d+/).waitFor();
    expect(isOver).toBe(false);
    await changing;
    await page.getByText(new RegExp(`change ${CHANGES - 1}\\b`)).waitFor();
  });
});
