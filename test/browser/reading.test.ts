/** What is read in the console: a replay without the future, the audit's verdict, the health of runbooks, what was earned, figures, and text from outside. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { asOwner } from '../integration/retention/old-audit.ts';
import { alert } from '../integration/support/nightshift.ts';
import { STORY_MS } from '../integration/support/story.ts';
import { eventually } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';
import { type StoryScene, setStoryScene } from './support/story-scene.ts';

const skip = requireParts('the console', 'chromium', 'postgres');

/** Sets a mark on the page wherever it is run. */
const EVIL = 'window.evil=1';
const RUNBOOKS = {
  'hostile.md': `# Hostile <img src=x onerror="${EVIL}">

<script>${EVIL}</script>
<iframe srcdoc="<script>parent.${EVIL}</script>"></iframe>

[click](javascript:${EVIL}) and [other](./page-down.md#page-is-down), [below](#the-end)
![alt](https://example.com/pixel.png)

## The end
`,
  'stale.md': `---
match: ['alertname="Stale"']
steps:
  - tool: supervisor.restart
    with: { process: "x" }
    why: It was so once.
---
# Nobody touched it
`,
  'wrong.md': `---
match: ['alertname="Wrong"']
steps:
  - tool: nobody.has_it
    with: { process: "x" }
    why: It is written wrongly.
---
# It names a tool that is not there
`,
};

