/** What an earlier version had begun when it was ended, at every moment of its way, goes on under today's. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillEmbedded, fillPostgres, listMigrations } from '../../../src/database/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import { scratchDirectory } from '../../real-parts/program.ts';
import { type ShownIncident, startNightshift } from '../support/nightshift.ts';
import { type Processes, startProcesses } from '../support/processes.ts';
import { alertOf, frozenSchema, MOMENTS, type Moment, POLICY, PORT, RUNBOOK, thaw } from './frozen.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/stored-incidents');
const VERSIONS = readdirSync(FOLDER).map((file) => file.replace('.json.gz', ''));
/** An embedded database takes seconds to make. */
const SLOW_MS = 180_000;

const read = (version: string) =>
  frozenSchema.parse(JSON.parse(gunzipSync(readFileSync(join(FOLDER, `${version}.json.gz`))).toString('utf8')));

/** One of an earlier version may have been kept later, from a checkout of it. */
const NEWEST = VERSIONS.toSorted((a, b) => read(a).migrations.length - read(b).migrations.length).at(-1);

/** The migrations are the same statements on both kinds of database: on the slower one the first and the last version stand for the others. */
const matrix = databases.flatMap(({ name: database }) =>
  VERSIONS.filter(
    (version) => database === 'postgres' || databases.length === 1 || version === VERSIONS[0] || version === NEWEST,
  ).map((version) => ({ version, database })),
);

async function startOn(version: string, database: 'embedded' | 'postgres', config: object = {}, policy = POLICY) {
  const scratch = scratchDirectory();
  const served = database === 'postgres' ? await throwawayDatabaseUrl() : null;
  const frozen = read(version);
  await (served
    ? fillPostgres(served.url, (db) => thaw(db, frozen))
    : fillEmbedded(scratch.path, (db) => thaw(db, frozen)));
  // As the world was left: what had been sent, or had healed, runs.
  const processes = await startProcesses(['sent', 'verifying', 'resolved'], PORT);
  const nightshift = await startNightshift({
    database,
    dataDir: scratch.path,
    ...(served ? { databaseUrl: served.url } : {}),
    runbooks: { 'process-down.md': RUNBOOK },
    policy,
    config: {
      toolsets: { processes: { uses: 'supervisor', url: processes.url } },
      approval: { ttlSeconds: 3600 },
      verification: { intervalSeconds: 0.2, settleSeconds: 0, confirmWithinSeconds: 3600 },
      limits: { perTargetTenMinutes: 50, perTargetDay: 50, perNamespaceHour: 100, ineffectiveSeconds: 0 },
      ...config,
    },
  });
  const { body } = await nightshift.api<{ incidents: { id: string; labels: Record<string, string> }[] }>(
    '/incidents?limit=100',
  );
  const numberOf = (name: Moment) =>
    Number(body.incidents.find(({ labels }) => labels.service === name)?.id.replace('INC-', ''));
  return {
    nightshift,
    processes,
    count: body.incidents.length,
    until: (name: Moment, reached: (incident: ShownIncident) => boolean) => nightshift.until(numberOf(name), reached),
    numberOf,
    async stop() {
      await nightshift.stop();
      await processes.stop();
      await served?.drop();
      scratch.remove();
    },
  };
}

/** A yes is to a declaration as well. */
const OTHERWISE = /was cleared but did not run: .*(bound to has changed|not declared as it was)/;

const has = ({ events }: ShownIncident, type: string) => events.some((event) => event.type === type);
const times = (processes: Processes, name: Moment) => processes.started.filter((one) => one === name).length;

describe('the stored incidents', () => {
  it('are of every version whose schema was another', async () => {
    expect(VERSIONS.length).toBeGreaterThanOrEqual(7);
    const known = await listMigrations();
    for (const version of VERSIONS) {
      const { migrations, tables } = read(version);
      expect(known.slice(0, migrations.length), version).toEqual(migrations);
      expect(tables.incident?.rows, version).toHaveLength(MOMENTS.length);
      expect(Object.keys(tables)).not.toContain('token');
    }
  });
});

