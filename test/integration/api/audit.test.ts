/** Who did what, page by page, and whether anything of it was changed, over the API. */

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventPage as auditShape } from '../../../src/api/answers/incident.ts';
import { auditReport as auditReportShape } from '../../../src/api/answers/installation.ts';
import { openPostgres } from '../../../src/database/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { asOwner } from '../retention/old-audit.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

describe.each(databases.filter(({ name }) => name === 'postgres'))(
  'the audit over the API on $name',
  ({ name: database }) => {
    let story: Story;
    let viewer: string;
    const list = async (query: string, token?: string) => {
      const { status, body } = await story.nightshift.api(`/audit?${query}`, undefined, token);
      expect(status, JSON.stringify(body)).toBe(200);
      return auditShape.parse(body);
    };
    const verify = async () => {
      const { status, body } = await story.nightshift.api('/audit/verify', undefined, viewer);
      expect(status, JSON.stringify(body)).toBe(200);
      return { ...body, ...auditReportShape.parse(body) } as ReturnType<typeof auditReportShape.parse> & {
        whole: boolean;
        lines: string[];
      };
    };

    beforeAll(async () => {
      story = await tellStory({ database });
      const { body } = await story.nightshift.api<{ secret: string }>('/tokens', { name: 'vic', role: 'viewer' });
      viewer = body.secret;
    }, STORY_MS);
    afterAll(() => story?.stop());

    it('lists who did what, the newest first, page by page', async () => {
      const all = await list('limit=500', viewer);
      expect(all.next).toBeNull();
      expect(all.events[0]).toMatchObject({
        type: 'token.created',
        actor: 'admin',
        words: expect.stringContaining('made the token vic'),
      });
      const paged: unknown[] = [];
      let before: string | number | null = '';
      while (before !== null) {
        const page = await list(`limit=7${before === '' ? '' : `&before=${before}`}`);
        paged.push(...page.events);
        before = page.next;
      }
      expect(paged).toEqual(all.events);
    });

    it('refuses a place that no event and no seal can have', async () => {
      for (const path of ['/audit?before=9999999999999999999', '/audit/seals?after=9999999999999999999'])
        expect((await story.nightshift.api(path)).status, path).toBe(400);
    });

    it('lists those of an incident, of a person, of a type or of a kind of types', async () => {
      const name = `INC-${story.approved}`;
      expect(new Set((await list(`incident=${name}`)).events.map(({ incident }) => incident))).toEqual(new Set([name]));
      expect((await list('actor=admin&type=approval.*')).events).toMatchObject([
        { incident: name, type: 'approval.decided' },
      ]);
      expect((await list('type=incident.escalated')).events).toMatchObject([{ incident: `INC-${story.escalated}` }]);
      expect((await list('type=incident_escalated')).events).toEqual([]);
      expect((await list('type=incident_*')).events).toEqual([]);
      expect((await list('actor=nobody')).events).toEqual([]);
    });

    it('hands out the seals as before, to administrators', async () => {
      const { body } = await story.nightshift.api<{ seals: object[]; events: object[] }>('/audit/seals');
      expect(body.seals.length).toBeGreaterThan(0);
      expect((await story.nightshift.api('/audit/seals?after=1')).status).toBe(200);
      expect((await story.nightshift.api('/audit/seals', undefined, viewer)).status).toBe(403);
    });

    it.each([
      ['limit=0', 'limit', 'write a whole number from 1 to 500'],
      ['limit=5&before=x', 'before', 'write what `next` of the page before says'],
      ['incident=x', 'incident', 'write it as INC-7 or 7'],
      [`actor=${'x'.repeat(201)}`, 'actor', 'at most 200 characters'],
      ['type=%00', 'type', 'for example approval.*'],
    ])('says what is wrong with %s', async (query, field, fix) => {
      const { status, body } = await story.nightshift.api(`/audit?${query}`);
      expect(status).toBe(400);
      expect(body).toMatchObject({ problems: [{ field, fix: expect.stringContaining(fix) }] });
    });

    it('says that it is whole, and what was changed once something was', async () => {
      // Sealed within a second; what else uses that Postgres may hold it up.
      await expect.poll(async () => (await verify()).unsealed, { timeout: 60_000 }).toBe(0);
      const [report, same] = await Promise.all([verify(), verify()]);
      expect(report).toMatchObject({ whole: true, problems: [], unsealed: 0 });
      expect(report.lines.at(-1)).toBe('the audit is whole');
      expect(report.lines[1]).toContain('compared with 1 head(s), also from ');
      expect(same).toEqual(report);
      const db = await openPostgres(story.nightshift.databaseUrl as string);
      const { rows } = await sql<{ id: number }>`select id from event where type = 'approval.decided' limit 1`.execute(
        db.q,
      );
      await asOwner(db, `update event set actor = 'nobody' where id = ${rows[0]?.id}`);
      await db.close();
      const changed = await verify();
      expect(changed).toMatchObject({ whole: false, problems: [{ kind: 'row changed', event: String(rows[0]?.id) }] });
      expect(changed.lines.join('\n')).toContain('it is not what was sealed');
    });
  },
);
