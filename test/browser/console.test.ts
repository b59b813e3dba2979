/** The console as people use it: in a real browser, against a whole Nightshift, at the width of a phone and of a desk. */
import { readFileSync } from 'node:fs';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { requireParts } from '../real-parts/require.ts';
import { openBrowser, SIZES, type Size, type Visit, visit, type Watched } from './support/browser.ts';
import { alert, type ConsoleScene, setConsoleScene } from './support/console-scene.ts';

const skip = requireParts('the console', 'chromium', 'prometheus', 'supervisor', 'postgres');
const FIRST_VIEW_BYTES_MAX = 250 * 1024;

describe.skipIf(skip)('the console', () => {
  let scene: ConsoleScene;
  let browser: Browser;
  const open: Watched[] = [];

  beforeAll(async () => {
    [scene, browser] = await Promise.all([setConsoleScene(), openBrowser()]);
  });
  afterAll(async () => {
    await browser?.close();
    await scene?.stop();
  });
  /** Whatever a test looked at: nothing was asked of another origin, and nothing was forbidden by the page's own policy. */
  afterEach(async () => {
    for (const { foreign, complaints, close } of open.splice(0)) {
      await close();
      expect(foreign).toEqual([]);
      expect(complaints).toEqual([]);
    }
  });

  const enter = async (options: Omit<Visit, 'url'> & { path?: string } = {}) => {
    const watched = await visit(browser, { token: scene.tokens.approver, ...options, url: scene.url });
    open.push(watched);
    await watched.page.goto(options.path ?? '/');
    return watched;
  };
  /** Takes a picture of what is shown, in which axe finds nothing wrong. */
  const show = async (watched: Watched, name: string) => {
    await watched.shoot(name);
    expect(await watched.faults(), name).toEqual([]);
  };
  const heading = ({ page }: Watched, name: string | RegExp) => page.getByRole('heading', { name, level: 1 }).waitFor();

  it('asks who is there, refuses a wrong token with the fix, and lets a right one in and out', async () => {
    const watched = await visit(browser, { url: scene.url });
    open.push(watched);
    const { page } = watched;
    await page.goto('/incidents');
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
    const watched = await visit(browser, { url: publicUrl });
    open.push(watched);
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

  it('loads at most 250 KiB for its first view', async ({ annotate }) => {
    const { page, weights } = await enter();
    await page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    const shownMs = await page.evaluate(() => performance.now());
    const bytes = [...weights.values()].reduce((sum, size) => sum + size, 0);
    await annotate(`first view: ${Math.round(bytes / 1024)} KiB, ${Math.round(shownMs)} ms`);
    expect(bytes).toBeGreaterThan(50_000);
    expect(bytes).toBeLessThan(FIRST_VIEW_BYTES_MAX);
  });

  describe.each(['phone', 'desktop'] as const)('at the width of a %s', (size: Size) => {
    it('shows what burns, what a person has, what waits, and what is over', async () => {
      const watched = await enter({ size });
      const { page } = watched;
      const { healed, waiting, uncovered } = scene.incidents;
      await page.getByRole('region', { name: 'Waits for you' }).getByText('host.purge').waitFor();
      await page.getByRole('region', { name: 'Burning' }).getByText(waiting).first().waitFor();
      await page.getByRole('region', { name: 'With a person' }).getByText(uncovered).first().waitFor();
      await page.getByRole('region', { name: 'Over within the last day' }).getByText(healed).first().waitFor();
      await page
        .getByRole('link', { name: /^Mode auto/ })
        .filter({ visible: true })
        .waitFor();
      await page.getByRole('button', { name: /^Stop/ }).filter({ visible: true }).waitFor();
      await show(watched, 'now');
    });

    it('tells a viewer why not, and sends nothing', async () => {
      const { page } = await enter({ size, token: scene.tokens.viewer });
      const approve = page.getByRole('button', { name: /^Approve/ });
      await approve.focus();
      await page.keyboard.press('Enter');
      expect(await approve.getAttribute('aria-disabled')).toBe('true');
      expect(await approve.textContent()).toContain('needs the role approver');
      expect(await page.getByRole('dialog').count()).toBe(0);
    });

    it('tells an incident as a story, with its model calls and tool calls in place', async () => {
      const watched = await enter({ size, path: `/incidents/${scene.incidents.healed}` });
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
      const watched = await enter({ size, path: `/incidents/${scene.incidents.healed}` });
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
      const watched = await enter({ size, path: `/incidents/${scene.incidents.healed}` });
      const { page } = watched;
      const metrics = page.getByRole('region', { name: 'Metrics' });
      await metrics.locator('canvas').first().waitFor();
      await metrics.getByText('supervisor.restart').first().waitFor();
      expect(await metrics.getByRole('img').first().getAttribute('aria-label')).toMatch(/between .* and .*\. /);
      await metrics.scrollIntoViewIfNeeded();
      await show(watched, 'metrics');
    });

    it('replays it event by event, as it was then', async () => {
      const watched = await enter({ size, path: `/incidents/${scene.incidents.healed}` });
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

    it('finds runbooks and says why, shows their health, and drafts one for an alert that has none', async () => {
      const watched = await enter({ size, path: '/runbooks' });
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

    it('shows the rules, explains a call, and says what was earned and what is left', async () => {
      const watched = await enter({ size, path: '/policy' });
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

    it('counts what came of the incidents', async () => {
      const watched = await enter({ size, path: '/insights' });
      const { page } = watched;
      await page.getByRole('region', { name: 'What came of them' }).getByText('healed alone').waitFor();
      await page.getByRole('row').filter({ hasText: 'ServiceDown' }).waitFor();
      await page.getByRole('row').filter({ hasText: 'worker' }).waitFor();
      await page.getByRole('region', { name: 'Noise' }).getByText('said again only').waitFor();
      await page.getByRole('img', { name: /^Time to resolve: / }).waitFor();
      await show(watched, 'insights');
    });

    it('says who did what, and verifies that nothing of it was changed', async () => {
      const watched = await enter({ size, path: '/audit', token: scene.tokens.admin });
      const { page } = watched;
      await page.getByText('incident.resolved').first().waitFor();
      await page.getByRole('button', { name: 'Verify' }).click();
      await page.getByText('Nothing was changed').waitFor();
      await show(watched, 'audit');
    });

    it.each(['dark', 'light'] as const)('is clean for axe, %s', async (look) => {
      const watched = await enter({ size, look, token: scene.tokens.admin });
      const { page } = watched;
      const { healed, waiting } = scene.incidents;
      const service = `/runbooks/view?path=service-down.md&from=15&to=18`;
      const paths = [
        '/',
        `/incidents/${healed}`,
        `/incidents/${waiting}`,
        '/incidents',
        '/runbooks',
        service,
        '/policy',
        '/insights',
        '/audit',
        '/sessions',
        '/no-such-page',
      ];
      for (const path of paths) {
        await page.goto(path);
        await page.locator('main h1').waitFor();
        await show(watched, `page${path.replace(/\W+/g, '-')}`);
        expect(
          await page.evaluate('document.documentElement.scrollWidth - window.innerWidth'),
          path,
        ).toBeLessThanOrEqual(0);
      }
    });
  });

  it('is used by the keyboard alone', async () => {
    const watched = await enter();
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
    await heading(watched, new RegExp(`^${scene.incidents.waiting} `));
    await page.keyboard.press('Control+k');
    await page.getByLabel('Search or jump to').last().waitFor();
    await page.keyboard.type(scene.incidents.healed);
    await page.getByText('ServiceDown (checkout)').last().waitFor();
    await show(watched, 'palette');
    await page.keyboard.press('Enter');
    await heading(watched, new RegExp(`^${scene.incidents.healed} `));
  });

  it('downloads the postmortem and the whole incident', async () => {
    const { page } = await enter({ path: `/incidents/${scene.incidents.healed}` });
    const download = async (name: string) => {
      await page.getByRole('button', { name: 'Download' }).click();
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()]);
      return readFileSync(await file.path(), 'utf8');
    };
    expect(await download('Postmortem (markdown)')).toMatch(/^# [\s\S]*ServiceDown/);
    expect(JSON.parse(await download('Everything (JSON)'))).toHaveProperty('events');
  });

  it('stops everything and releases it, on every page at once', async () => {
    const one = await enter();
    const other = await enter({ size: 'phone', look: 'light', path: '/insights', token: scene.tokens.admin });
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

  it('denies on the phone, asks again, approves by the keyboard, and shows what comes of it by itself', async () => {
    const { waiting } = scene.incidents;
    const phone = await enter({ size: 'phone' });
    await phone.page.getByRole('button', { name: 'Deny' }).click();
    await phone.page.getByRole('dialog').getByLabel('Reason').fill('look at the jobs first');
    await show(phone, 'deny');
    await phone.page.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    await phone.page.getByRole('region', { name: 'With a person' }).getByText(waiting).waitFor();

    const desk = await enter({ path: `/incidents/${waiting}` });
    await desk.page.getByRole('button', { name: 'Ask again' }).click();
    await desk.page.getByRole('dialog').getByRole('button', { name: 'Ask again' }).click();
    await desk.page.getByRole('heading', { name: 'Waits for you' }).waitFor();
    await desk.page.keyboard.press('a');
    const dialog = desk.page.getByRole('dialog', { name: 'Approve exactly this?' });
    await dialog.getByText('host.purge {"directory":"checkout"}').waitFor();
    await dialog.getByLabel('Reason').fill('the jobs are worth nothing');
    await show(desk, 'approve');
    await desk.page.keyboard.press('Control+Enter');
    await scene.scene.until('JobSpoolStuck', 'verifying');
    await alert(scene.scene, 'JobSpoolStuck', {
      severity: 'warning',
      expr: 'victim_spool_stale_files > 0',
      status: 'resolved',
    });
    await desk.page.getByRole('heading', { name: 'Resolved', level: 3 }).waitFor({ timeout: 60_000 });
    await desk.page.getByText('the jobs are worth nothing').first().waitFor();
    await desk.page.getByRole('region', { name: 'Metrics' }).getByText('resolved by').waitFor();
    // The other page was never loaded again.
    await phone.page.getByRole('region', { name: 'Over within the last day' }).getByText(waiting).waitFor();
    await phone.page.getByText('Nothing is burning', { exact: true }).waitFor();
    await show(desk, 'approved');
    await show(phone, 'quiet');
  });
});
