/** An incident as a story, with its evidence, its metrics and its replay. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SIZES } from './support/browser.ts';
import { describeConsole, heading, show } from './support/console.ts';

describeConsole('an incident', (scene) => {
  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size) => {
    it('tells an incident as a story, with its model calls and tool calls in place', async () => {
      const watched = await scene.enter({ size, path: `/incidents/${scene.incidents.healed}` });
      const { page } = watched;
      const story = page.getByRole('region', { name: 'The story' });
      await story.getByRole('heading', { name: 'Resolved' }).waitFor();
      expect(await story.getByRole('heading', { level: 3 }).allTextContents()).toEqual([
        'Received',
        'Triaged',
        'Investigated',
        'Diagnosed',
        'Planned',
        'Acting',
        'Verifying',
        'Resolved',
      ]);
      const fold = (says: string) =>
        story.locator('details', { has: page.locator('summary', { hasText: says }) }).first();
      const call = fold('diagnose');
      expect(await call.locator('summary').textContent()).toMatch(
        /^worker ?diagnose ?\d+ in, \d+ out ?\$0\.\d+ ?[\d.]+ m?s/,
      );
      await call.locator('summary').click();
      await call.getByRole('region', { name: 'Asked' }).getByText('ServiceDown').first().waitFor();
      await call
        .getByRole('region', { name: 'Answered' })
        .getByText('The process of checkout has died')
        .first()
        .waitFor();
      const tool = fold('supervisor.restart');
      await tool.locator('summary').click();
      await tool.getByRole('region', { name: 'Arguments' }).getByText('"process": "checkout"').waitFor();
      await tool.getByRole('region', { name: 'Dry run' }).getByText('starts checkout').waitFor();
      await tool.getByRole('region', { name: 'Result' }).getByText('RUNNING').waitFor();
      await tool.getByText('nothing to undo').waitFor();
      await show(watched, 'incident');
    });

    it('opens the passage that a citation quotes, and the runbook at that passage', async () => {
      const watched = await scene.enter({ size, path: `/incidents/${scene.incidents.healed}` });
      const { page } = watched;
      await page.getByRole('list', { name: 'Citations' }).getByRole('button').first().click();
      expect(await page.getByRole('dialog').locator('mark').textContent()).toBe(
        'fires when a service no longer answers its health check',
      );
      await show(watched, 'citation');
      await page.getByRole('link', { name: /^Open it in service-down.md/ }).click();
      await heading(watched, 'Service is down');
      await page.locator('[data-marked]').filter({ hasText: 'no longer answers its health check' }).waitFor();
      await page.getByRole('region', { name: 'What it does' }).getByText('supervisor.restart').waitFor();
      await page.getByRole('region', { name: 'Lint' }).waitFor();
      await show(watched, 'runbook');
    });

    it('draws the metric around the event with what was done marked in it', async () => {
      const watched = await scene.enter({ size, path: `/incidents/${scene.incidents.healed}` });
      const { page } = watched;
      const metrics = page.getByRole('region', { name: 'Metrics' });
      await metrics.locator('canvas').first().waitFor();
      await metrics.getByText('supervisor.restart').first().waitFor();
      expect(await metrics.getByRole('img').first().getAttribute('aria-label')).toMatch(/between .* and .*\. /);
      await metrics.scrollIntoViewIfNeeded();
      await show(watched, 'metrics');
    });

    it('replays it event by event, as it was then', async () => {
      const watched = await scene.enter({ size, path: `/incidents/${scene.incidents.healed}` });
      const { page } = watched;
      await page.getByRole('button', { name: 'Replay' }).click();
      await page.getByRole('button', { name: 'Pause' }).click();
      await page.getByRole('button', { name: 'To the beginning' }).click();
      await page.getByText('No diagnosis yet').waitFor();
      expect(await page.getByRole('heading', { name: 'Acting', level: 3 }).count()).toBe(0);
      await page.getByRole('slider', { name: 'Event' }).focus();
      await page.keyboard.press('End');
      await page.getByRole('heading', { name: 'Resolved', level: 3 }).waitFor();
      await page.getByRole('button', { name: 'One event back' }).click();
      // The page moves along, and the buttons stay in reach.
      for (const one of [page.locator('[data-latest]'), page.getByRole('group', { name: 'Replay' })])
        await expect
          .poll(async () => {
            const { y = -1, height = 0 } = (await one.boundingBox()) ?? {};
            return y >= 0 && y + height <= SIZES[size].height;
          })
          .toBe(true);
      await show(watched, 'replay');
      await page.getByRole('button', { name: 'Leave the replay' }).click();
      await page.getByRole('button', { name: 'Replay' }).waitFor();
    });
  });

  it('draws its metrics in the colours of the look that the system turns to', async () => {
    const { page } = await scene.enter({ path: `/incidents/${scene.incidents.healed}` });
    const canvas = page.getByRole('region', { name: 'Metrics' }).locator('canvas').first();
    await canvas.waitFor();
    const drawn = () => canvas.evaluate((element) => (element as unknown as { toDataURL(): string }).toDataURL());
    const dark = await drawn();
    await page.emulateMedia({ colorScheme: 'light' });
    await expect.poll(async () => (await drawn()) === dark, { timeout: 30_000 }).toBe(false);
  });

  it('downloads the postmortem and the whole incident', async () => {
    const { page } = await scene.enter({ path: `/incidents/${scene.incidents.healed}` });
    const download = async (name: string) => {
      await page.getByRole('button', { name: 'Download' }).click();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()]);
      return readFileSync(await file.path(), 'utf8');
    };
    expect(await download('Postmortem (markdown)')).toMatch(/^# [\s\S]*ServiceDown/);
    expect(JSON.parse(await download('Everything (JSON)'))).toHaveProperty('events');
  });
});
