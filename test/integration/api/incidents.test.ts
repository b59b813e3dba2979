/** What the API says of incidents: what goes on now, all about one, and its story for people. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  event,
  incidentPage as incidentsShape,
  modelCalls as modelCallsShape,
} from '../../../src/api/answers/incident.ts';
import { now as nowShape } from '../../../src/api/answers/installation.ts';
import { databases } from '../../real-parts/databases.ts';
import { alert } from '../support/nightshift.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

describe.each(databases)('incidents over the API on $name', ({ name: database }) => {
  let story: Story;
  const get = async <T>(path: string, shape: z.ZodType<T>): Promise<T> => {
    const { status, body } = await story.nightshift.api(path);
    expect(status, JSON.stringify(body)).toBe(200);
    return shape.parse(body);
  };
  const text = async (path: string, token = story.token) => {
    const response = await fetch(`${story.nightshift.app.url}/api/v1${path}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return { status: response.status, headers: response.headers, body: await response.text() };
  };
  const name = (id: number) => `INC-${id}`;

  beforeAll(async () => {
    story = await tellStory({
      database,
      services: 'services:\n  - name: cart\n    team: commerce\n    match: [\'service="cart"\']\n',
    });
  }, STORY_MS);
  afterAll(() => story?.stop());

  it('says what goes on now, and of each what was told last', async () => {
    const { nightshift, alone, approved, escalated, pages } = story;
    const page = story.pageDown('slow', { severity: 'warning', env: 'careful' });
    const worse = story.pageDown('worse', { severity: 'page', env: 'careful' });
    const [slow, bad] = [await story.deliver(page), await story.deliver(worse)];
    for (const id of [slow, bad]) await story.until(id, 'awaiting_approval');
    const now = await get('/now', nowShape);
    expect(now).toMatchObject({ mode: 'auto', killSwitch: { engaged: false } });
    expect(now.counts).toMatchObject({ awaiting_approval: 2, escalated: 1, resolved: 2 });
    // The worst first, although it came later.
    expect(now.burning.map(({ id }) => id)).toEqual([name(bad), name(slow)]);
    expect(now.burning[0]).toMatchObject({
      alerts: 1,
      target: 'processes:process worse',
      action: { tool: 'supervisor.restart', target: 'processes:process worse', status: 'asked' },
      doing: { type: 'approval.requested', actor: 'nightshift' },
    });
    expect(now.burning[0]?.doing?.words).toMatch(
      /^waits for a person: INC-\d+ PageDown \(worse\) asks for an approval: /,
    );
    expect(now.people).toMatchObject([
      {
        id: name(escalated),
        state: 'escalated',
        action: null,
        target: null,
        doing: { words: 'ESCALATED to a person: no runbook with steps declares itself for this alert' },
      },
    ]);
    expect(now.recent.map(({ id, doing }) => ({ id, words: doing?.words }))).toEqual([
      { id: name(approved), words: expect.stringMatching(/^RESOLVED by nightshift after 1 attempt,/) },
      { id: name(alone), words: expect.stringMatching(/^RESOLVED by nightshift after 1 attempt,/) },
    ]);
    expect(now.approvals.map(({ incident }) => incident).sort()).toEqual([name(slow), name(bad)].sort());
    expect(now.approvals[0]?.card.join('\n')).toContain('supervisor.restart');
    // Who asks is told beforehand what a decision of theirs would be told.
    const { secret: viewer } = (
      await nightshift.api<{ secret: string }>('/tokens', { name: 'vic-laptop', person: 'vic', role: 'viewer' })
    ).body;
    const paths = ['/now', '/approvals', `/incidents/${bad}`];
    const asksOf = async (path: string, token?: string) =>
      (await nightshift.api<{ approvals: z.infer<typeof nowShape>['approvals'] }>(path, undefined, token)).body
        .approvals;
    for (const path of paths) {
      for (const { refused } of await asksOf(path)) expect(refused).toEqual({ approve: null, deny: null });
      for (const { id, refused } of await asksOf(path, viewer))
        for (const decision of ['approve', 'deny'] as const) {
          const { status, body } = await nightshift.api(`/approvals/${id}/decision`, { decision }, viewer);
          expect({ status, detail: body.detail }).toEqual({ status: 403, detail: refused[decision] });
        }
    }
    for (const { id } of now.approvals) await nightshift.api(`/approvals/${id}/decision`, { decision: 'deny' });
    const [decided] = await asksOf(`/incidents/${bad}`);
    expect(decided?.refused.approve).toContain(`is denied already`);
    const late = await nightshift.api(`/approvals/${decided?.id}/decision`, { decision: 'approve' });
    expect(late.body.detail).toBe(decided?.refused.approve);
    for (const id of [slow, bad]) await story.until(id, 'escalated');
    pages.ill.clear();
  });

  it('names what an alert is about where nothing is done about it yet', async () => {
    const id = await story.deliver(
      alert({ alertname: 'NodeDown', service: 'n', node: 'worker-3' }, { fingerprint: 'bb' }),
    );
    await story.until(id, 'escalated');
    const { people } = await get('/now', nowShape);
    expect(people.find((one) => one.id === name(id))).toMatchObject({ target: 'worker-3', action: null });
  });

  it('lists incidents page by page, by state and by what they say', async () => {
    const all = await get('/incidents', incidentsShape);
    expect(all.next).toBeNull();
    expect(all.incidents.length).toBeGreaterThan(4);
    const paged: string[] = [];
    let next: string | number | null = '';
    while (next !== null) {
      const page: z.infer<typeof incidentsShape> = await get(
        `/incidents?limit=2${next && `&before=${next}`}`,
        incidentsShape,
      );
      expect(page.incidents.length).toBeLessThanOrEqual(2);
      paged.push(...page.incidents.map(({ id }) => id));
      ({ next } = page);
    }
    expect(paged).toEqual(all.incidents.map(({ id }) => id));
    const found = async (query: string) =>
      (await get(`/incidents?${query}`, incidentsShape)).incidents.map(({ id }) => id);
    expect(await found('state=resolved')).toEqual([name(story.approved), name(story.alone)]);
    expect(await found('q=MAILQUEUE')).toEqual([name(story.escalated)]);
    expect(await found('q=careful&state=resolved')).toEqual([name(story.approved)]);
    expect(await found('q=worker-3')).toHaveLength(1);
    expect(await found(`q=${name(story.alone)}`)).toContain(name(story.alone));
    // Signs of patterns mean themselves.
    for (const sign of ['%25', '_', '%5C', "'", '%22']) expect(await found(`q=zz${sign}zz`)).toEqual([]);
  });

  it.each([
    ['limit=0', 'limit', '"0"', 'write a whole number from 1 to 500'],
    ['state=burning', 'state', '"burning"', 'write one of received'],
    ['before=yesterday', 'before', 'yesterday', 'write it as INC-7 or 7'],
    ['q=%00', 'q', 'holds a NUL', 'without NUL'],
  ])('says what is wrong with %s', async (query, field, value, fix) => {
    const { status, body } = await story.nightshift.api(`/incidents?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'invalid_payload', problems: [{ field, fix: expect.stringContaining(fix) }] });
    expect(JSON.stringify(body)).toContain(value.replaceAll('"', ''));
  });

  it('tells a timeline in the words of the command line', async () => {
    const { body } = await story.nightshift.api<{ events: unknown[] }>(`/incidents/${story.approved}`);
    const events = body.events.map((one) => event.parse(one));
    const words = new Map(events.map((one) => [one.type, one.words]));
    expect(words.get('incident.opened')).toBe('received: PageDown (cart)');
    expect(words.get('approval.decided')).toBe('admin approved via api: go on (now approved)');
    expect(words.get('plan.made')).toBe(
      'plan, attempt 1, from runbook:page-down.md: supervisor.restart {"process":"cart"} on processes:process cart (safe)',
    );
    const listed = await story.nightshift.api<{ events: unknown[] }>(`/events?incident=${story.approved}`);
    expect(listed.body.events.map((one) => event.parse(one))).toEqual(events);
  });

  it('gives what models were asked: nothing where none is configured, and no such incident is not found', async () => {
    expect(await get(`/incidents/${story.alone}/model-calls`, modelCallsShape)).toMatchObject({ calls: [] });
    for (const part of ['', '/model-calls', '/charts', '/export', '/postmortem'])
      expect((await text(`/incidents/999${part}`)).status, part).toBe(404);
    expect((await text('/incidents/x/export')).status).toBe(400);
  });

  it('hands out an incident as one document', async () => {
    const { headers, body } = await text(`/incidents/${name(story.approved)}/export`);
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${name(story.approved)}.json"`);
    const whole = JSON.parse(body);
    expect(Object.keys(whole)).toEqual([
      'form',
      'exportedAt',
      'incident',
      'alerts',
      'evidence',
      'diagnosis',
      'modelCalls',
      'modelCallsLeftOut',
      'actions',
      'approvals',
      'judgements',
      'events',
    ]);
    expect(whole).toMatchObject({
      form: 'nightshift-incident/1',
      incident: { id: name(story.approved), state: 'resolved', team: 'commerce', checks: [{ tool: 'http.probe' }] },
      alerts: [{ status: 'resolved', labels: { page: 'cart' } }],
      actions: [{ tool: 'supervisor.restart', status: 'succeeded', effect: 'healed' }],
      approvals: [{ status: 'approved', votes: [{ principal: 'admin', reason: 'go on' }] }],
      judgements: [{ incident: name(story.approved), verdict: { decision: 'ask' } }],
    });
    expect(whole.evidence.length).toBeGreaterThan(1);
    expect(whole.events.at(-1)).toMatchObject({ type: 'incident.remembered', words: 'remembered as a past incident' });
  });

  it('writes the post-mortem of what it healed alone, of what people approved, and of what people have', async () => {
    const of = async (id: number) => (await text(`/incidents/${id}/postmortem`)).body;
    const answer = await text(`/incidents/${story.approved}/postmortem`);
    expect(answer.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="${name(story.approved)}-postmortem.md"`,
    );
    expect(await of(story.alone)).toContain('Nightshift healed it without asking anybody.');
    expect(answer.body).toContain('Nightshift healed it after people had approved.');
    expect(answer.body).toContain('approved by admin: succeeded, and the checks passed afterwards');
    expect(answer.body).toContain('- Service: cart, team commerce');
    expect(answer.body).toContain('| people were asked | once |');
    const open = await of(story.escalated);
    expect(open).toContain('A person has it; it is not over.');
    expect(open).toContain('| time to resolve | not yet |');
    expect(open).toContain('- [ ] Is a runbook missing for MailQueueStuck?');
    // What the alert says stays text, and in its cell.
    expect(open).toContain('the queue "out" grows \\| by 5 % \\<b\\>a minute\\</b\\>');
  });

  it('lets everybody with a token look, and viewers say nothing', async () => {
    const { body } = await story.nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
    for (const path of ['/now', '/incidents', `/incidents/${story.alone}`, `/incidents/${story.alone}/export`])
      expect((await text(path, body.secret)).status, path).toBe(200);
    const said = await story.nightshift.api(`/incidents/${story.escalated}/words`, { word: 'close' }, body.secret);
    expect(said.status).toBe(403);
    expect((await text('/now', 'nobody')).status).toBe(401);
  });
});
