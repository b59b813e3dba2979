/** The figures over days: each as docs/insights.md defines it, of timelines that are known to the second, and of incidents that really happened. */

import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insights as insightsShape } from '../../../src/api/answers/figures.ts';
import type { Database } from '../../../src/database/index.ts';
import { eventsAfter, loadIncident, type State } from '../../../src/incident/index.ts';
import { courseOf, insightsOf } from '../../../src/insights/index.ts';
import { databases } from '../../real-parts/databases.ts';
import { asOwner } from '../retention/old-audit.ts';
import { STORY_MS, type Story, tellStory } from '../support/story.ts';

type Line = readonly [seconds: number, type: string, more?: { actor?: string; data?: object }];
const FIRED: Line = [0, 'alert.firing', { actor: 'alertmanager' }];
const APPROVED = { data: { approval: 'abc' } };

describe.each(databases)('figures of known timelines on $name', ({ open }) => {
  let db: Database;
  const ids: Record<string, number> = {};
  const now = Date.now();
  const text = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''")}'`;

  /** Writes an incident that began so many days ago, with its timeline in seconds since then. */
  async function happened(
    name: string,
    lines: readonly Line[],
    {
      state = 'resolved',
      days = 1,
      alertname = 'Down',
      service = 'shop',
      under,
      key,
    }: { state?: State; days?: number; alertname?: string; service?: string; under?: string; key?: string } = {},
  ): Promise<void> {
    const began = now - days * 86_400_000;
    const at = (seconds: number) => `'${new Date(began + seconds * 1000).toISOString()}'`;
    const end = lines.at(-1)?.[0] ?? 0;
    await asOwner(
      db,
      `insert into incident (state, correlation_key, title, severity, labels, trace_id, context, opened_at, updated_at, closed_at, parent_id)
        values ('${state}', '${key ?? name}', '${name}', 'critical', ${text({ alertname, service })}, 't', '{"v":1}', ${at(0)}, ${at(end)},
          ${state === 'resolved' || state === 'stopped' ? at(end) : 'null'}, ${under === undefined ? 'null' : ids[under]})`,
    );
    const { rows } = await sql<{ id: number }>`select max(id) as id from incident`.execute(db.q);
    ids[name] = Number(rows[0]?.id);
    for (const [seconds, type, { actor = 'nightshift', data = {} } = {}] of lines)
      await asOwner(
        db,
        `insert into event (incident_id, at, type, actor, data) values (${ids[name]}, ${at(seconds)}, '${type}', '${actor}', ${text(data)})`,
      );
  }

  beforeAll(async () => {
    db = await open();
    await happened('healed alone', [FIRED, [2, 'action.started'], [3, 'action.succeeded'], [10, 'incident.resolved']]);
    await happened('healed after a yes', [
      FIRED,
      [4, 'approval.requested'],
      [64, 'action.started', APPROVED],
      [65, 'action.succeeded'],
      [70, 'incident.resolved'],
    ]);
    await happened('after a first try in vain, by people', [
      FIRED,
      [2, 'action.started'],
      [3, 'action.succeeded'],
      [20, 'incident.escalated'],
      [620, 'incident.resolved'],
    ]);
    await happened('by the word of a person', [
      FIRED,
      [6, 'approval.requested'],
      [100, 'incident.resolved', { actor: 'ada' }],
    ]);
    await happened('handed over, asked again, healed', [
      FIRED,
      [8, 'incident.escalated'],
      [50, 'approval.requested'],
      [60, 'action.started', APPROVED],
      [61, 'action.succeeded'],
      [80, 'incident.resolved'],
    ]);
    await happened(
      'ended by itself',
      [FIRED, [30, 'alert.resolved', { actor: 'alertmanager' }], [31, 'incident.resolved']],
      { alertname: 'Blip', service: 'web' },
    );
    await happened('with a person', [FIRED, [12, 'incident.escalated']], { state: 'escalated' });
    await happened('stopped', [FIRED, [14, 'approval.requested'], [200, 'incident.stopped']], { state: 'stopped' });
    await happened('open', [FIRED], { state: 'diagnosed', alertname: 'Blip', service: 'web' });
    // It was healed, fired again an hour later, and a person has it now.
    await happened(
      'twice',
      [
        FIRED,
        [1, 'action.started'],
        [2, 'action.succeeded'],
        [5, 'incident.resolved'],
        [6, 'incident.remembered'],
        [3600, 'alert.firing', { actor: 'alertmanager' }],
        [3601, 'incident.reopened'],
        [3602, 'incident.flapping'],
        [3610, 'incident.escalated'],
      ],
      { state: 'escalated', days: 4 },
    );
    // None of these counts as an occurrence.
    await happened('folded', [FIRED, [40, 'incident.resolved']], { under: 'healed alone' });
    await happened('by hand', [FIRED, [1, 'action.started'], [2, 'incident.resolved']], { key: 'manual-abc' });
    await happened('long ago', [FIRED, [5, 'incident.resolved']], { days: 40 });
    // Old, and fired again in these days: only the second time counts.
    await happened(
      'old and again',
      [
        FIRED,
        [5, 'incident.resolved'],
        [38 * 86_400, 'alert.firing', { actor: 'alertmanager' }],
        [38 * 86_400 + 7, 'incident.resolved'],
      ],
      { days: 40, alertname: 'Old' },
    );
  });
  afterAll(() => db?.close());

  it('sorts what happened by how it ended, one for each time that it fired', async () => {
    const { incidents, outcomes } = await insightsOf(db, 30);
    expect(outcomes).toEqual({
      healedAlone: 2, // "healed alone", and the first time of "twice"
      healedAfterApproval: 2,
      healedByPeople: 2,
      resolvedByItself: 2, // "ended by itself", "old and again"
      escalated: 2,
      stopped: 1,
      open: 1,
    });
    expect(incidents).toBe(12);
  });

  it('says of each incident what its own course says', async () => {
    const counted: Record<string, number> = {};
    for (const [name, id] of Object.entries(ids)) {
      if (['folded', 'by hand', 'long ago'].includes(name)) continue;
      const { outcome } = courseOf((await loadIncident(db, id)).state, await eventsAfter(db, id, 0, 100));
      counted[outcome] = (counted[outcome] ?? 0) + 1;
    }
    const { outcomes } = await insightsOf(db, 30);
    // The course is of the last time only, so the first time of "twice" is not in it.
    expect({ ...counted, healedAlone: (counted.healedAlone ?? 0) + 1 }).toEqual(outcomes);
  });

  it('measures from the first alert until somebody acted, and until the end', async () => {
    const { mtta, mttr } = await insightsOf(db, 30);
    const acted = [2, 4, 2, 6, 8, 12, 14, 1, 10].sort((a, b) => a - b);
    const ended = [10, 70, 620, 100, 80, 31, 5, 7].sort((a, b) => a - b);
    expect(mtta.p50).toBeCloseTo(percentile(acted, 0.5), 2);
    expect(mtta.p95).toBeCloseTo(percentile(acted, 0.95), 2);
    expect(mttr.p50).toBeCloseTo(percentile(ended, 0.5), 2);
    expect(mttr.p95).toBeCloseTo(percentile(ended, 0.95), 2);
  });

  it('gives the same by alert and service, the most frequent first', async () => {
    const { byAlert } = await insightsOf(db, 30);
    expect(byAlert.map(({ alertname, service, incidents }) => ({ alertname, service, incidents }))).toEqual([
      { alertname: 'Down', service: 'shop', incidents: 9 },
      { alertname: 'Blip', service: 'web', incidents: 2 },
      { alertname: 'Old', service: 'shop', incidents: 1 },
    ]);
    expect(byAlert[1]).toMatchObject({ resolvedByItself: 1, open: 1, healedAlone: 0, mttaP50: null, mttrP50: 31 });
    expect(byAlert[0]?.mttaP50).toBeCloseTo(percentile([1, 2, 2, 4, 6, 8, 10, 12, 14], 0.5), 2);
  });

  it('gives a line for each day of UTC, also those on which nothing happened', async () => {
    const { trend, from, to } = await insightsOf(db, 7);
    const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
    expect(trend[0]?.day).toBe(day(from.getTime()));
    expect(trend.at(-1)?.day).toBe(day(to.getTime()));
    expect(trend.length).toBe(8);
    expect(trend.reduce((sum, { incidents }) => sum + incidents, 0)).toBe(12);
    expect(trend.find((one) => one.day === day(now - 86_400_000))).toMatchObject({
      incidents: 9,
      healed: 3,
      escalated: 3,
    });
    expect(trend.find((one) => one.day === day(now - 2 * 86_400_000))).toMatchObject({
      incidents: 1,
      healed: 0,
      escalated: 0,
      mttrP50: 7,
      usd: 0,
    });
    expect(trend.find((one) => one.day === day(now - 5 * 86_400_000))).toMatchObject({ incidents: 0, mttrP50: null });
  });

  it('counts costs, answers and noise', async () => {
    const { alone = 0, twice = 0 } = { alone: ids['healed alone'], twice: ids.twice };
    const call = (model: string, cost: string, incident: number | string, days = 1) =>
      `insert into model_call (at, incident_id, role, model, prompts, prompt_sha256, question_sha256, outcome, input_tokens, output_tokens, cost_usd, latency_ms, request)
        values (now() - interval '${days} days', ${incident}, 'diagnose', '${model}', '[]', '', '', 'ok', 1000, 200, ${cost}, 5, '{}')`;
    await asOwner(
      db,
      call('large', '0.5', alone),
      call('large', '0.25', alone),
      call('unknown', 'null', alone),
      call('small', '0.12', 'null'),
      call('large', '1.5', twice),
      call('large', '9', alone, 31),
      `insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin, reason, expected_effect, undo, labels, definition_sha256, status)
        values ('act-1', ${alone}, 1, 1, 1, 'i', 't', '{}', 'x', 'safe', 'f', 'o', 'r', 'e', 'u', '{}', '', 'succeeded')`,
      ...[
        [10, 'approved', 1],
        [30, 'denied', 1],
        [100, 'approved', 4],
        [900, 'expired', 1],
      ].map(
        ([seconds, status, days], n) =>
          `insert into approval (id, incident_id, action_id, digest, subject, required, status, expires_at, created_at, decided_at)
            values ('a${n}', ${alone}, 'act-1', '', '{}', 1, '${status}', now(), now() - interval '${days} days', now() - interval '${days} days' + interval '${seconds} s')`,
      ),
      `insert into delivery (source, sender, body_sha256, alerts, problems) values ('am', 's', '', 20, '[]'), ('am', 's', '', 5, '[]')`,
    );
    const { cost, approvalLatency, noise, trend } = await insightsOf(db, 30);
    expect(cost.totalUsd).toBeCloseTo(2.37);
    expect(cost.perIncidentUsd).toBeCloseTo(2.25 / 12);
    expect(cost.byModel).toEqual([
      { model: 'large', calls: 3, usd: 2.25, tokens: 3600 },
      { model: 'small', calls: 1, usd: 0.12, tokens: 1200 },
      { model: 'unknown', calls: 1, usd: null, tokens: 1200 },
    ]);
    expect(cost.byIncident).toEqual([
      { incident: `INC-${twice}`, title: 'twice', calls: 1, usd: 1.5, tokens: 1200 },
      { incident: `INC-${alone}`, title: 'healed alone', calls: 3, usd: 0.75, tokens: 3600 },
    ]);
    expect(trend.reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo(2.37);
    // The day on which people were asked, and that on which alerts were delivered.
    const day = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10);
    const of = (date: string) => trend.find((one) => one.day === date);
    expect(of(day(1))).toMatchObject({ approvalP50: 20, alerts: 0, repeated: 0 });
    expect(of(day(0))).toMatchObject({ approvalP50: null, alerts: 25, repeated: 25 });
    expect(of(day(4))).toMatchObject({ approvalP50: 100 });
    expect(approvalLatency).toMatchObject({ count: 3, p50: 30 });
    expect(approvalLatency.p95).toBeCloseTo(93);
    // 15 news: what fired in these days, the folded one and the one by hand too, and one that resolved.
    expect(noise).toEqual({
      deliveries: 2,
      alerts: 25,
      repeated: 25 - 15,
      incidents: 11,
      folded: 1,
      shed: 0,
      flapping: 1,
    });
  });

  it('has nothing to say where nothing happened', async () => {
    await asOwner(
      db,
      'delete from event',
      'delete from approval',
      'delete from action',
      'delete from incident',
      'delete from model_call',
      'delete from delivery',
    );
    const nothing = await insightsOf(db, 1);
    expect(nothing).toMatchObject({
      incidents: 0,
      mtta: { p50: null, p95: null },
      mttr: { p50: null, p95: null },
      byAlert: [],
      approvalLatency: { p50: null, p95: null, count: 0 },
      cost: { totalUsd: 0, perIncidentUsd: null, byModel: [], byIncident: [] },
      noise: { deliveries: 0, alerts: 0, repeated: 0 },
    });
    expect(nothing.trend).toHaveLength(2);
  });
});

