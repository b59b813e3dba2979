/** The facts that decisions rest on, as they are read from rows: what limits count, what records hold, what people did. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, json } from '../../../src/database/index.ts';
import {
  countRuns,
  readStanding,
  rejudge,
  shadowReport,
  storedJudgements,
  toStored,
  trackRecords,
} from '../../../src/gate/index.ts';
import { addEvents, contextSchema } from '../../../src/incident/index.ts';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { actionsOf, setEffect } from '../../../src/planning/index.ts';
import {
  combinePolicy,
  judge,
  lintPolicy,
  parsePolicy,
  type Question,
  type RunEffect,
} from '../../../src/policy/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { limit, policy, question, rule, run } from '../../unit/policy/make-question.ts';
import { addPastIncident, addPastRun, addPastRuns, type PastRun } from './past-runs.ts';

const healed = (count: number) => Array<RunEffect>(count).fill('healed');
const asked = (...rules: string[]) => ({
  decision: 'ask' as const,
  spoke: rules.map((name) => ({ rule: name, decision: 'ask' as const, why: '' })),
});
const toolNames = Object.values(TOOLSETS).flatMap(({ tools }) => tools.map(({ name }) => name));

describe.each(anyDatabase)('what decisions rest on, from the rows of $name', ({ open }) => {
  let db: Database;
  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });

  const recentRuns = async (questions: readonly [Question, ...Question[]]) => {
    const [{ call, population }] = questions;
    const labelSets = questions.map(({ labels }) => labels);
    return (await countRuns(db, { call, population, labelSets, undoOf: null })).recent;
  };
  const recordOf = async ({ tool, ...labels }: { tool: string; alertname: string; service: string }) => {
    const call = { tool, instance: '', target: '' };
    return (await countRuns(db, { call, population: null, labelSets: [labels], undoOf: null })).recordFor(labels);
  };

  describe('how the actions of an incident stand', () => {
    const labels = { alertname: 'Stands', service: 'standing' };
    const alert = (status: 'firing' | 'resolved') => {
      const at = new Date();
      const texts = { labels, annotations: {}, generatorUrl: null };
      return { ...texts, source: 's', fingerprint: 'f', status, startsAt: at, endsAt: null, receivedAt: at };
    };

    it('is read with what became of the same, what was sent of late, and what people said', async () => {
      const tool = 'standing.tool';
      const before = new Date();
      const { incidentId, action } = await addPastRun(db, { labels, tool, daysAgo: 0, sentDaysAgo: null });
      const earlier = await addPastRun(db, { labels, tool, daysAgo: 1, effect: 'unchanged' });
      await addPastRun(db, { labels, tool, daysAgo: 1, effect: 'worse', requestedBy: 'ana' });
      const set = (row: object) => db.q.updateTable('action').set(row).where('tool', '=', tool).execute();
      await set({ fingerprint: tool });
      await db.q.updateTable('action').set({ status: 'proposed' }).where('id', '=', action).execute();
      const read = () => readStanding(db, { id: incidentId, cycle: 1 }, [alert('firing')]);

      const standing = await read();
      expect(standing.stop).toMatchObject({ engaged: false });
      expect(standing.at.getTime()).toBeGreaterThanOrEqual(before.getTime());
      expect(standing.runs.map(({ id }) => id)).toContain(earlier.action);
      expect(standing.actions).toMatchObject([
        {
          id: action,
          sentAt: null,
          seenRuns: [{ effect: 'unchanged' }],
          records: [{ ...labels, effects: ['unchanged'] }],
          wasDenied: false,
        },
      ]);

      const approval = { incident_id: incidentId, action_id: action, digest: 'd', subject: json({}), required: 1 };
      const said = { id: `${action}-asked`, status: 'denied', expires_at: before };
      await db.q
        .insertInto('approval')
        .values({ ...approval, ...said })
        .execute();
      await db.q.insertInto('intent').values({ action_id: action, target: 'x' }).execute();
      expect((await read()).actions).toMatchObject([{ wasDenied: true, sentAt: expect.any(Date) }]);
    });

    it('goes by the alerts that are firing', async () => {
      const { incidentId } = await addPastRun(db, { labels, sentDaysAgo: null });
      await db.q.updateTable('action').set({ status: 'proposed' }).where('incident_id', '=', incidentId).execute();
      const { actions } = await readStanding(db, { id: incidentId, cycle: 1 }, [alert('resolved')]);
      expect(actions).toMatchObject([{ records: [] }]);
    });
  });

  describe('the runs that limits count', () => {
    const ours = question({
      call: { tool: 'supervisor.restart', instance: 'shop', target: 'shop:process web' },
      labels: { service: 'search "x"', namespace: 'ns' },
      population: { group: 'group web', members: 4, affects: 1 },
    });
    const counts = async (one: Question, per: 'target' | 'instance' | 'tool' | 'service' | 'namespace' | 'all') => {
      const recent = await recentRuns([one]);
      // What a limit of so many runs says, tells how many it counted.
      const speaks = (runs: number) =>
        judge({ ...one, recent }, policy({ limits: [limit({ per, runs, withinSeconds: 604_800 })] })).spoke.some(
          ({ rule: name }) => name === 'a-limit',
        );
      return { two: speaks(2), three: speaks(3) };
    };
    const here: PastRun = { labels: {}, instance: 'elsewhere', tool: 'other.tool', target: 'elsewhere:x', daysAgo: 5 };

    it('are never pushed out by thousands of newer ones', async () => {
      const at = { ...ours, at: new Date() };
      const changes: Partial<PastRun>[] = [
        { target: 'shop:process web' },
        { instance: 'shop' },
        { tool: 'supervisor.restart' },
        { labels: { service: 'search "x"' } },
        { labels: { namespace: 'ns' } },
        { instance: 'shop', inspection: { population: { group: 'group web', affects: 1 } } },
      ];
      for (const change of changes) for (const _ of [1, 2]) await addPastRun(db, { ...here, ...change });
      const { incidentId } = await addPastRun(db, here);
      await sql`insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint,
          origin, reason, expected_effect, undo, labels, definition_sha256, status)
        select 'act-busy' || n, ${incidentId}, 1, 2, n, 'busy', 'busy.tool', '{}', 'busy:x', 'safe', 'f', '', '', '', '', '{}', '', 'succeeded'
        from generate_series(1, 6000) as n`.execute(db.q);
      await sql`insert into intent (action_id, target) select id, target from action where tool = 'busy.tool'`.execute(
        db.q,
      );
      expect(await counts(at, 'target')).toEqual({ two: true, three: false });
      expect(await counts(at, 'tool')).toEqual({ two: true, three: false });
      expect(await counts(at, 'service')).toEqual({ two: true, three: false });
      expect(await counts(at, 'namespace')).toEqual({ two: true, three: false });
      expect(await counts(at, 'instance')).toEqual({ two: true, three: true });
      expect(await counts(at, 'all')).toEqual({ two: true, three: true });
      const recent = await recentRuns([at]);
      expect(recent.filter(({ group }) => group === 'group web')).toHaveLength(2);
      // Bounded all the same, and none twice.
      expect(recent.length).toBeLessThan(1100);
      expect(recent).toEqual(recent.toSorted((a, b) => b.at.getTime() - a.at.getTime()));
    });

    it('are those of all services that a call is for, and none that is older than seven days', async () => {
      const labels = (service: string) => ({ ...ours, at: new Date(), labels: { service } });
      await addPastRun(db, { ...here, labels: { service: 'a' } });
      await addPastRun(db, { ...here, labels: { service: 'b' } });
      await addPastRun(db, { ...here, labels: { service: 'b' }, daysAgo: 8 });
      const services = (await recentRuns([labels('a'), labels('b')])).map(({ service }) => service);
      expect(services.filter((one) => one === 'a' || one === 'b').sort()).toEqual(['a', 'b']);
    });
  });

  it('leave out the run that is taken back: both together are one change', async () => {
    const call = { tool: 'taken.back', instance: 'shop', target: 'shop:process web' };
    const { action } = await addPastRun(db, { ...call, labels: {}, daysAgo: 0 });
    const counted = async (undoOf: string | null) => {
      const { recent } = await countRuns(db, { call, labelSets: [{}], population: null, undoOf });
      return recent.filter(({ tool }) => tool === call.tool).length;
    };
    expect(await counted(null)).toBe(1);
    expect(await counted(action)).toBe(0);
  });

  describe('the record', () => {
    const of = (service: string) => ({ tool: 'supervisor.restart', alertname: 'Down', service });

    it('holds what ran, the newest run first, however long it waited', async () => {
      const labels = { alertname: 'Down', service: 'ordered' };
      await addPastRun(db, { labels, effect: 'healed', daysAgo: 2 });
      await addPastRun(db, { labels, effect: 'worse', daysAgo: 3, sentDaysAgo: 1 });
      await addPastRun(db, { labels, effect: 'unchanged', daysAgo: 1, sentDaysAgo: null });
      await addPastRun(db, { labels, effect: null });
      await addPastRun(db, { labels, effect: 'unknown', tool: 'host.purge' });
      expect(await recordOf(of('ordered'))).toEqual(['worse', 'healed']);
    });

    it('is written for what was sent, and for nothing that only failed to start', async () => {
      const labels = { alertname: 'Down', service: 'sent' };
      const { incidentId, action } = await addPastRun(db, { labels });
      const of = { incidentId, cycle: 1 };
      const { action: unsent } = await addPastRun(db, { labels, of, ordinal: 2, sentDaysAgo: null });
      await db.q.updateTable('action').set({ status: 'failed' }).where('id', '=', unsent).execute();
      await setEffect(db, { id: incidentId, cycle: 1, context: contextSchema.parse({ v: 1, attempt: 1 }) }, 'worse');
      const effects = (await actionsOf(db, incidentId)).map(({ id, effect }) => [id, effect]);
      expect(effects).toEqual([
        [action, 'worse'],
        [unsent, null],
      ]);
    });

    it('is for one alert name and service, and an alert without a name has none', async () => {
      await addPastRun(db, { labels: { alertname: 'Down' }, effect: 'healed' });
      await addPastRun(db, { labels: { alertname: '' }, effect: 'healed' });
      await addPastRun(db, { labels: {}, effect: 'healed' });
      expect(await recordOf(of(''))).toEqual(['healed']);
      expect(await recordOf({ ...of(''), alertname: '' })).toEqual([]);
      expect(await recordOf({ ...of(''), alertname: 'Other' })).toEqual([]);
    });

    it('cannot be made by asking for runs by hand', async () => {
      const labels = { alertname: 'Down', service: 'by-hand' };
      await addPastRuns(db, healed(20), { labels, requestedBy: 'ana', decision: asked('nothing-allows') });
      expect(await recordOf(of('by-hand'))).toEqual([]);
      expect((await trackRecords(db)).filter(({ service }) => service === 'by-hand')).toEqual([]);
    });
  });

  describe('the track record', () => {
    const recordFor = async (service: string) => (await trackRecords(db)).find((one) => one.service === service);
    const suggestionFor = async (alertname: string, service: string, change: Partial<PastRun> = {}) => {
      await addPastRuns(db, healed(19), { labels: { alertname, service }, ...change });
      await addPastRun(db, {
        labels: { alertname, service },
        effect: 'healed',
        decision: asked('nothing-allows'),
        daysAgo: 1,
        ...change,
      });
      return (await recordFor(service))?.suggestion ?? null;
    };

    it('counts what came of each proposal, and says what asked last', async () => {
      const labels = { alertname: 'Down', service: 'counted' };
      await addPastRuns(db, ['worse', 'healed', 'unchanged', 'unknown'], { labels, decision: asked('mode-ask') });
      const { action, incidentId } = await addPastRun(db, {
        labels,
        sentDaysAgo: null,
        daysAgo: 1,
        decision: asked('b', 'a'),
      });
      await db.q
        .insertInto('approval')
        .values({
          id: 'a1',
          incident_id: incidentId,
          action_id: action,
          digest: '',
          subject: sql`'{}'`,
          required: 1,
          status: 'denied',
          expires_at: new Date(),
        })
        .execute();
      expect(await recordFor('counted')).toMatchObject({
        alertname: 'Down',
        tool: 'supervisor.restart',
        risk: 'safe',
        proposed: 5,
        approved: 0,
        denied: 1,
        ran: 4,
        healed: 1,
        worse: 1,
        lowerBound: expect.closeTo(0.046, 2),
        askedBy: ['a', 'b'],
        suggestion: null,
      });
    });

    it.each([
      ['plain', 'Down', 'search'],
      ['quotes', 'It\'s "down"', `sea'r"ch`],
      ['backslashes', 'C:\\new\\table', '\\'],
      ['what YAML means something by', '- a: {b}, [c] # d', '*x &y !z %w @v `u'],
      ['spaces', 'Disk is full', 'a  b'.replace('  ', ' ')],
      ['other letters', 'Plattenfüllstand', '検索'],
      ['what matchers mean something by', 'a=~"b",c!="d"', '{a="b"}'],
      ['much of it', 'A'.repeat(200), 'B'.repeat(200)],
    ])('suggests a rule that allows exactly this: labels with %s', async (_, alertname, service) => {
      const suggestion = await suggestionFor(alertname, service);
      const parsed = parsePolicy('suggested.yaml', `rules:\n${suggestion}\n`);
      expect(parsed.problems).toEqual([]);
      const { policy: suggested, problems } = combinePolicy([parsed]);
      expect(problems).toEqual([]);
      expect(lintPolicy(suggested, { toolNames, people: [] })).toEqual([]);
      const one = question({ labels: { alertname, service }, record: healed(20) });
      expect(judge(one, suggested).decision).toBe('allow');
      for (const other of [
        { ...one, labels: { alertname, service: `${service}x` } },
        { ...one, labels: { alertname: 'x', service } },
        { ...one, record: healed(19) },
        { ...one, record: ['worse' as const, ...healed(40)] },
        { ...one, call: { ...one.call, tool: 'host.purge' } },
      ])
        expect(judge(other, suggested).decision).toBe('ask');
    });

    it('gives every suggestion a name of its own', async () => {
      const alike = [
        ['Down', 'a.b'],
        ['Down', 'a-b'],
        ['down', 'A b'],
        ['D'.repeat(80), 'one'],
        ['D'.repeat(80), 'two'],
      ] as const;
      const suggestions = [];
      for (const [alertname, service] of alike) suggestions.push(await suggestionFor(alertname, service));
      const { problems } = combinePolicy([parsePolicy('all.yaml', `rules:\n${suggestions.join('\n')}\n`)]);
      expect(problems).toEqual([]);
    });

    it.each([
      [
        'a record too short',
        'short',
        async (service: string) => void (await addPastRuns(db, healed(19), { labels: { alertname: 'Down', service } })),
      ],
      ['a label that is not what it looks like', 'bidi\u202e', suggested()],
      ['a label with a line in it', 'a\nb', suggested()],
      ['an alert without a name', 'nameless', suggested('')],
      ['what is no safe tool', 'purge', suggested('Down', { tool: 'host.purge', risk: 'destructive' })],
      [
        'what another rule asks about too',
        'two-ask',
        suggested('Down', { decision: asked('mode-ask', 'nothing-allows'), daysAgo: 0.5 }),
      ],
      [
        'what is denied whatever else speaks',
        'observed',
        suggested('Down', { decision: { ...asked('nothing-allows'), decision: 'deny' }, daysAgo: 0.5 }),
      ],
      [
        'what is allowed already',
        'allowed',
        suggested('Down', { decision: { decision: 'allow', spoke: [] }, daysAgo: 0.5 }),
      ],
    ])('suggests nothing for %s', async (_, service, prepare) => {
      await prepare(service);
      expect(await recordFor(service)).toMatchObject({ suggestion: null });
    });

    it('takes a suggestion back when a run makes things worse', async () => {
      expect(await suggestionFor('Down', 'turned')).not.toBeNull();
      await addPastRuns(db, healed(30), { labels: { alertname: 'Down', service: 'turned' } });
      await addPastRun(db, {
        labels: { alertname: 'Down', service: 'turned' },
        effect: 'worse',
        daysAgo: 0,
        decision: asked('nothing-allows'),
      });
      expect(await recordFor('turned')).toMatchObject({ suggestion: null, worse: 1, healed: 50 });
    });

    function suggested(alertname = 'Down', last?: Partial<PastRun>) {
      return async (service: string) => {
        const { tool, risk } = last ?? {};
        await suggestionFor(alertname, service, { ...(tool ? { tool } : {}), ...(risk ? { risk } : {}) });
        if (last) await addPastRun(db, { labels: { alertname, service }, effect: 'healed', ...last });
      };
    }
  });

  describe('what people did where Nightshift only observed', () => {
    const observed = (tool: string, more: object = {}) => ({
      labels: {},
      tool,
      sentDaysAgo: null,
      daysAgo: 0.001,
      decision: {
        decision: 'deny' as const,
        spoke: [
          { rule: 'mode-observe', decision: 'deny' as const, why: '' },
          { rule: 'mode-observe', decision: 'deny' as const, why: 'of another alert' },
        ],
      },
      ...more,
    });
    const say = (incidentId: number, type: string, data: object = {}) =>
      addEvents(db, incidentId, [{ type, actor: 'ana', data: { ...data } }]);

    /** Rows of the test have the time of this process in whole milliseconds, events that of the database. */
    const later = () => new Promise((resolve) => setTimeout(resolve, 5));

    it('is counted once for each cycle and tool, by the last word about it', async () => {
      const incidentId = await addPastIncident(db);
      await addPastRun(db, observed('x.first', { of: { incidentId, cycle: 1 } }));
      await say(incidentId, 'person.close', { did: 'other' });
      await say(incidentId, 'person.close');
      await say(incidentId, 'person.close', { did: 'same' });
      await say(incidentId, 'incident.reopened', { cycle: 2 });
      await later();
      // Later words are about what was proposed later, whatever tool that was.
      await addPastRun(db, observed('x.second', { of: { incidentId, cycle: 2 }, daysAgo: 0 }));
      await later();
      await say(incidentId, 'person.close', { did: 'nothing' });
      await addPastRun(db, observed('x.second'));
      await addPastRun(db, observed('x.by-hand', { requestedBy: 'ana' }));
      await addPastRun(db, observed('x.later-step', { ordinal: 2 }));
      const report = await shadowReport(db);
      expect(report).toEqual({
        incidents: 2,
        tools: [
          { tool: 'x.second', proposed: 2, same: 0, other: 0, nothing: 1, unsaid: 1 },
          { tool: 'x.first', proposed: 1, same: 1, other: 0, nothing: 0, unsaid: 0 },
        ],
      });
    });

    it('is not what somebody said after it was opened again', async () => {
      const incidentId = await addPastIncident(db);
      await addPastRun(db, observed('y.first', { of: { incidentId, cycle: 1 } }));
      await say(incidentId, 'incident.reopened', { cycle: 2 });
      await later();
      await addPastRun(db, observed('y.second', { of: { incidentId, cycle: 2 }, daysAgo: 0 }));
      await later();
      await say(incidentId, 'person.close', { did: 'same' });
      const { tools } = await shadowReport(db);
      expect(tools.find(({ tool }) => tool === 'y.first')).toMatchObject({ same: 0, unsaid: 1 });
      expect(tools.find(({ tool }) => tool === 'y.second')).toMatchObject({ same: 1, unsaid: 0 });
    });
  });

  describe('judgements as they are kept', () => {
    const keep = (questions: readonly Question[], verdict: object = asked('nothing-allows')) =>
      addPastRun(db, { labels: {}, questions: toStored(questions), decision: verdict });

    it('come back as they were, and say how many runs were left out', async () => {
      const recent = Array.from({ length: 301 }, () => run());
      const one = question({ recent, record: ['healed', 'worse'], population: { group: 'g', members: 3, affects: 1 } });
      const { action } = await keep([one, question()]);
      const [judgement] = await storedJudgements(db, { action });
      expect(judgement?.questions).toEqual([
        { ...one, recent: recent.slice(0, 300), runsLeftOut: 1 },
        { ...question(), runsLeftOut: 0 },
      ]);
    });

    it('come in pages, each once, and those of an incident together', async () => {
      const kept = [];
      for (const _ of [1, 2, 3]) kept.push(await keep([question()]));
      const seen: string[] = [];
      for (let after = ''; ; ) {
        const page = await storedJudgements(db, { after, limit: 2 });
        seen.push(...page.map(({ action }) => action));
        const last = page.at(-1);
        if (!last) break;
        after = last.action;
      }
      expect(new Set(seen).size).toBe(seen.length);
      for (const { action } of kept) expect(seen).toContain(action);
      expect(await storedJudgements(db, { incidentId: kept[1]?.incidentId ?? 0 })).toHaveLength(1);
      expect(await storedJudgements(db, { action: 'act-none' })).toEqual([]);
    });

    it('are judged anew by the facts of then: also by what the gate itself asked about', async () => {
      const allowing = policy({ rules: [rule()] });
      const verdict = {
        ...asked('cannot-be-inspected'),
        risk: 'safe' as const,
        approvals: 1,
        approvers: null,
        expirySeconds: null,
      };
      const questions = toStored([question()]).map((one) => ({ ...one }));
      const stored = { questions: questions as never, verdict };
      expect(rejudge(stored, allowing)).toMatchObject({ decision: 'ask', approvals: 1 });
      const refused = { ...verdict, ...asked('denied-before') };
      expect(rejudge({ ...stored, verdict: refused }, allowing)).toMatchObject({ decision: 'ask', approvals: 1 });
      expect(rejudge({ ...stored, verdict: { ...verdict, spoke: [] } }, allowing)).toMatchObject({ decision: 'allow' });
      expect(rejudge({ questions: [], verdict }, allowing)).toBeNull();
    });
  });
});
