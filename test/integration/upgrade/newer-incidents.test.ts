/** During a rolling deploy this version meets what a newer one has written: it keeps what it does not know, and leaves alone what it may not pass over. */
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { databases } from '../../real-parts/databases.ts';
import { eventually } from '../../real-parts/program.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

interface Row {
  readonly state: string;
  readonly version: number;
  readonly context: Record<string, unknown>;
}

// Only there does a second replica exist, and a second connection to play it.
describe.each(databases.filter(({ name }) => name === 'postgres'))(
  'an incident of a newer version',
  ({ name: database }) => {
    let nightshift: TestNightshift;
    let newer: pg.Client;
    let serial = 0;
    let fired: object;
    let id = 0;

    beforeAll(async () => {
      nightshift = await startNightshift({ database });
      newer = new pg.Client({ connectionString: nightshift.databaseUrl ?? '' });
      await newer.connect();
    });
    afterAll(async () => {
      await newer?.end();
      await nightshift?.stop();
    });
    beforeEach(async () => {
      serial += 1;
      fired = alert({ service: `shop-${serial}` }, { fingerprint: `f${serial}` });
      const { body } = await nightshift.deliver([fired]);
      id = Number(String((body.incidents as string[])[0]).replace('INC-', ''));
      await nightshift.until(id, 'escalated');
    });

    const row = async () =>
      (await newer.query<Row>('select state, version, context from incident where id = $1', [id])).rows[0] as Row;
    const wokenTo = (change: string) => newer.query(`update incident set ${change} where id = ${id}`);
    const resolve = () => nightshift.deliver([{ ...fired, status: 'resolved', endsAt: '2026-11-01T10:05:00Z' }]);
    const seen = () =>
      eventually(
        'it was looked at',
        async () =>
          nightshift
            .log()
            .some(({ incident, message }) => incident === `INC-${id}` && /left to a replica/.test(String(message))) ||
          undefined,
      );

    it.each([
      [
        'another version of the context',
        `context = context || '{"v": 2, "attempt": "third"}'`,
        `context = context || '{"v": 1, "attempt": 0}'`,
      ],
      [
        'another value where only some are known',
        `context = jsonb_set(context, '{diagnosis,mode}', '"oracle"')`,
        `context = jsonb_set(context, '{diagnosis,mode}', '"runbook"')`,
      ],
      ['a state that is not known', `state = 'quarantined'`, `state = 'escalated'`],
    ])('is left as it is with %s, can be looked at, and goes on where it is known', async (_what, change, back) => {
      await wokenTo(change);
      const before = await row();
      await resolve();
      await seen();
      expect(await row()).toEqual(before);
      const { status, body } = await nightshift.api<{ incidents: ShownIncident[] }>('/incidents?limit=500');
      expect(status).toBe(200);
      expect(body.incidents.find((one) => one.id === `INC-${id}`)?.needs).toMatch(/newer version/);
      expect((await nightshift.api('/status')).status).toBe(200);
      expect((await nightshift.api('/incidents', undefined)).status).toBe(200);
      // Longer than until it is offered again.
      await new Promise((done) => setTimeout(done, 4000));
      expect(await row()).toEqual(before);
      expect((await newer.query('select kind from signal where incident_id = $1', [id])).rows).toEqual([
        { kind: 'resolved' },
      ]);
      await wokenTo(back);
      await nightshift.until(id, 'resolved');
    });

    it('keeps what was added beside what is known', async () => {
      const added = { hint: { words: ['keep', 'me'] } };
      await wokenTo(
        `context = jsonb_set(context, '{diagnosis,panel}', '${JSON.stringify(added)}') || '${JSON.stringify(added)}'`,
      );
      await resolve();
      await nightshift.until(id, 'resolved');
      const { context } = await row();
      expect(context).toMatchObject({ ...added, diagnosis: { panel: added } });
    });

    it('begins a new time without what was added to the last', async () => {
      await wokenTo(`context = context || '{"hint": 1}'`);
      await resolve();
      await nightshift.until(id, 'resolved');
      await nightshift.deliver([{ ...fired, startsAt: new Date().toISOString() }]);
      await nightshift.until(id, ({ state, cycle }) => state === 'escalated' && cycle === 2);
      expect((await row()).context).not.toHaveProperty('hint');
    });
  },
);
