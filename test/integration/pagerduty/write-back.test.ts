import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Database, json } from '../../../src/database/index.ts';
import {
  addEvents,
  type Context,
  contextSchema,
  eventsAfter,
  loadIncident,
  type State,
} from '../../../src/incident/index.ts';
import { createWriteBack, type WriteBack } from '../../../src/pagerduty/index.ts';
import { claimCall, connectSources, endCall, wantCalls } from '../../../src/pagerduty/store.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import {
  FROM,
  type PagerDutyCall,
  type PagerDutyDouble,
  type PagerDutyIncident,
  startPagerDuty,
  TOKEN,
} from '../support/pagerduty.ts';

const SUBJECT = 'PT4KHLK';
const DIAGNOSIS: Context['diagnosis'] = {
  mode: 'runbook',
  model: null,
  rootCause: 'A poison job blocks the spool.',
  confidence: 'high',
  inconclusive: false,
  citations: [],
  ruledOut: [],
  unknowns: [],
};

describe.each(anyDatabase)('what is written back to PagerDuty, from $name', ({ open }) => {
  let db: Database;
  let pagerDuty: PagerDutyDouble;
  let theirs: PagerDutyIncident;
  let metrics: ReturnType<typeof createMetrics>;
  let id: number;
  const running: WriteBack[] = [];

  const start = (change: { failpoint?: (name: string) => void; token?: string } = {}) => {
    const { token = TOKEN, failpoint = () => {} } = change;
    const writeBack = createWriteBack({
      db,
      accounts: [{ source: 'pd', token, from: FROM, url: pagerDuty.url }],
      installation: '11111111-2222-3333-4444-555555555555',
      publicUrl: 'https://nightshift.example',
      log: createLogger('silent'),
      metrics,
      failpoint,
    });
    running.push(writeBack);
    writeBack.start();
    return writeBack;
  };
  const stopAll = () => Promise.all(running.splice(0).map((writeBack) => writeBack.stop()));
  const rows = () =>
    db.q.selectFrom('pagerduty_call').selectAll().where('incident_id', '=', id).orderBy('id').execute();
  const event = (type: string, data: Record<string, unknown> = {}) =>
    addEvents(db, id, [{ type, actor: 'nightshift', data }]);
  const move = async (state: State, context: Partial<Context> = {}) => {
    const now = await loadIncident(db, id);
    const next = contextSchema.parse({ ...now.context, ...context });
    await db.q
      .updateTable('incident')
      .set({
        state,
        version: now.version + 1,
        context: json(next),
        closed_at: state === 'resolved' || state === 'stopped' ? new Date() : null,
      })
      .where('id', '=', id)
      .execute();
  };
  const triage = async (mode: string) => {
    await event('triage.done', { mode });
    await move('triaged');
  };
  const diagnose = () => move('diagnosed', { diagnosis: DIAGNOSIS });
  const escalateIncident = async (reason = 'the last remedy made it worse') => {
    await event('incident.escalated', { reason });
    await move('escalated', { escalation: { reason, at: new Date().toISOString() } });
  };
  /** Waits until the calls of these kinds have ended, and gives them all. */
  const ended = (...kinds: string[]) =>
    eventually(`the end of ${kinds.join(', ')}`, async () => {
      const all = await rows();
      const there = kinds.every((kind) => all.some((row) => row.kind === kind));
      return there && all.every(({ outcome }) => outcome !== null) ? all : undefined;
    });
  const types = async () => (await eventsAfter(db, id, 0, 1000)).map(({ type }) => type);
  const dueNow = () =>
    db.q
      .updateTable('pagerduty_call')
      .set({ due_at: new Date(0), claimed_until: null })
      .where('outcome', 'is', null)
      .execute();
  const fateOnce = (of: (call: PagerDutyCall) => boolean, fate: ReturnType<PagerDutyDouble['fate']>) => {
    let met = false;
    pagerDuty.fate = (call) => {
      if (met || !of(call)) return 'pass';
      met = true;
      return fate;
    };
  };
  const isNote = ({ method }: PagerDutyCall) => method === 'POST';
  const isEscalation = ({ method, body }: PagerDutyCall) => method === 'PUT' && JSON.stringify(body).includes('level');

  beforeAll(async () => {
    db = await open();
  });
  afterAll(async () => {
    await db?.close();
  });
  beforeEach(async () => {
    pagerDuty = await startPagerDuty();
    theirs = pagerDuty.open(SUBJECT);
    metrics = createMetrics();
    const opened = await db.q
      .insertInto('incident')
      .values({
        state: 'received',
        correlation_key: `key-${performance.now()}`,
        title: 'SpoolStuck (shop)',
        severity: 'critical',
        labels: json({ alertname: 'SpoolStuck' }),
        trace_id: 'trace',
        context: json({ v: 1 }),
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    id = opened.id;
    await db.q
      .insertInto('alert')
      .values({
        incident_id: id,
        cycle: 1,
        source: 'pd',
        fingerprint: SUBJECT,
        status: 'firing',
        labels: json({}),
        annotations: json({}),
        starts_at: new Date(),
      })
      .execute();
  });
  afterEach(async () => {
    await stopAll();
    await pagerDuty.stop();
    for (const table of ['pagerduty_call', 'pagerduty_projection', 'pagerduty_source', 'outbox', 'alert'] as const)
      await db.q.deleteFrom(table).execute();
    await db.q.updateTable('incident').set({ state: 'stopped', closed_at: new Date() }).execute();
  });

  it('is acknowledged, noted with a link, and resolved, each once', async () => {
    start();
    await triage('auto');
    await ended('acknowledge');
    expect(theirs.status).toBe('acknowledged');
    await diagnose();
    await ended('note');
    expect(theirs.notes).toHaveLength(1);
    expect(theirs.notes[0]).toContain('A poison job blocks the spool.');
    expect(theirs.notes[0]).toContain(`https://nightshift.example/api/v1/incidents/INC-${id}`);
    await event('incident.resolved', { attempts: 1 });
    await move('resolved');
    await ended('resolve');
    expect(theirs.status).toBe('resolved');
    expect(pagerDuty.writes()).toHaveLength(3);
    expect(pagerDuty.refusals).toEqual([]);
    expect(await types()).toEqual(expect.arrayContaining(['pagerduty.acknowledged', 'pagerduty.resolved']));
    expect(pagerDuty.pages).toEqual([]);
  });

  it('is not touched while it was only received, and only noted in the mode observe', async () => {
    start();
    await event('something');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(pagerDuty.calls).toEqual([]);
    await triage('observe');
    await diagnose();
    await escalateIncident('the mode is observe');
    const all = await ended('note');
    await eventually('both notes', async () => (theirs.notes.length === 2 ? true : undefined));
    expect(all.every(({ kind }) => kind === 'note')).toBe(true);
    expect(theirs).toMatchObject({ status: 'triggered', assignees: ['PANNA1'] });
  });

  it('is escalated to the next level with the reason, which takes the acknowledgement away', async () => {
    start();
    await triage('auto');
    await ended('acknowledge');
    await escalateIncident();
    await ended('escalate', 'note');
    expect(theirs).toMatchObject({ status: 'triggered', assignees: ['PBERT2'] });
    expect(theirs.notes[0]).toContain('the last remedy made it worse');
    expect(pagerDuty.pages).toEqual(['PBERT2']);
    expect(pagerDuty.writes('PUT').at(-1)?.body).toEqual({
      incident: { type: 'incident_reference', escalation_level: 2 },
    });
  });

  it('is escalated to the same people again where there is nobody higher', async () => {
    pagerDuty.levels = [['PANNA1'], ['PANNA1']];
    start();
    await triage('auto');
    await ended('acknowledge');
    await escalateIncident();
    await ended('escalate');
    expect(pagerDuty.pages).toEqual(['PANNA1']);
    expect(theirs.status).toBe('triggered');
  });

  it('never silences an escalation by an acknowledgement that comes late', async () => {
    pagerDuty.fate = ({ method, body }) =>
      method === 'PUT' && JSON.stringify(body).includes('acknowledged') ? { status: 503 } : 'pass';
    start();
    await triage('auto');
    await eventually('the try', async () => (pagerDuty.writes().length > 0 ? true : undefined));
    pagerDuty.fate = () => 'pass';
    await escalateIncident();
    await ended('escalate');
    await dueNow();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(theirs.status).toBe('triggered');
    expect((await rows()).find(({ kind }) => kind === 'acknowledge')?.outcome).toBe('unneeded');
  });

  it('says nothing of an end that PagerDuty itself reported, nor of one that it knows', async () => {
    start();
    await triage('auto');
    await ended('acknowledge');
    theirs.status = 'resolved';
    await db.q.updateTable('alert').set({ status: 'resolved' }).where('incident_id', '=', id).execute();
    await event('incident.resolved');
    await move('resolved');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect((await rows()).map(({ kind }) => kind)).toEqual(['acknowledge']);
    await db.q.updateTable('alert').set({ status: 'firing' }).where('incident_id', '=', id).execute();
    await event('something');
    expect((await ended('resolve')).at(-1)?.outcome).toBe('found');
    expect(pagerDuty.writes('PUT')).toHaveLength(1);
    expect(pagerDuty.refusals).toEqual([]);
  });

  it('leaves alone what was over before the account was connected, and what came from elsewhere', async () => {
    await event('triage.done', { mode: 'auto' });
    await event('incident.resolved');
    await move('resolved');
    await db.q
      .updateTable('incident')
      .set({ closed_at: new Date(Date.now() - 3_600_000) })
      .where('id', '=', id)
      .execute();
    start();
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await rows()).toEqual([]);
    await db.q.updateTable('alert').set({ source: 'alertmanager' }).execute();
    await move('triaged');
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(await rows()).toEqual([]);
  });

  it.each(['write-back.before-send', 'write-back.after-send'])('has one note when killed at %s', async (point) => {
    await triage('observe');
    await diagnose();
    let died = false;
    const dying = start({
      failpoint: (name) => {
        if (name !== point || died) return;
        died = true;
        throw new Error('killed');
      },
    });
    await eventually('the death', async () => (died ? true : undefined));
    await dying.stop();
    const [row] = await rows();
    expect(row).toMatchObject({ kind: 'note', outcome: null, sending_since: expect.any(Date) });
    expect(row?.claimed_until?.getTime()).toBeGreaterThan(Date.now());
    await dueNow();
    start();
    const [after] = await ended('note');
    expect(after?.outcome).toBe(point === 'write-back.after-send' ? 'found' : 'done');
    expect(theirs.notes).toHaveLength(1);
  });

  it('has one note when an answer was lost, and one level when that of an escalation was', async () => {
    fateOnce(isNote, 'lose the answer');
    start();
    await triage('auto');
    await diagnose();
    await eventually('doubt', async () => (await rows()).find((row) => row.kind === 'note' && row.last_error !== null));
    await dueNow();
    await ended('note', 'acknowledge');
    expect(theirs.notes).toHaveLength(1);

    fateOnce(isEscalation, 'lose the answer');
    await escalateIncident();
    await eventually('doubt', async () =>
      (await rows()).find((row) => row.kind === 'escalate' && row.last_error !== null),
    );
    await dueNow();
    const all = await ended('escalate');
    expect(all.find(({ kind }) => kind === 'escalate')).toMatchObject({ outcome: 'found', from_level: 1, to_level: 2 });
    expect(pagerDuty.pages).toEqual(['PBERT2']);
  });

  it('goes no level higher when an escalation was lost on its way', async () => {
    fateOnce(isEscalation, { status: 503 });
    start();
    await triage('auto');
    await ended('acknowledge');
    await escalateIncident();
    await eventually('the failure', async () =>
      (await rows()).find(({ kind, last_error }) => kind === 'escalate' && last_error),
    );
    await dueNow();
    await ended('escalate');
    expect(pagerDuty.pages).toEqual(['PBERT2']);
  });

  it('pauses as long as PagerDuty asks after 429', async () => {
    const at: number[] = [];
    pagerDuty.fate = () => {
      at.push(Date.now());
      return at.length === 1 ? { status: 429, headers: { 'ratelimit-reset': '3' } } : 'pass';
    };
    start();
    await triage('auto');
    await diagnose();
    const all = await ended('acknowledge', 'note');
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(2900);
    // The pause is the account's: the other call waited as well, and was not tried in vain.
    expect(all.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
  });

  it('says once what PagerDuty refuses, asks no more, and calls people another way', async () => {
    start({ token: 'y_WRONG' });
    await triage('auto');
    await ended('acknowledge');
    await escalateIncident();
    const all = await ended('escalate', 'note');
    expect(all.map(({ outcome, attempts }) => [outcome, attempts])).toEqual(all.map(() => ['refused', 1]));
    const before = pagerDuty.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 2500));
    expect(pagerDuty.calls).toHaveLength(before);
    expect((await types()).filter((type) => type === 'pagerduty.refused')).toHaveLength(3);
    const told = await db.q.selectFrom('outbox').selectAll().where('incident_id', '=', id).execute();
    expect(told).toMatchObject([{ kind: 'unpaged', message: { text: expect.stringContaining('401') } }]);
    expect(await metrics.registry.metrics()).toContain(
      'nightshift_pagerduty_calls_total{kind="escalate",outcome="refused"} 1',
    );
  });

  it('gives up after a day, and says so', async () => {
    pagerDuty.fate = () => ({ status: 503 });
    start();
    await triage('auto');
    await eventually('a try', async () => ((await rows())[0]?.last_error ? true : undefined));
    await db.q
      .updateTable('pagerduty_call')
      .set({ created_at: new Date(Date.now() - 25 * 3_600_000) })
      .execute();
    await dueNow();
    expect((await ended('acknowledge'))[0]?.outcome).toBe('refused');
  });

  it('is claimed by one at a time, and of one incident only one call', async () => {
    const names = [0, 1, 2].map((index) => `PCLAIM${index}`);
    await connectSources(db, ['pd']);
    for (const subject of names) {
      const calls = ['a', 'b'].map((purpose) => ({ kind: 'note' as const, purpose, words: 'words' }));
      await wantCalls(db, { incidentId: id, source: 'pd', subject }, calls);
    }
    const claim = async () =>
      (await Promise.all(Array.from({ length: 12 }, () => claimCall(db, 'pd')))).filter((one) => one !== null);
    const first = await claim();
    expect(first.map(({ subject }) => subject).sort()).toEqual(names);
    for (const one of first) await endCall(db, one, { outcome: 'done' });
    const second = await claim();
    expect(second.map(({ subject }) => subject).sort()).toEqual(names);
    expect(new Set([...first, ...second].map((one) => one.id)).size).toBe(6);
  });

  it('is written once by two replicas', async () => {
    start();
    start();
    await triage('auto');
    await diagnose();
    await ended('acknowledge', 'note');
    await event('incident.resolved');
    await move('resolved');
    await ended('resolve');
    expect(pagerDuty.writes()).toHaveLength(3);
  });
});
