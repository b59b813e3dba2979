/** Answers to what people are asked: what is said where somebody else was quicker, where it is too late, and where one may not. */
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { asOwner } from '../integration/retention/old-audit.ts';
import { STORY_MS } from '../integration/support/story.ts';
import { requireParts } from '../real-parts/require.ts';
import { type Person, type StoryScene, setStoryScene } from './support/story-scene.ts';

const skip = requireParts('the console', 'chromium', 'postgres');

describe.skipIf(skip)('an answer', () => {
  let scene: StoryScene;
  let pages = 0;
  const asking: number[] = [];

  beforeAll(async () => {
    scene = await setStoryScene();
  }, STORY_MS);
  afterAll(() => scene?.stop());
  afterEach(async () => {
    const complaints = await scene.leave();
    // The next one finds nothing that waits.
    for (const id of asking.splice(0))
      await scene.say('ben', `/incidents/${id}/words`, { word: 'stop' }).catch(() => {});
    expect(complaints).toEqual([]);
  });

  /** Has people asked about a page of its own; gives the incident and the question. */
  const asked = async (env: 'careful' | 'twice' | 'cleo' = 'careful') => {
    pages += 1;
    const id = await scene.story.deliver(scene.story.pageDown(`page-${pages}`, { env }));
    asking.push(id);
    const { approvals } = await scene.story.until(id, 'awaiting_approval');
    return { incident: `INC-${id}`, number: id, approval: approvals.at(-1)?.id ?? '' };
  };
  const decide = (person: Person, approval: string, decision: 'approve' | 'deny', reason = '') =>
    scene.say(person, `/approvals/${approval}/decision`, { decision, reason });
  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: false });
  const posts = (page: Page) => {
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() === 'POST') sent.push(new URL(request.url()).pathname);
    });
    return sent;
  };
  const hasFocus = (page: Page) => page.evaluate('document.activeElement?.tagName + "#" + document.activeElement?.id');

  it('is told, in its dialog and with the reason still there, that somebody else was quicker', async () => {
    const { approval } = await asked();
    const { page } = await scene.enter('ada', '/');
    await button(page, 'Approve').click();
    const dialog = page.getByRole('dialog', { name: /approve exactly this\?$/ });
    await dialog.getByLabel('Reason').fill('it is mine to say');
    await decide('cleo', approval, 'deny', 'not today');
    await dialog.getByRole('alert').filter({ hasText: 'is denied already (cleo via api)' }).waitFor();
    // The card behind it is gone by now.
    await page.locator('[data-approval]').waitFor({ state: 'detached' });
    expect(await dialog.getByLabel('Reason').inputValue()).toBe('it is mine to say');
    expect(await dialog.getByRole('button', { name: 'Approve' }).count()).toBe(0);
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    await dialog.waitFor({ state: 'detached' });
    expect(await hasFocus(page)).toBe('MAIN#main');
  });

  it('shows everything that the card says, once more', async () => {
    const { incident } = await asked();
    const { page } = await scene.enter('ada', `/incidents/${incident}`);
    await button(page, 'Approve').click();
    const dialog = page.getByRole('dialog');
    const card = page.locator('[data-approval] dl');
    expect(await dialog.locator('dl').textContent()).toBe(await card.textContent());
    expect(await dialog.locator('dt').allTextContents()).toEqual(
      expect.arrayContaining(['runs', 'on', 'for', 'risk', 'undo', 'who']),
    );
  });

  it('is sent once, by Ctrl+Enter in its text alone, and one hears of it although the stream is quicker', async () => {
    const { incident } = await asked();
    const { page } = await scene.enter('ada', `/incidents/${incident}`);
    const sent = posts(page);
    let isDecided = false;
    await page.route('**/decision', async (route) => {
      const response = await route.fetch();
      isDecided = true;
      await page.getByRole('heading', { name: 'Waits for you' }).waitFor({ state: 'detached' });
      await route.fulfill({ response });
    });
    await button(page, 'Approve').click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Cancel' }).focus();
    await page.keyboard.press('Control+Enter');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    expect(sent).toEqual([]);
    expect(await page.evaluate('document.activeElement?.textContent')).toBe('Approve');
    await page.keyboard.press('a');
    await dialog.getByLabel('Reason').fill('go on');
    await dialog.getByLabel('Reason').evaluate((field: { dispatchEvent(event: Event): void }) => {
      for (let times = 0; times < 3; times += 1) {
        const { KeyboardEvent } = globalThis as unknown as {
          KeyboardEvent: new (type: string, init: object) => Event;
        };
        field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', ctrlKey: true, bubbles: true }));
      }
    });
    await page.getByText(`${incident}: you approved it.`).waitFor();
    expect({ isDecided, sent }).toEqual({ isDecided: true, sent: [expect.stringContaining('/decision')] });
    await dialog.waitFor({ state: 'detached' });
    expect(await hasFocus(page)).toBe('MAIN#main');
    // In the story it stands as what was asked, without buttons.
    await page.getByText('What was asked').click();
    const old = page.getByRole('article').filter({ hasText: 'asks for an approval' });
    await old.getByText('approved', { exact: true }).waitFor();
    expect(await old.getByRole('button', { name: /Approve|Deny/ }).count()).toBe(0);
  });

  it('cannot be given twice: who has said yes sees it wait for others', async () => {
    const { incident } = await asked('twice');
    const { page } = await scene.enter('ada', '/');
    await page.getByText('1 waits for you').waitFor();
    await button(page, 'Approve').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Approve' }).click();
    await page.getByText(`${incident}: you approved it; it needs more people yet.`).waitFor();
    const others = page.getByRole('region', { name: 'Waits for others' });
    await others.getByText('1 of 2 approvals: ada').waitFor();
    for (const name of ['Approve', 'Deny']) {
      expect(await button(page, name).getAttribute('aria-disabled')).toBe('true');
      expect(await button(page, name).textContent()).toContain('has your answer already; it needs 2 different people');
    }
    expect(await page.getByRole('region', { name: 'Waits for you' }).count()).toBe(0);
    expect(await page.getByText(/waits? for you/).count()).toBe(0);
  });

  it('is not asked of whom the card bars or does not name, and they may still say no', async () => {
    const { incident } = await scene.say<{ incident: string }>('ada', '/runs', {
      what: { tool: 'supervisor.restart', arguments: { process: 'by-hand' } },
      labels: { env: 'careful' },
      reason: 'it hangs',
    });
    const byHand = Number(incident.slice(4));
    asking.push(byHand);
    await scene.story.until(byHand, 'awaiting_approval');
    const { number } = await asked('cleo');
    const { page } = await scene.enter('ada', '/');
    const others = page.getByRole('region', { name: 'Waits for others' });
    const own = others.getByRole('article').filter({ hasText: incident });
    const hers = others.getByRole('article').filter({ hasText: `INC-${number}` });
    expect(await own.getByRole('button', { name: /^Approve/ }).textContent()).toContain('you asked for it yourself');
    expect(await hers.getByRole('button', { name: /^Approve/ }).textContent()).toContain('ask one of cleo');
    const sent = posts(page);
    await own.getByRole('button', { name: /^Approve/ }).click({ force: true });
    await page.keyboard.press('a');
    expect(await page.getByRole('dialog').count()).toBe(0);
    expect(sent).toEqual([]);
    const cleo = await scene.enter('cleo', '/');
    await cleo.page.getByRole('heading', { name: 'Waits for you 2' }).waitFor();
    await own.getByRole('button', { name: 'Deny' }).click();
    await page.getByRole('dialog').getByLabel('Reason').fill('not after all');
    await page.getByRole('dialog').getByRole('button', { name: 'Deny' }).click();
    await page.getByText(`${incident}: you denied it.`).waitFor();
    await page.getByRole('region', { name: 'Escalated' }).getByText(incident).waitFor();
  });

  it('comes too late once the question has expired, by the clock of the page and by that of the server', async () => {
    const { incident, approval } = await asked();
    const { page } = await scene.enter('ada', `/incidents/${incident}`);
    await button(page, 'Approve').click();
    const dialog = page.getByRole('dialog');
    await asOwner(scene.db, `update approval set expires_at = now() where id = '${approval}'`);
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByRole('alert').filter({ hasText: 'expired at' }).waitFor();
    await dialog.getByText(`Fix: ask again with: nightshift ask-again ${incident}`).waitFor();
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    const others = page.getByRole('region', { name: 'Waits for others' });
    await others.getByText('expired', { exact: true }).waitFor();
    expect(await others.getByRole('button', { name: /^Approve/ }).textContent()).toContain('expired at');

    await asked();
    const other = await scene.enter('ada', '/policy');
    await other.page.clock.install();
    await other.page.goto('/');
    await other.page
      .getByRole('region', { name: 'Waits for you' })
      .getByText(/min .* left/)
      .waitFor();
    await other.page.getByRole('region', { name: 'Waits for you' }).getByRole('button', { name: 'Deny' }).click();
    await other.page.clock.fastForward(16 * 60_000);
    await other.page.getByRole('dialog').getByText('nobody answered in time, so it has expired').waitFor();
    expect(await other.page.getByRole('dialog').getByRole('button', { name: 'Deny' }).count()).toBe(0);
  });

  it('stops an incident, once one has agreed to what that means', async () => {
    const { incident, number } = await asked();
    const { page } = await scene.enter('ada', `/incidents/${incident}`);
    await button(page, 'Stop it').click();
    await page.getByRole('dialog').getByText('Nothing more is done about it').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Stop it' }).click();
    await page.getByRole('heading', { name: 'Stopped', level: 3 }).waitFor();
    expect((await scene.story.nightshift.incident(number)).state).toBe('stopped');
    await page.getByRole('region', { name: 'Waits for you' }).waitFor({ state: 'detached' });
  });

  it('says what people did about it only where they said so', async () => {
    const { nightshift, escalated, alone } = scene.story;
    const { page } = await scene.enter('ada', `/incidents/INC-${escalated}`);
    await button(page, 'It is over').click();
    const dialog = page.getByRole('dialog');
    // Nothing was proposed.
    expect(await dialog.getByRole('radio').count()).toBe(2);
    expect(await dialog.getByRole('radio', { checked: true }).count()).toBe(0);
    const [request] = await Promise.all([
      page.waitForRequest('**/words'),
      dialog.getByRole('button', { name: 'It is over' }).click(),
    ]);
    expect(request.postDataJSON()).toEqual({ word: 'close' });
    await scene.story.until(escalated, 'resolved');

    const rated = await scene.enter('ada', `/incidents/INC-${alone}`);
    await rated.page.route('**/feedback', (route) =>
      route.fulfill({ status: 500, json: { status: 500, code: 'internal', detail: 'the database is away' } }),
    );
    await button(rated.page, 'The handling was good').click();
    await rated.page.getByRole('alert').filter({ hasText: 'the database is away' }).waitFor();
    await rated.page.unroute('**/feedback');
    await button(rated.page, 'The handling was good').click();
    await rated.page.getByText('Thank you. It counts for the next time.').waitFor();
    const { events } = await nightshift.incident(alone);
    expect(events.at(-1)).toMatchObject({ type: 'person.rated', actor: 'ada', data: { helpful: true } });
  });
});