describe.each(databases.slice(-1))('figures over the API on $name', ({ name: database }) => {
  let story: Story;
  beforeAll(async () => {
    story = await tellStory({ database });
  }, STORY_MS);
  afterAll(() => story?.stop());

  it('are those of what happened', async () => {
    const { status, body } = await story.nightshift.api('/insights?days=1');
    expect(status).toBe(200);
    const insights = insightsShape.parse(body);
    expect(insights).toMatchObject({
      incidents: 3,
      outcomes: {
        healedAlone: 1,
        healedAfterApproval: 1,
        healedByPeople: 0,
        resolvedByItself: 0,
        escalated: 1,
        stopped: 0,
        open: 0,
      },
      approvalLatency: { count: 1 },
      noise: { deliveries: 5, alerts: 5, repeated: 0, incidents: 3, folded: 0 },
    });
    expect(insights.byAlert.map(({ alertname, service }) => `${alertname} ${service}`)).toEqual([
      'MailQueueStuck mail',
      'PageDown cart',
      'PageDown front',
    ]);
    const whole = await story.nightshift.incident(story.alone);
    const at = (type: string) => Date.parse(whole.events.find((event) => event.type === type)?.at ?? '');
    const own = insights.byAlert.find(({ service }) => service === 'front');
    expect(own?.mttrP50).toBeCloseTo((at('incident.resolved') - at('alert.firing')) / 1000, 2);
    // Whoever sends it again says nothing new.
    const again = story.pageDown('again');
    await story.deliver(again);
    await story.nightshift.deliver([again]);
    expect(insightsShape.parse((await story.nightshift.api('/insights')).body).noise.repeated).toBe(1);
  });

  it.each(['0', '366', 'month', '1.5'])('are of 1 to 365 days, not of %s', async (days) => {
    const { status, body } = await story.nightshift.api(`/insights?days=${days}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({
      problems: [{ field: 'days', value: `"${days}"`, fix: 'write a whole number of days from 1 to 365' }],
    });
  });
});

/** As percentile_cont has it. */
function percentile(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)] as number, sorted[Math.ceil(place)] as number];
  return low + (high - low) * (place - Math.floor(place));
}
