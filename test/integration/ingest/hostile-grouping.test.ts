/** Whoever holds a webhook credential, or sends what senders do not send, must not make other alerts disappear. */
import { sql } from 'kysely';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { parseMatcherList } from '../../../src/alert/index.ts';
import type { Database } from '../../../src/database/index.ts';
import {
  addMaintenance,
  childrenOf,
  heldBy,
  listMaintenance,
  loadIncident,
  lockOpenings,
  moveIncident,
  unfoldAll,
} from '../../../src/incident/index.ts';
import type { ReadAlert } from '../../../src/ingest/delivery.ts';
import { anyDatabase } from '../../real-parts/databases.ts';
import { deliveryOf, servicesOf, testIntake } from '../support/intake.ts';

const STORM = { incidents: 5, withinSeconds: 60 };
const SERVICES = servicesOf('services:\n  - {name: web, depends_on: [db]}\n  - {name: db}\n');
let serial = 0;
const alertOf = (labels: Record<string, string>, change: Partial<ReadAlert> = {}) => {
  serial += 1;
  return {
    fingerprint: `a${serial}`,
    labels: { alertname: `x${serial}`, ...labels },
    startsAt: new Date(),
    ...change,
  } as never;
};

describe.each(anyDatabase)('on $name', ({ open }) => {
  let db: Database | undefined;
  beforeEach(async () => {
    await db?.close();
    db = await open();
  });
  afterAll(() => db?.close());
  const at = () => db as Database;
  const intake = (change: Parameters<typeof testIntake>[1] = {}) =>
    testIntake(at(), { services: SERVICES, correlation: { storm: STORM }, ...change });
  const stateTo = async (id: number, state: 'escalated' | 'resolved' | 'received', context = {}) => {
    const incident = await loadIncident(at(), id);
    await moveIncident(at(), incident, {
      state,
      context: { ...incident.context, ...context },
      provided: sql`true`,
      unlessWoken: false,
      events: [],
      messages: [],
      heard: [],
      leaves: false,
    });
  };
  const parentOf = async (id: number) => (await loadIncident(at(), id)).parentId;

  it('nothing waits for what a silence holds', async () => {
    const { opened } = await intake().accept(deliveryOf([alertOf({ service: 'db' })]));
    await stateTo(opened[0] as number, 'received', { held: 'a silence' });
    const web = await intake().accept(deliveryOf([alertOf({ service: 'web' })]));
    expect(await parentOf(web.opened[0] as number)).toBeNull();
  });

  it('a start from long ago makes nothing the cause of a storm', async () => {
    const first = await intake().accept(deliveryOf([alertOf({})]));
    await sql`update incident set opened_at = opened_at - interval '20 seconds', started_at = started_at - interval '601 seconds'`.execute(
      at().q,
    );
    const fakes = [
      alertOf({}, { startsAt: new Date('1970-01-02T00:00:00Z') }),
      ...Array.from({ length: 4 }, () => alertOf({})),
    ];
    await intake().accept(deliveryOf(fakes));
    expect(await childrenOf(at(), first.opened[0] as number)).toHaveLength(5);
  });

  it('whoever has an incident is told what is folded under it', async () => {
    const { opened } = await intake().accept(deliveryOf([alertOf({ service: 'db' })]));
    const [cause] = opened as [number];
    await stateTo(cause, 'escalated');
    await intake().accept(deliveryOf([alertOf({ service: 'web', severity: 'critical', alertname: 'CheckoutDown' })]));
    const told = await at().q.selectFrom('outbox').select(['incident_id', 'message']).execute();
    expect(told).toMatchObject([
      { incident_id: cause, message: { text: expect.stringContaining('CheckoutDown (web) (critical)') } },
    ]);
  });

  it('folds nothing that has come to where people or tools are at it meanwhile, nor what was sent something', async () => {
    const { opened } = await intake().accept(deliveryOf([alertOf({ service: 'web' })]));
    const [web] = opened as [number];
    await sql`insert into action (id, incident_id, cycle, attempt, ordinal, instance, tool, arguments, target, risk, fingerprint, origin,
      reason, expected_effect, undo, labels, definition_sha256, status)
      values ('act-1', ${web}, 1, 1, 1, 'i', 't.t', '{}', 'x', 'safe', 'f', 'o', 'r', 'e', 'u', '{}', 'd', 'succeeded')`.execute(
      at().q,
    );
    await sql`insert into intent (action_id, target) values ('act-1', 'x')`.execute(at().q);
    await intake().accept(deliveryOf([alertOf({ service: 'db' })]));
    expect(await parentOf(web)).toBeNull();
  });

  it('a child that fires again after its parent is over stands by itself, and hears that it was let go', async () => {
    const { opened } = await intake().accept(deliveryOf([alertOf({ service: 'db' }), alertOf({ service: 'web' })]));
    const [cause, child] = opened.toSorted((a, b) => a - b) as [number, number];
    expect(await parentOf(child)).toBe(cause);
    const before = (await loadIncident(at(), child)).wakeSeq;
    await at().transaction(async () => {
      await lockOpenings(at());
      await stateTo(cause, 'resolved');
      expect(await unfoldAll(at(), cause, 'resolved', STORM)).toEqual([child]);
    });
    expect(await loadIncident(at(), child)).toMatchObject({ parentId: null, wakeSeq: before + 1 });
    await sql`update incident set parent_id = ${cause}, state = 'resolved', closed_at = clock_timestamp() where id = ${child}`.execute(
      at().q,
    );
    await stateTo(child, 'received');
    expect(await parentOf(child)).toBeNull();
  });

  it('a storm whose cause is over goes on under another of its own', async () => {
    const { opened } = await intake().accept(deliveryOf(Array.from({ length: 8 }, () => alertOf({}))));
    const [cause, next, ...others] = opened.toSorted((a, b) => a - b) as [number, number, ...number[]];
    await at().transaction(async () => {
      await stateTo(cause, 'resolved');
      expect(await unfoldAll(at(), cause, 'resolved', STORM)).toEqual([next]);
    });
    expect(await childrenOf(at(), next)).toEqual(others);
  });

  it('a silence that cannot be read leaves the others, and fits only what its own Alertmanager sent', async () => {
    const now = new Date();
    const one = { reason: 'r', madeBy: 'ada', startsAt: new Date(0), endsAt: new Date(now.getTime() + 60_000) };
    const [matcher] = parseMatcherList(['service="db"']);
    const odd = { label: 'a', operator: '=~' as const, value: '(?<=b)c' };
    for (const origin of ['am-a', 'am-b'])
      await addMaintenance(at(), { ...one, id: 's1', origin, matchers: [matcher as never] });
    await addMaintenance(at(), { ...one, id: 's2', origin: 'am-a', matchers: [odd] });
    await addMaintenance(at(), {
      ...one,
      id: 's3',
      origin: 'am-c',
      matchers: [{ label: 'service.name', operator: '=', value: 'x' }],
    });
    const all = await listMaintenance(at());
    expect(all.map(({ id, origin }) => `${origin} ${id}`).sort()).toEqual(['am-a s1', 'am-b s1', 'am-c s3']);
    const labels = { service: 'db' };
    expect(heldBy([{ source: 'am-a', labels }], all, now)?.because).toContain('am-a');
    expect(heldBy([{ source: 'other', labels }], all, now)).toBeNull();
    expect(
      heldBy(
        [
          { source: 'am-a', labels },
          { source: 'other', labels },
        ],
        all,
        now,
      ),
    ).toBeNull();
  });

  it('a pattern takes time that grows with the text only', () => {
    const [slow] = parseMatcherList(['a=~"(a+)+"']);
    const begun = performance.now();
    expect(slow?.regex?.matches(`${'a'.repeat(1000)}b`)).toBe(false);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it('ends find their beginnings where the sender gives no start, however close they come', async () => {
    const all = intake();
    const say = (status: 'firing' | 'resolved') =>
      all.accept(
        deliveryOf([{ fingerprint: 'same', labels: { alertname: 'NoStart' }, startsAt: null, status } as never]),
      );
    const answers = await Promise.all([say('firing'), say('resolved'), say('firing'), say('resolved')]);
    expect(answers.map(({ touched }) => touched.length)).toEqual([1, 1, 1, 1]);
    const rows = await at().q.selectFrom('alert').select('status').execute();
    expect(rows.map(({ status }) => status)).not.toContain('firing');
  });

  it('an event from long ago makes no alert young', async () => {
    const occurredAt = new Date(Date.now() - 60 * 3_600_000);
    const known = alertOf({});
    for (let count = 0; count < 2; count += 1) await intake().accept(deliveryOf([known], { occurredAt }));
    const row = await at().q.selectFrom('alert').select('last_seen_at').executeTakeFirstOrThrow();
    expect(row.last_seen_at).toEqual(occurredAt);
  });

  it('the watchdog is heard from its own source only, and not from long ago', async () => {
    const watchdog = { matchers: parseMatcherList(['alertname="Watchdog"']), source: 'am' };
    const dog = (source: string) => alertOf({ alertname: 'Watchdog' }, { source });
    const seen = () => at().q.selectFrom('heartbeat').select('name').execute();
    await intake({ watchdog }).accept(deliveryOf([dog('am')], { occurredAt: new Date(Date.now() - 3_600_000) }));
    await intake({ watchdog }).accept(deliveryOf([dog('other')]));
    expect(await seen()).toEqual([]);
    await intake({ watchdog }).accept(deliveryOf([dog('am')]));
    expect(await seen()).toHaveLength(1);
  });

  it('one event of a sender counts once, also in one batch', async () => {
    const all = intake();
    const send = () => all.accept(deliveryOf([alertOf({})], { eventId: 'e1' }));
    const answers = [...(await Promise.all([send(), send()])), await send()];
    expect(answers.flatMap(({ opened }) => opened)).toHaveLength(1);
    expect(await at().q.selectFrom('incident').select('id').execute()).toHaveLength(1);
  });
});
