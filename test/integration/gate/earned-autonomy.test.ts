/** Autonomy that is earned: what the checks saw after each run decides what runs unasked next time, and one regression ends it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json as bodyOf } from 'node:stream/consumers';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openEmbedded, openPostgres } from '../../../src/database/index.ts';
import type { TrackRecord } from '../../../src/gate/index.ts';
import { TOOLSETS } from '../../../src/mcp-tools/index.ts';
import {
  combinePolicy,
  judge,
  lintPolicy,
  parsePolicy,
  type Question,
  type RunEffect,
} from '../../../src/policy/index.ts';
import { anyDatabase, copyEmbedded } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import {
  type CountingSupervisor,
  listen,
  type Pages,
  startCountingSupervisor,
  startPages,
} from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';
import { addPastRuns } from './past-runs.ts';

const check = (page: string) =>
  `{ tool: http.probe, with: { url: "http://{{ labels.instance }}/${page}" }, expect: status == 200, within: 1s }`;
const RESTART = `---
match: ['alertname="Down"']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [${check('{{ labels.page }}')}, ${check('{{ labels.page }}-store')}]
---
# A process is down
`;
const TWICE = `---
match: ['alertname="Stubborn"']
remedies:
  - name: first
    steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
  - name: second
    steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}-2" }, why: It hangs still. }]
verify: [${check('{{ labels.page }}')}, ${check('{{ labels.page }}-store')}]
---
# A process is down, and stays down
`;

const POLICY = `
rules:
  - name: restarts-earn-it
    tools: [supervisor.restart]
    match: ['tier=~"earned|both"']
    record: {runs: 20, healed: 0.8}
    decision: allow
    reason: Allowed once it has healed often enough.
  - {name: free-restarts, match: ['tier=~"free|both"'], decision: allow, reason: Nothing depends on it.}
`;

type Measured = ShownIncident['actions'][number] & { readonly effect: RunEffect | null };
type Effects = Omit<ShownIncident, 'actions'> & { readonly actions: readonly Measured[] };

describe.each(anyDatabase)('earned autonomy on $name', ({ name: database }) => {
  let pages: Pages;
  let supervisor: CountingSupervisor;
  let webhook: Server;
  let nightshift: TestNightshift;
  let embeddedDir: string | undefined;
  let serial = 0;
  const told: { kind: string; incident: string; text: string }[] = [];
  const tokens: Record<string, string> = {};

  beforeAll(async () => {
    pages = await startPages();
    supervisor = await startCountingSupervisor();
    webhook = createServer(async (request, response) => {
      told.push((await bodyOf(request)) as (typeof told)[number]);
      response.end();
    });
    const seed = async (db: Awaited<ReturnType<typeof openEmbedded>>) => {
      const past = (count: number, service: string, newest: readonly RunEffect[] = []) =>
        addPastRuns(db, [...newest, ...Array<RunEffect>(count).fill('healed')], {
          labels: { alertname: 'Down', service },
        });
      await past(18, 'novice');
      for (const service of [
        'veteran',
        'careful',
        'spread',
        'closed',
        'flapping',
        'candidate',
        'it\'s "odd"',
        'racing',
        'overtaken',
      ])
        await past(20, service);
      // Wilson's lower bound of 30 in 31 is above 0.8, and yet.
      await past(30, 'fallen', ['worse']);
      await past(30, 'recovered', [...Array<RunEffect>(20).fill('healed'), 'worse']);
      await past(20, 'so-so', Array<RunEffect>(5).fill('unchanged'));
      await db.close();
    };
    if (database === 'embedded') {
      // It has no other door while it runs.
      embeddedDir = await mkdtemp(join(tmpdir(), 'nightshift-test-'));
      await copyEmbedded(embeddedDir);
      await seed(await openEmbedded(embeddedDir));
    }
    nightshift = await startNightshift({
      database,
      ...(embeddedDir === undefined ? {} : { dataDir: embeddedDir }),
      runbooks: { 'down.md': RESTART, 'stubborn.md': TWICE },
      policy: POLICY,
      config: {
        people: ['ana', 'ben'].map((name) => ({ name, role: 'approver' })),
        toolsets: {
          web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
          processes: { uses: 'supervisor', url: supervisor.url },
        },
        correlation: { by: ['story'] },
        escalation: { webhook: `http://${await listen(webhook)}` },
        verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 3 },
      },
    });
    if (nightshift.databaseUrl !== null) await seed(await openPostgres(nightshift.databaseUrl));
    for (const name of ['ana', 'ben']) {
      const { body } = await nightshift.api<{ secret: string }>('/tokens', { name, person: name, role: 'approver' });
      tokens[name] = body.secret;
    }
  });
  afterAll(async () => {
    await nightshift?.stop();
    pages?.stop();
    supervisor?.stop();
    webhook?.close();
    if (embeddedDir !== undefined) await rm(embeddedDir, { recursive: true, force: true });
  });
  afterEach(() => {
    supervisor.onStart = () => {};
  });

  /** A process of its own that is ill, and the alert about it. */
  const illness = (service: string, labels: Record<string, string> = {}, change: object = {}) => {
    serial += 1;
    const own = { page: `page-${serial}`, process: `p${serial}`, story: `story-${serial}`, tier: 'earned', ...labels };
    pages.ill.add(own.page);
    const fires = { fingerprint: `e${serial}`, startsAt: '2026-11-01T10:00:00.000Z', ...change };
    return { ...own, alert: alert({ alertname: 'Down', instance: pages.instance, service, ...own }, fires) };
  };
  const open = async (...alerts: object[]): Promise<number> => {
    const { status, body } = await nightshift.deliver(alerts);
    expect(status, JSON.stringify(body)).toBe(202);
    return (body.incidents as number[])[0] as number;
  };
  const approve = async (id: number) => {
    const asked = await nightshift.until(id, 'awaiting_approval');
    const { id: approval, digest } = asked.approvals.at(-1) ?? {};
    const answer = await nightshift.api(`/approvals/${approval}/decision`, { decision: 'approve', digest }, tokens.ana);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  };
  const until = (id: number, reached: (incident: Effects) => boolean) =>
    nightshift.until(id, (one) => reached(one as Effects)) as Promise<Effects>;
  const measured = (id: number) => until(id, ({ actions }) => actions.some(({ effect }) => effect !== null));
  const has = (type: string) => (incident: ShownIncident) => incident.events.some((event) => event.type === type);
  const decided = (incident: ShownIncident) => incident.actions.at(-1)?.decision;
  const spoke = (incident: ShownIncident) => decided(incident)?.spoke.map(({ rule }) => rule) ?? [];
  const sawIt = (id: number, kind: string) =>
    eventually(`no message ${kind} of INC-${id}`, async () =>
      told.find((one) => one.incident === `INC-${id}` && one.kind === kind),
    );
  const recordFor = async (service: string) =>
    (await nightshift.api<{ records: TrackRecord[] }>('/track-records')).body.records.find(
      (one) => one.service === service && one.alertname === 'Down',
    );
  /** Goes the whole way: it runs, the checks pass, the alert resolves. */
  const heal = async (service: string, labels: Record<string, string> = {}, approved = false): Promise<Effects> => {
    const ill = illness(service, labels);
    supervisor.onStart = () => void pages.ill.delete(ill.page);
    const id = await open(ill.alert);
    if (approved) await approve(id);
    await nightshift.until(id, has('verification.passed'));
    await nightshift.deliver([{ ...ill.alert, status: 'resolved', endsAt: '2026-11-01T10:05:00Z' }]);
    return (await nightshift.until(id, 'resolved')) as Effects;
  };

  it('asks about the 20th run, and lets the 21st go', async () => {
    // Eighteen healed before; two more are asked.
    for (const nth of [19, 20]) {
      const done = await heal('novice', {}, true);
      expect(done.actions.map(({ effect }) => effect)).toEqual(['healed']);
      expect(spoke(done), `run ${nth}`).toEqual(['nothing-allows']);
      expect(await recordFor('novice')).toMatchObject({ ran: nth, healed: nth });
    }
    const done = await heal('novice');
    expect(decided(done)).toMatchObject({ decision: 'allow', spoke: [{ rule: 'restarts-earn-it' }] });
    expect(done.approvals).toEqual([]);
    expect(await recordFor('novice')).toMatchObject({ proposed: 21, approved: 2, ran: 21, healed: 21, worse: 0 });
  });

  it.each([
    ['whose last run made it worse', 'fallen', 'ask'],
    ['that has healed as often as was demanded since it made things worse', 'recovered', 'allow'],
    ['that is not sure enough to help', 'so-so', 'ask'],
    ['of another service', 'unheard-of', 'ask'],
  ])('judges a record %s', async (_, service, decision) => {
    const ill = illness(service);
    const id = await open(ill.alert);
    const judged = await until(id, (one) => decided(one) != null);
    expect(decided(judged)).toMatchObject({ decision });
    if (decision === 'ask') await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
  });

  it('asks again at once after a run that made it worse, and tells people which rule is withdrawn', async () => {
    const ill = illness('veteran');
    supervisor.onStart = () => void pages.ill.add(`${ill.page}-store`);
    const id = await open(ill.alert);
    const handed = await until(id, ({ state }) => state === 'escalated');
    expect(handed.needs).toBe('the last remedy made it worse');
    expect(handed.actions).toMatchObject([{ effect: 'worse', decision: { decision: 'allow' } }]);
    expect(has('verification.worse')(handed)).toBe(true);
    const { text } = await sawIt(id, 'worse');
    expect(text).toBe(
      `INC-${id} Down (veteran): supervisor.restart on processes:process ${ill.process} made it worse. ` +
        'The record that restarts-earn-it demands is lost: it is asked from now on.',
    );
    expect((await sawIt(id, 'escalated')).text).toContain('made it worse');
    expect(await recordFor('veteran')).toMatchObject({ worse: 1, healed: 20, suggestion: null });

    const next = await open(illness('veteran').alert);
    expect(spoke(await nightshift.until(next, 'awaiting_approval'))).toEqual(['nothing-allows']);
    await nightshift.api(`/incidents/${next}/words`, { word: 'stop' });
  });

  if (database === 'postgres')
    it('asks also about what was cleared when another run made it worse', async () => {
      const url = nightshift.databaseUrl ?? '';
      const [gate, db] = [new pg.Client({ connectionString: url }), await openPostgres(url)];
      await gate.connect();
      // Nothing is sent while somebody else holds this.
      await gate.query("begin; select pg_advisory_xact_lock(hashtextextended('nightshift intent', 0))");
      const ill = illness('overtaken');
      const id = await open(ill.alert);
      await eventually('nobody waits to send', async () => {
        const { rows } = await gate.query(`
          select 1 from pg_locks join pg_database on pg_database.oid = database
           where locktype = 'advisory' and not granted and datname = current_database()`);
        return rows[0];
      });
      await addPastRuns(db, ['worse'], { labels: { alertname: 'Down', service: 'overtaken' }, daysAgo: 0 });
      await gate.query('commit');
      expect((await nightshift.until(id, 'escalated')).needs).toMatch(/was cleared but did not run/);
      expect(supervisor.started).not.toContain(ill.process);
      await gate.end();
      await db.close();
    });

  it('says so where another rule allows it all the same', async () => {
    const ill = illness('careful', { tier: 'both' });
    supervisor.onStart = () => void pages.ill.add(`${ill.page}-store`);
    const id = await open(ill.alert);
    const { text } = await sawIt(id, 'worse');
    expect(text).toContain('The record that restarts-earn-it demands is lost, but free-restarts allows it still.');
    const next = await open(illness('careful', { tier: 'both' }).alert);
    expect(spoke(await until(next, (one) => decided(one) != null))).toEqual(['free-restarts']);
  });

  it('suggests a rule with its evidence, which the policy takes and which then allows it', async () => {
    for (const service of ['candidate', 'it\'s "odd"']) {
      const id = await open(illness(service, { tier: 'none' }).alert);
      await nightshift.until(id, 'awaiting_approval');
      const { suggestion } = (await recordFor(service)) ?? {};
      expect(suggestion).toContain('reason: It healed 20 of 20 times when people let it run.');
      const parsed = parsePolicy('policy.yaml', `${POLICY}${suggestion}\n`);
      const { policy, problems } = combinePolicy([parsed]);
      expect(problems).toEqual([]);
      const toolNames = Object.values(TOOLSETS).flatMap(({ tools }) => tools.map(({ name }) => name));
      expect(lintPolicy(policy, { toolNames, people: [] })).toEqual([]);
      const { body } = await nightshift.api<{ judgements: { questions: Question[] }[] }>(`/judgements/INC-${id}`);
      const [question] = body.judgements[0]?.questions ?? [];
      const times = { at: new Date(question?.at ?? ''), receivedAt: new Date(question?.receivedAt ?? '') };
      const verdict = judge({ ...(question as Question), ...times, recent: [] }, policy);
      expect(verdict).toMatchObject({ decision: 'allow', spoke: [{ rule: expect.stringMatching(/^earned-/) }] });
      await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
    }
  });

  describe('what a remedy did', () => {
    it('is unchanged where the checks fail as before, and the next one is measured by what fails then', async () => {
      const ill = illness('stubborn', { alertname: 'Stubborn', tier: 'free' });
      pages.ill.add(`${ill.page}-store`);
      // The first makes one of two well, the second breaks it again: no more fail than at the start, but more than before it.
      supervisor.onStart = (process) =>
        process.endsWith('-2') ? void pages.ill.add(`${ill.page}-store`) : void pages.ill.delete(`${ill.page}-store`);
      const id = await open(ill.alert);
      const handed = await until(id, ({ state }) => state === 'escalated');
      expect(handed.actions.map(({ effect }) => effect)).toEqual(['unchanged', 'worse']);
      expect(has('verification.unchanged')(handed)).toBe(true);
    });

    it('is unknown where the checks pass and the alert is not reported as over', async () => {
      const ill = illness('doubtful', { tier: 'free' });
      supervisor.onStart = () => void pages.ill.delete(ill.page);
      const handed = await until(await open(ill.alert), ({ state }) => state === 'escalated');
      expect(handed.actions).toMatchObject([{ effect: 'unknown' }]);
      expect(handed.needs).toMatch(/checks pass.*not reported as resolved/);
    });

    /** Says something while the remedy runs; no check is answered before it was heard. */
    const meanwhile = (page: string, say: () => Promise<unknown>) => {
      supervisor.onStart = () => {
        if (!pages.held.has(page))
          pages.held.set(
            page,
            say().then(() => {}),
          );
      };
    };

    it('is worse where an alert joined that began after it was sent', async () => {
      const ill = illness('spread');
      const { story } = ill;
      meanwhile(ill.page, () => {
        pages.ill.delete(ill.page);
        return nightshift.deliver([illness('spread', { story }, { startsAt: new Date().toISOString() }).alert]);
      });
      const id = await open(ill.alert);
      expect((await measured(id)).actions[0]).toMatchObject({ effect: 'worse' });
      expect((await sawIt(id, 'worse')).text).toContain('restarts-earn-it');
    });

    it('is not worse where an alert joined that had begun before, though its own check fails as well', async () => {
      const ill = illness('late', { tier: 'free' });
      const { story } = ill;
      meanwhile(ill.page, () => nightshift.deliver([illness('late', { story, tier: 'none' }).alert]));
      const id = await open(ill.alert);
      const handed = await measured(id);
      expect(handed.alerts).toHaveLength(2);
      expect(handed.actions[0]).toMatchObject({ effect: 'unchanged' });
      await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
    });

    it('is not worse where the same alert went away and came back', async () => {
      const ill = illness('flapping');
      meanwhile(ill.page, async () => {
        await nightshift.deliver([{ ...ill.alert, status: 'resolved', endsAt: '2026-11-01T10:05:00Z' }]);
        await nightshift.deliver([{ ...ill.alert, startsAt: new Date().toISOString() }]);
      });
      const handed = await measured(await open(ill.alert));
      expect(handed.events.filter(({ type }) => type === 'alert.firing')).toHaveLength(2);
      expect(handed.actions[0]).toMatchObject({ effect: 'unchanged' });
    });

    it('is worse also where a person closes it meanwhile, and no credit where they do and the checks pass', async () => {
      const ill = illness('closed');
      supervisor.onStart = () => void pages.ill.add(`${ill.page}-store`);
      const id = await open(ill.alert);
      await nightshift.until(id, 'verifying');
      expect((await nightshift.api(`/incidents/${id}/words`, { word: 'close' }, tokens.ana)).status).toBe(202);
      expect((await measured(id)).actions).toMatchObject([{ effect: 'worse' }]);

      const well = illness('closed', { tier: 'free' });
      supervisor.onStart = () => void pages.ill.delete(well.page);
      const other = await open(well.alert);
      await nightshift.until(other, has('verification.passed'));
      const closed = nightshift.api(`/incidents/${other}/words`, { word: 'close' }, tokens.ana);
      const done = await until(other, ({ state }) => state === 'resolved');
      await closed;
      expect(done.actions).toMatchObject([{ effect: null }]);
      expect(done.events.find(({ type }) => type === 'verification.recovered')).toMatchObject({
        actor: 'ana',
        data: { after: 'person' },
      });
    });

    it('gives whoever asks by hand no record, and Nightshift no remedies for labels that a person typed', async () => {
      const labels = {
        alertname: 'Stubborn',
        service: 'by-hand',
        tier: 'free',
        process: 'hand-1',
        page: 'hand',
        instance: pages.instance,
      };
      pages.ill.add('hand');
      supervisor.onStart = () => {};
      const wish = {
        what: { tool: 'supervisor.restart', arguments: { process: 'hand-0' } },
        labels,
        reason: 'it hangs',
      };
      const { body } = await nightshift.api<{ incident: string }>('/runs', wish, tokens.ben);
      const id = Number(body.incident.slice(4));
      await approve(id);
      const handed = await until(id, ({ state }) => state === 'escalated');
      expect(handed.actions).toMatchObject([{ effect: 'unchanged', origin: 'person:ben' }]);
      expect(handed.needs).toMatch(/asked for by hand did not run, or did not help/);
      expect(supervisor.started.filter((process) => process.startsWith('hand'))).toEqual(['hand-0']);
      const records = (await nightshift.api<{ records: TrackRecord[] }>('/track-records')).body.records;
      expect(records.filter(({ service }) => service === 'by-hand')).toEqual([]);
    });
  });

  describe('what people say of it afterwards', () => {
    const rate = (id: number, helpful: boolean, who: string) =>
      nightshift.api(`/incidents/INC-${id}/rating`, { helpful }, tokens[who]);
    const effects = async (id: number) =>
      ((await nightshift.incident(id)) as Effects).actions.map(({ effect }) => effect);

    it('takes credit away and never gives it: what a thumbs-down took does not come back', async () => {
      const done = await heal('rated', { tier: 'free' });
      const id = Number(done.id.slice(4));
      expect((await rate(id, true, 'ben')).status).toBe(200);
      // One against one is no majority.
      await rate(id, false, 'ana');
      expect(await effects(id)).toEqual(['healed']);
      await rate(id, false, 'ben');
      expect(await effects(id)).toEqual(['unchanged']);
      expect(await recordFor('rated')).toMatchObject({ ran: 1, healed: 0, worse: 0 });
      for (const who of ['ana', 'ben']) await rate(id, true, who);
      expect(await effects(id)).toEqual(['unchanged']);
      expect(await rate(id, 'yes' as never, 'ana')).toMatchObject({ status: 400 });
      expect(await rate(4711, true, 'ana')).toMatchObject({
        status: 404,
        body: { detail: /there is no incident INC-4711/ },
      });
    });

    it('withdraws an earned permission: twenty healed, less one, are not twenty', async () => {
      const done = await heal('racing');
      const id = Number(done.id.slice(4));
      expect(decided(done)).toMatchObject({ decision: 'allow' });
      // Both at once are both counted, whoever comes first.
      await Promise.all([rate(id, false, 'ana'), rate(id, false, 'ben')]);
      expect(await effects(id)).toEqual(['unchanged']);
      if (nightshift.databaseUrl !== null) {
        const db = await openPostgres(nightshift.databaseUrl);
        const past = db.q.selectFrom('past_incident').select('rating').where('incident_id', '=', id);
        expect(await past.execute()).toEqual([{ rating: -2 }]);
        await db.close();
      }
      const next = await open(illness('racing').alert);
      expect(spoke(await nightshift.until(next, 'awaiting_approval'))).toEqual(['nothing-allows']);
      await nightshift.api(`/incidents/${next}/words`, { word: 'stop' });
    });

    it('is about the time before, while an incident is open again', async () => {
      const done = await heal('again', { tier: 'free', story: 'again' });
      const id = Number(done.id.slice(4));
      const back = illness('again', { tier: 'none', story: 'again' });
      expect(await open(back.alert)).toBe(id);
      await nightshift.until(id, 'awaiting_approval');
      await rate(id, false, 'ana');
      expect(await effects(id)).toEqual(['unchanged', null]);
      const rated = (await nightshift.incident(id)).events.find(({ type }) => type === 'person.rated');
      expect(rated?.data).toEqual({ helpful: false, cycle: 1 });
      await nightshift.api(`/incidents/${id}/words`, { word: 'stop' });
    });
  });
});