describe.each(matrix)(
  'incidents that $version had begun, on $database',
  { timeout: SLOW_MS },
  ({ version, database }) => {
    let scene: Awaited<ReturnType<typeof startOn>>;
    beforeAll(async () => {
      scene = await startOn(version, database);
    }, SLOW_MS);
    afterAll(() => scene?.stop());

    const goesOn = async (name: Moment) => {
      const { nightshift, numberOf } = scene;
      const { alerts } = await nightshift.incident(numberOf(name));
      const startsAt = (alerts[0] as unknown as { startsAt: string }).startsAt;
      await nightshift.deliver([alertOf(name, startsAt, 'resolved')]);
      return scene.until(name, ({ state }) => state === 'resolved');
    };

    it.each(['received', 'triaged', 'investigated', 'diagnosed', 'planned'] as const)(
      'brings to its end what was %s, with one start',
      async (name) => {
        await scene.until(name, (incident) => has(incident, 'verification.passed'));
        expect(times(scene.processes, name)).toBe(1);
        const done = await goesOn(name);
        expect(times(scene.processes, name)).toBe(1);
        expect(done.events.filter(({ type }) => type === 'action.started')).toHaveLength(1);
        expect(done.events.filter(({ type }) => type === 'incident.opened')).toHaveLength(1);
      },
    );

    it('runs what the policy had let, or tells a person that its tool is declared otherwise by now', async () => {
      const after = await scene.until('cleared', (one) => has(one, 'verification.passed') || one.state === 'escalated');
      const ran = has(after, 'action.succeeded');
      expect(times(scene.processes, 'cleared')).toBe(ran ? 1 : 0);
      if (!ran) expect(after.needs).toMatch(OTHERWISE);
      if (version === NEWEST) expect(ran).toBe(true);
    });

    it.each([
      ['not-sent', false],
      ['sent', true],
    ] as const)('looks at what may have been sent (%s), and never sends it again', async (name, healed) => {
      const looked = await scene.until(name, (one) =>
        healed ? has(one, 'verification.passed') : one.state === 'escalated',
      );
      expect(looked.events.filter(({ type }) => type === 'action.unknown')).toHaveLength(1);
      if (healed) await goesOn(name);
      expect(times(scene.processes, name)).toBe(0);
    });

    it('goes on verifying', async () => {
      await goesOn('verifying');
      expect(times(scene.processes, 'verifying')).toBe(0);
    });

    it.each(['approved', 'approved-acting'] as const)(
      'runs what was %s only if the yes is to exactly this, and otherwise says so to a person',
      async (name) => {
        const after = await scene.until(name, (one) => has(one, 'verification.passed') || one.state === 'escalated');
        const ran = has(after, 'action.succeeded');
        expect(times(scene.processes, name)).toBe(ran ? 1 : 0);
        if (!ran) {
          expect(after.needs).toMatch(OTHERWISE);
          await scene.nightshift.api(`/incidents/${after.id}/words`, { word: 'ask_again' });
          await scene.until(name, ({ state }) => state === 'awaiting_approval');
        }
        // Nothing that it is bound to has changed since.
        if (version === NEWEST) expect(ran).toBe(true);
      },
    );

    it('goes on waiting for an answer, and takes it', async () => {
      const { nightshift, processes } = scene;
      const before = await scene.until('asked', ({ state }) => state === 'awaiting_approval' || state === 'escalated');
      if (before.state === 'escalated') {
        // Asked about less than is asked about now.
        expect(before.needs).toMatch(/an earlier version asked/);
        await nightshift.api(`/incidents/${before.id}/words`, { word: 'ask_again' });
      }
      const asked = await scene.until('asked', ({ state }) => state === 'awaiting_approval');
      const pending = asked.approvals.find(({ status }) => status === 'pending');
      await nightshift.api(`/approvals/${pending?.id}/decision`, { decision: 'approve', digest: pending?.digest });
      const after = await scene.until('asked', (one) => has(one, 'verification.passed') || one.state === 'escalated');
      expect(times(processes, 'asked')).toBe(has(after, 'action.succeeded') ? 1 : 0);
      if (after.state === 'escalated') expect(after.needs).toMatch(/did not run/);
    });

    it('leaves with a person what a person has, and hears them', async () => {
      const denied = await scene.until('denied', ({ state }) => state === 'escalated');
      await scene.nightshift.api(`/incidents/${denied.id}/words`, { word: 'ask_again' });
      const asked = await scene.until('denied', ({ state }) => state === 'awaiting_approval');
      expect(asked.approvals.filter(({ status }) => status === 'pending')).toHaveLength(1);
      const unknown = await scene.until('nobody-knows', ({ state }) => state === 'escalated');
      await scene.nightshift.api(`/incidents/${unknown.id}/words`, { word: 'close' });
      await goesOn('nobody-knows');
    });

    it('keeps closed what is over, and opens what was resolved when it fires again', async () => {
      expect((await scene.until('stopped', () => true)).state).toBe('stopped');
      const resolved = await scene.until('resolved', () => true);
      expect(resolved).toMatchObject({ state: 'resolved', cycle: 1 });
      scene.processes.running.delete('resolved');
      await scene.nightshift.deliver([alertOf('resolved', new Date().toISOString())]);
      // What was done before the upgrade counts: a second time within ten minutes is asked about, where the first knew its group.
      await scene.until(
        'resolved',
        ({ cycle, state }) => cycle === 2 && (state === 'awaiting_approval' || state === 'verifying'),
      );
    });

    it('loses none, and fails at none', () => {
      expect(scene.count).toBe(MOMENTS.length);
      expect(scene.nightshift.log().filter(({ level }) => level === 'error')).toEqual([]);
    });
  },
);

describe('what was approved before an upgrade, where the policy is another after it', { timeout: SLOW_MS }, () => {
  it('does not run', async () => {
    const [{ name: database }] = [...databases].reverse() as [(typeof databases)[number]];
    const scene = await startOn(NEWEST ?? '', database, {}, POLICY.replace('somebody wants', 'everybody wants'));
    try {
      for (const name of ['approved', 'approved-acting'] as const) {
        const after = await scene.until(name, ({ state }) => state === 'escalated');
        expect(after.needs).toMatch(/something that the approval is bound to has changed/);
        expect(times(scene.processes, name)).toBe(0);
      }
    } finally {
      await scene.stop();
    }
  });
});
