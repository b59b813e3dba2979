/** What the API says of runbooks: how they do, what is wrong with them, what they do not cover, and a draft of a new one. */

import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import {
  draft as draftShape,
  runbookFile as runbookFileShape,
  runbookPage as runbooksShape,
  uncoveredPage as uncoveredShape,
} from '../../../src/api/answers/runbook.ts';
import { parseRunbook } from '../../../src/rag/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { alert } from '../support/nightshift.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

const OTHER = `---
match: ['alertname="PageDown"', 'env="lab"']
steps:
  - tool: supervisor.stop
    with: { process: "{{ labels.page }}" }
    why: In the lab it is better off.
---
# Page of the lab
Stop it.
`;

const BROKEN = `---
match: ['alertname="Broken"']
steps: [{ tool: supervisor.restart, with: { process: x } }]
---
# Broken
`;

describe.each(anyDatabase)('runbooks over the API on $name', ({ name: database }) => {
  let story: Story;
  let viewer: string;
  const get = async <T>(path: string, shape: z.ZodType<T>): Promise<T> => {
    const { status, body } = await story.nightshift.api(path);
    expect(status, JSON.stringify(body)).toBe(200);
    return shape.parse(body);
  };

  beforeAll(async () => {
    story = await tellStory({
      database,
      runbooks: {
        'lab.md': OTHER,
        'broken.md': BROKEN,
        'disk-full.md': '# Disk full\nDelete old files. password=hunter2-and-more\n',
      },
    });
    const { body } = await story.nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
    viewer = body.secret;
  }, STORY_MS);
  afterAll(() => story?.stop());

  it('lists each with its steps, matchers, record and what is wrong', async () => {
    const { runbooks } = await get('/runbooks', runbooksShape);
    expect(runbooks.map(({ path }) => path)).toEqual(['broken.md', 'disk-full.md', 'lab.md', 'page-down.md']);
    const [broken, docs, lab, down] = runbooks;
    expect(broken).toMatchObject({ steps: 0, pinned: false, problems: [expect.stringContaining('why')] });
    expect(docs).toMatchObject({ title: 'Disk full', steps: 0, matches: [], pinned: false, used: 0, stale: null });
    expect(lab).toMatchObject({ steps: 1, pinned: true, used: 0, lastUsed: null });
    expect(down).toMatchObject({
      title: 'Page is down',
      service: 'shop',
      steps: 1,
      matches: ['alertname="PageDown"'],
      pinned: true,
      problems: [],
      used: 2,
      healed: 2,
      failed: 0,
      stale: null,
      failing: false,
    });
    expect(Date.parse(down?.lastUsed ?? '')).toBeGreaterThan(Date.now() - 600_000);
  });

  it('counts what did not help', async () => {
    story.supervisor.onStart = () => {};
    const fired = story.pageDown('stubborn');
    const id = await story.deliver(fired);
    await story.until(id, 'escalated');
    story.supervisor.onStart = (process) => void story.pages.ill.delete(process);
    // Somebody else mends it.
    story.pages.ill.delete('stubborn');
    await story.resolve(fired);
    await story.until(id, 'resolved');
    const { runbooks } = await get('/runbooks', runbooksShape);
    expect(runbooks.find(({ path }) => path === 'page-down.md')).toMatchObject({ used: 3, healed: 2, failed: 1 });
  });

  it('gives one with its text, what it declares, its passages, and what a look at all of them finds wrong', async () => {
    const file = await get('/runbooks/file?path=lab.md', runbookFileShape);
    expect(file).toMatchObject({
      path: 'lab.md',
      body: expect.stringContaining('# Page of the lab'),
      frontMatter: {
        match: ['alertname="PageDown"', 'env="lab"'],
        service: null,
        remedies: [{ steps: [{ tool: 'supervisor.stop' }] }],
      },
      passages: [{ breadcrumb: 'Page of the lab', startLine: 8, endLine: 9 }],
    });
    expect(file.body).not.toContain('match:');
    expect(file.lint.map(({ severity, message }) => `${severity} ${message}`)).toEqual([
      expect.stringMatching(/^error match: this and page-down.md:2 are both for /),
      expect.stringMatching(/^warning verify: is missing/),
    ]);
    expect(file.lint[0]).toMatchObject({ line: 2, fix: expect.stringContaining('narrow') });
    const docs = await get('/runbooks/file?path=disk-full.md', runbookFileShape);
    expect(docs).toMatchObject({ frontMatter: null, lint: [] });
    expect(docs.body).not.toContain('hunter2');
  });

  it.each(['../policies/test.yaml', 'nothing.md', '/etc/passwd'])(
    'gives no file that is no runbook: %s',
    async (path) => {
      const { status, body } = await story.nightshift.api(`/runbooks/file?path=${encodeURIComponent(path)}`);
      expect(status).toBe(404);
      expect(body).toMatchObject({ code: 'not_found', detail: expect.stringContaining('there is no runbook') });
    },
  );

  it('asks for what is missing', async () => {
    expect((await story.nightshift.api('/runbooks/file')).body).toMatchObject({
      problems: [{ field: 'path', fix: expect.stringContaining('GET /api/v1/runbooks') }],
    });
    for (const days of ['0', '366', 'x'])
      expect((await story.nightshift.api(`/runbooks/uncovered?days=${days}`)).body).toMatchObject({
        problems: [{ field: 'days', value: `"${days}"`, fix: 'write a whole number of days from 1 to 365' }],
      });
    expect((await story.nightshift.api('/runbooks/draft', { incident: 'x' })).body).toMatchObject({
      problems: [{ field: 'incident', value: 'x', fix: 'write it as INC-7 or 7' }],
    });
    expect((await story.nightshift.api('/runbooks/draft', {})).body).toMatchObject({
      problems: [{ field: 'incident', fix: 'name an incident, for example INC-7' }],
    });
  });

  it('lists the alerts that no runbook fits, the most frequent first', async () => {
    const { nightshift, escalated } = story;
    const again = alert(
      { alertname: 'MailQueueStuck', service: 'mail' },
      { fingerprint: 'abcdef', startsAt: new Date().toISOString(), annotations: {} },
    );
    await nightshift.deliver([again]);
    // Its name is that of a runbook for people.
    await story.until(
      await story.deliver(alert({ alertname: 'DiskFull', service: 'd' }, { fingerprint: 'dd' })),
      'escalated',
    );
    await story.until(
      await story.deliver(alert({ alertname: 'Rare', service: 'r' }, { fingerprint: 'ee' })),
      'escalated',
    );
    const { alerts } = await get('/runbooks/uncovered?days=30', uncoveredShape);
    expect(alerts.map(({ alertname, service, times }) => ({ alertname, service, times }))).toEqual([
      { alertname: 'MailQueueStuck', service: 'mail', times: 2 },
      { alertname: 'Rare', service: 'r', times: 1 },
    ]);
    expect(alerts[0]?.incidents).toEqual([`INC-${escalated}`]);
  });

  it('drafts a runbook of what healed an incident, writes nothing, and lets no viewer ask', async () => {
    const asked = { incident: `INC-${story.approved}` };
    expect((await story.nightshift.api('/runbooks/draft', asked, viewer)).status).toBe(403);
    const { status, body } = await story.nightshift.api('/runbooks/draft', asked);
    expect(status).toBe(200);
    const draft = draftShape.parse(body);
    expect(draft.fileName).toBe('page-down.md');
    expect(draft.text).toContain(`Labels of the last one (INC-${story.approved})`);
    expect(draft.text).toContain('#     with: { "process": "{{ labels.page }}" }');
    expect(draft.text).toContain('#     with: { "url": "http://{{ labels.instance }}/{{ labels.page }}" }');
    expect(draft.text).toMatch(/^The alert said: .+$/m);
    expect(draft.text).toMatch(/^Nightshift looked at this in INC-\d+:\n\n- `http\.probe /m);
    // As it stands it acts on nothing; without its signs it is a runbook.
    expect(parseRunbook('d.md', draft.text)).toMatchObject({ problems: [], actionable: false });
    const [, front = ''] = draft.text.split('---\n');
    const acting = front
      .replace(/^# (steps:|verify:| {2}.*)$/gm, '$1')
      .replace(/^ {2}"?(page|env|service|instance|severity).*\n/gm, '');
    const used = draft.text.replace(front, acting);
    expect(parseRunbook('d.md', used)).toMatchObject({
      problems: [],
      actionable: true,
      remedies: [{ steps: [{ tool: 'supervisor.restart', with: { process: '{{ labels.page }}' } }] }],
      verify: [{ tool: 'http.probe', expect: 'status == 200', withinSeconds: 5 }],
    });
    expect((await get('/runbooks', runbooksShape)).runbooks).toHaveLength(4);
  });

  it('says which runbook may be out of date: its tools are gone, or nobody has changed or used it for long', async () => {
    const folder = join(story.nightshift.dataDir, 'runbooks');
    await writeFile(
      join(folder, 'old.md'),
      OTHER.replace('supervisor.stop', 'mainframe.ipl').replace('PageDown', 'Old'),
    );
    await story.nightshift.api('/runbooks/sync', {});
    const { runbooks } = await get('/runbooks', runbooksShape);
    expect(runbooks.find(({ path }) => path === 'old.md')?.stale).toBe(
      'it names tools that are not there: mainframe.ipl',
    );
    await rm(join(folder, 'old.md'));
  });
});