describe.skipIf(skip)('what is read', () => {
  let scene: StoryScene;

  beforeAll(async () => {
    scene = await setStoryScene({ runbooks: RUNBOOKS });
  }, STORY_MS);
  afterAll(() => scene?.stop());
  afterEach(async () => {
    expect(await scene.leave()).toEqual([]);
  });

  it('in a replay is nothing of what came later', async () => {
    const { approved, nightshift } = scene.story;
    const { events } = await nightshift.incident(approved);
    const { page } = await scene.enter('ada', '/policy');
    await page.clock.install();
    await page.goto(`/incidents/INC-${approved}`);
    await page.getByRole('button', { name: 'Replay' }).click();
    const bar = page.getByRole('group', { name: 'Replay' });
    await bar.waitFor();
    expect(await page.evaluate('document.activeElement?.ariaLabel')).toBe('Pause');
    await bar.getByRole('button', { name: 'Pause' }).click();
    const slider = bar.getByRole('slider', { name: 'Event' });
    const goTo = async (type: string) => {
      const index = events.findIndex((event) => event.type === type);
      await bar.getByRole('button', { name: 'To the beginning' }).click();
      await slider.focus();
      for (let at = 1; at <= index; at += 1) {
        await page.keyboard.press('ArrowRight');
        await page.locator(`[aria-valuetext="event ${at + 1} of ${events.length}"]`).waitFor();
      }
    };
    const chapters = page.getByRole('region', { name: 'The story' }).getByRole('heading', { level: 3 });
    const actions = page.getByRole('region', { name: 'Actions' });
    const alerts = page.getByRole('region', { name: 'Alerts' });
    const inside = async () => {
      const fold = actions.getByRole('group').first();
      if ((await fold.getAttribute('open')) === null)
        await fold.evaluate((one: { open: boolean }) => (one.open = true));
      return (await fold.textContent()) ?? '';
    };

    await goTo('triage.done');
    expect(await chapters.allTextContents()).toEqual(['Received', 'Triaged']);
    expect(await page.getByRole('list', { name: 'Stages' }).getByRole('listitem').count()).toBe(2);
    expect(await actions.count()).toBe(0);
    await page.getByText('No diagnosis yet').waitFor();
    await alerts.getByText('firing', { exact: true }).waitFor();

    await goTo('plan.made');
    expect(await inside()).toContain('proposed');
    for (const later of ['healed', 'Result', 'policy', 'Dry run']) expect(await inside()).not.toContain(later);

    await goTo('approval.requested');
    expect(await inside()).toContain('asked');
    await page.getByText('What was asked').click();
    const card = page.getByRole('article').filter({ hasText: 'asks for an approval' });
    await card.getByText('pending', { exact: true }).waitFor();
    await card.getByText('0 of 1 approval').waitFor();

    await goTo('action.succeeded');
    expect(await inside()).toContain('Result');
    expect(await inside()).not.toContain('healed');
    await alerts.getByText('firing', { exact: true }).waitFor();

    await slider.focus();
    await page.keyboard.press('End');
    await chapters.filter({ hasText: 'Resolved' }).waitFor();
    expect(await inside()).toContain('healed');
    await alerts.getByText('resolved', { exact: true }).waitFor();
    // Whoever pauses at the end stays there.
    await bar.getByRole('button', { name: 'One event back' }).click();
    await page.clock.pauseAt(Date.now() + 60_000);
    await bar.getByRole('button', { name: 'Play', exact: true }).click();
    await page.clock.runFor(1500);
    const last = page.locator(`[aria-valuetext="event ${events.length} of ${events.length}"]`);
    await last.waitFor();
    await bar.getByRole('button', { name: 'Pause' }).click();
    await bar.getByRole('button', { name: 'Play', exact: true }).waitFor();
    expect(await last.count()).toBe(1);
  });

  it('of runbooks is what is wrong with them, where it is wrong', async () => {
    const { db, story } = scene;
    await asOwner(db, `update runbook set indexed_at = now() - interval '400 days' where path = 'stale.md'`);
    const outcomes = Array.from(
      { length: 12 },
      (_, n) => `(${story.alone}, ${100 + n}, 1, 'PageDown', 'front', 'page-down.md',
        (select steps_sha256 from runbook where path = 'page-down.md'), 'supervisor.restart', 'x', 'unchanged', now())`,
    );
    await asOwner(
      db,
      `insert into remedy_outcome (incident_id, cycle, attempt, alertname, service, runbook, steps_sha256, tool, target, outcome, at)
        values ${outcomes.join(', ')}`,
    );
    const { page } = await scene.enter('ada', '/runbooks');
    const row = (path: string) => page.getByRole('row').filter({ hasText: path });
    await row('stale.md').getByText('stale', { exact: true }).waitFor();
    await row('page-down.md').getByText('failing', { exact: true }).waitFor();
    await row('wrong.md').getByText('stale', { exact: true }).waitFor();
    expect(await page.getByRole('row').nth(1).textContent()).toContain('page-down.md');
    await row('wrong.md').getByRole('link').click();
    const lint = page.getByRole('region', { name: /^Lint/ });
    await lint
      .getByText(/nobody\.has_it/)
      .first()
      .waitFor();
    await lint.getByText('Fix:').first().waitFor();
    await page.getByText('it names tools that are not there: nobody.has_it').waitFor();

    await page.goto('/runbooks');
    await page.route('**/runbooks/sync', (route) =>
      route.fulfill({ status: 500, json: { status: 500, code: 'internal', detail: 'the folder is away' } }),
    );
    await page.getByRole('button', { name: 'Read them now' }).click();
    await page.getByRole('alert').filter({ hasText: 'the folder is away' }).first().waitFor();
  });

  it('in a runbook and in an alert is text, whatever it says', async () => {
    const { page } = await scene.enter('ada', '/runbooks/view?path=hostile.md');
    await page.getByRole('heading', { level: 1, name: /^Hostile/ }).waitFor();
    await page.getByRole('heading', { level: 2, name: 'The end' }).waitFor();
    expect(await page.locator('main :is(script, iframe, img)').count()).toBe(0);
    expect(await page.locator('[href^="javascript"]').count()).toBe(0);
    await page.getByRole('link', { name: 'below' }).click();
    expect(await page.locator('h2:target').textContent()).toBe('The end');
    await page.getByText('click', { exact: true }).click();
    await page.getByRole('link', { name: 'other' }).click();
    await page.getByRole('heading', { level: 1, name: 'Page is down' }).waitFor();
    expect(new URL(page.url()).search).toBe('?path=page-down.md');

    const bad = `"><img src=x onerror="${EVIL}"><script>${EVIL}</script>`;
    const id = await scene.story.deliver(
      alert(
        { alertname: `Bad ${bad}`, service: bad, job: bad },
        { fingerprint: 'bad0', annotations: { summary: `${bad} [x](javascript:${EVIL})` } },
      ),
    );
    await scene.story.until(id, 'escalated');
    for (const path of ['/', `/incidents/INC-${id}`, '/runbooks', '/insights']) {
      await page.goto(path);
      await page.locator('main').getByText('onerror').first().waitFor();
      expect(await page.locator('main :is(script, iframe, img), [href^="javascript"]').count(), path).toBe(0);
    }
    expect(await page.evaluate('window.evil')).toBeUndefined();
  });

  it('in Insights are the figures of what happened', async () => {
    const { db, story, say } = scene;
    const call = (incident: number, usd: number) =>
      `insert into model_call (incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, input_tokens, output_tokens, cost_usd, latency_ms, request)
        values (${incident}, 'diagnose', 'large', '[]', '', '', 'ok', 1000, 234, ${usd}, 5, '{}')`;
    await asOwner(db, call(story.alone, 0.25), call(story.approved, 1.5), call(story.approved, 0.5));
    const insights = await say<{
      incidents: number;
      approvalLatency: { p50: number };
      byAlert: { service: string; mttaP50: number }[];
      noise: { alerts: number };
    }>('ada', '/insights?days=30');
    const { page } = await scene.enter('ada', '/insights');
    const words = async (name: string) => page.locator('main dt', { hasText: name }).locator('xpath=..').textContent();
    await page.getByRole('region', { name: /^What came of them/ }).waitFor();
    expect(await words('Healed by Nightshift')).toContain(`2 of ${insights.incidents}`);
    expect(await words('Cost per incident')).toContain('$2.25 in all');
    expect(await words('Approval takes')).toContain('1 answered');
    const outcomes = await page
      .getByRole('region', { name: /^What came of them/ })
      .getByRole('listitem')
      .allInnerTexts();
    expect(outcomes.map((one) => one.replace(/\s+/g, ' ').trim())).toEqual(
      expect.arrayContaining(['1 healed alone', '1 healed after an approval', `${insights.incidents - 2} escalated`]),
    );
    const costliest = page.getByRole('table', { name: 'Costliest incidents' }).getByRole('row');
    const cellsOf = (row: number) => costliest.nth(row).getByRole('cell').allTextContents();
    expect(await cellsOf(1)).toEqual([expect.stringContaining(`INC-${story.approved}`), '2', '2,468', '$2.00']);
    expect(await cellsOf(2)).toEqual([expect.stringContaining(`INC-${story.alone}`), '1', '1,234', '$0.25']);
    await costliest.nth(1).getByRole('link').waitFor();
    const front = page
      .getByRole('table', { name: 'By alert and service' })
      .getByRole('row')
      .filter({ hasText: 'front' });
    const cells = await front.getByRole('cell').allInnerTexts();
    expect(cells.slice(0, 4)).toEqual(['PageDown', 'front', '1', '1']);
    expect(cells.at(-2)).toMatch(/^[\d.]+ m?s$/);
    for (const [name, says] of [
      ['Approval takes', /: [\d.]+ (ms|s|min).* in 31 days; most on/],
      ['Alerts delivered', new RegExp(`: ${insights.noise.alerts} in 31 days; most on`)],
      ['Said again only', /: \d+ in 31 days; most on/],
    ] as const)
      expect(await page.getByRole('img', { name: new RegExp(`^${name}`) }).getAttribute('aria-label')).toMatch(says);
  });

  it('of the policy is what was earned, what is left, and an answer to the question above it only', async () => {
    const { db, story } = scene;
    const runs = Array.from({ length: 24 }, (_, n) => n);
    const decision = JSON.stringify({
      decision: 'ask',
      spoke: [{ rule: 'nothing-allows', decision: 'ask', why: 'nothing allows it' }],
    });
    await asOwner(
      db,
      ...runs.map(
        (
          n,
        ) => `insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin, reason, expected_effect, undo, labels, definition_sha256, status, decision, effect)
          values ('act-p${n}', ${story.alone}, 50, 1, ${n}, 'i', 'supervisor.restart', '{}', 'x', 'safe', 'f${n}', 'o', 'r', 'e', 'u', '{"alertname":"Earned","service":"shop"}', '', 'succeeded', '${decision}', 'healed')`,
      ),
      `insert into intent (action_id, target, outcome) select id, 'other', 'succeeded' from action where id like 'act-p%'`,
    );
    const { page } = await scene.enter('ada', '/policy');
    const promoted = page.getByRole('region', { name: /^Suggested promotions/ });
    await promoted.getByText('healed 24 of 24 times').first().waitFor();
    await promoted.getByText('alertname="Earned"').waitFor();
    await page
      .getByRole('region', { name: 'Budgets left' })
      .getByText(/left of \d+ in/)
      .first()
      .waitFor();

    await page.getByLabel('Tool').fill('supervisor.restart');
    await page.getByLabel('Arguments').fill('{"process": "x"}');
    await page.getByLabel('Labels of the alert').fill('env=prod, nonsense');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('Write each label as name=value').waitFor();
    await page.getByLabel('Labels of the alert').fill('env=prod, url="http://x?a=b,c"');
    const [request] = await Promise.all([
      page.waitForRequest('**/policy/explain'),
      page.getByRole('button', { name: 'Explain' }).click(),
    ]);
    expect(request.postDataJSON()).toMatchObject({ labels: { env: 'prod', url: 'http://x?a=b,c' } });
    await page.getByRole('status').getByText('safe-remedies').waitFor();
    await page.getByLabel('Tool').fill('host.purge');
    expect(await page.getByRole('status').getByText('safe-remedies').count()).toBe(0);
  });

  it('of incidents and of the audit is what the address asks for', async () => {
    const { page } = await scene.enter('ada', '/incidents');
    await page.getByLabel('Search incidents').fill('mail');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/incidents?q=mail');
    await page
      .getByRole('navigation', { name: 'Pages' })
      .getByRole('link', { name: /^Incidents/ })
      .click();
    await page.waitForURL('**/incidents');
    expect(await page.getByLabel('Search incidents').inputValue()).toBe('');
    await page.goto('/audit');
    await page.getByLabel('Who').pressSequentially(' Ada Lovelace ');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/audit?actor=Ada+Lovelace');
    expect(await page.getByLabel('Who').inputValue()).toBe('Ada Lovelace');
    await page.getByText('No event fits that').waitFor();
  });

  it('of sessions is one’s own, and everybody’s for an administrator, who may end them', async () => {
    const ada = await scene.enter('ada', '/sessions');
    await ada.page.getByRole('row').filter({ hasText: 'this one' }).waitFor();
    expect(await ada.page.getByRole('row').filter({ hasText: 'ben' }).count()).toBe(0);
    const ben = await scene.enter('ben', '/sessions');
    const others = ben.page.getByRole('row').filter({ hasText: /^ada/ });
    await others.first().waitFor();
    const count = await others.count();
    await others.first().getByRole('button', { name: 'Sign out' }).click();
    await expect.poll(() => others.count()).toBe(count - 1);
  });

  it('of the audit is that it is whole, until somebody changes it, and never an old verdict beside a failure', async () => {
    const { page } = await scene.enter('ada', '/audit');
    const verify = page.getByRole('button', { name: 'Verify' });
    await verify.click();
    await page.getByText(/Nothing was changed, verified (just now|\d+s ago)/).waitFor();
    await page.route('**/audit/verify', (route) =>
      route.fulfill({ status: 500, json: { status: 500, code: 'internal', detail: 'the database is away' } }),
    );
    await verify.click();
    await page.getByRole('alert').filter({ hasText: 'the database is away' }).waitFor();
    expect(await page.getByText('Nothing was changed').count()).toBe(0);
    await page.unroute('**/audit/verify');
    const { rows } = await eventually('an event is sealed', async () => {
      const found = await sql<{ id: string }>`
        select e.id::text from event e join seal s on s.covered @> e.id where e.type = 'incident.escalated' limit 1`.execute(
        scene.db.q,
      );
      return found.rows.length > 0 ? found : undefined;
    });
    await asOwner(scene.db, `update event set actor = 'nobody' where id = ${rows[0]?.id}`);
    await verify.click();
    await page.getByText(/^1 problem in the audit, verified/).waitFor();
    await page.getByText(/at seal \d+: /).waitFor();
    expect(await page.getByText('Nothing was changed').count()).toBe(0);
  });
});
