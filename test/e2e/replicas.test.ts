/** Several Nightshifts on one Postgres, each a process with a data directory of its own: who does what does not matter, and one that dies is missed for seconds. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { pinRunbooks } from '../../src/rag/index.ts';
import { type Processes, startProcesses } from '../integration/support/processes.ts';
import { POLICY, RUNBOOK } from '../integration/upgrade/frozen.ts';
import { throwawayDatabaseUrl } from '../real-parts/databases.ts';
import { type Nightshift, startNightshift } from '../real-parts/nightshift.ts';
import { eventually, scratchDirectory } from '../real-parts/program.ts';
import { requireParts } from '../real-parts/require.ts';

/** A checkout of an earlier version, with everything installed. */
const EARLIER = process.env.NIGHTSHIFT_EARLIER_CHECKOUT;

const skip = requireParts('replicas share the work', 'postgres');

/** After this another replica has what a dead one had. */
const TAKEN_OVER_MS = 15_000;
/** Replicas look for work once a second by themselves; a median far below half of it comes from being told. */
const TOLD_MS = 300;

interface Timed {
  readonly id: number;
  readonly state: string;
  readonly version: number;
}

class Cluster {
  readonly replicas: Nightshift[] = [];
  readonly #closers: (() => unknown)[] = [];

  readonly db: pg.Client;
  readonly url: string;
  readonly processes: Processes;
  readonly home: string;

  private constructor({ db, url, processes, home }: Pick<Cluster, 'db' | 'url' | 'processes' | 'home'>) {
    this.db = db;
    this.url = url;
    this.processes = processes;
    this.home = home;
  }

  static async create(): Promise<Cluster> {
    const { url, drop } = await throwawayDatabaseUrl();
    const { path, remove } = scratchDirectory();
    const db = new pg.Client({ connectionString: url });
    await db.connect();
    const processes = await startProcesses();
    for (const folder of ['runbooks', 'policies']) mkdirSync(join(path, folder));
    writeFileSync(join(path, 'runbooks/process-down.md'), RUNBOOK);
    writeFileSync(join(path, 'policies/test.yaml'), POLICY);
    await pinRunbooks([join(path, 'runbooks')]);
    const cluster = new Cluster({ db, url, processes, home: path });
    cluster.#closers.push(
      remove,
      drop,
      () => db.end(),
      () => processes.stop(),
    );
    return cluster;
  }

  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    this.#closers.push(() => client.end());
    return client;
  }

  async start(concurrency = 8, checkout?: string): Promise<Nightshift> {
    const replica = await startNightshift({
      dataDir: join(this.home, `data-${this.replicas.length}-${Math.random().toString(36).slice(2)}`),
      config: {
        mode: 'auto',
        runbooks: [join(this.home, 'runbooks')],
        policies: [join(this.home, 'policies')],
        toolsets: { processes: { uses: 'supervisor', url: this.processes.url } },
        verification: { intervalSeconds: 0.5, settleSeconds: 0, confirmWithinSeconds: 600 },
        correlation: { storm: { incidents: 1000 } },
        limits: { perTargetTenMinutes: 50, perTargetDay: 50, gatherSeconds: 60, concurrency },
      },
      env: { DATABASE_URL: this.url },
      ...(checkout === undefined ? {} : { checkout }),
    });
    this.replicas.push(replica);
    this.#closers.push(async () => {
      // What is stopped does not hear that it is to end.
      await replica.kill9();
    });
    return replica;
  }

  /** Lets every look at a process wait until what this gives is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.processes.held = promise;
    return () => {
      this.processes.held = null;
      resolve();
    };
  }

  /** Sends an alert to one replica with the token of whichever. */
  deliver(
    to: Nightshift,
    process: string,
    change: { from?: Nightshift; ask?: boolean; status?: string; alertname?: string } = {},
  ) {
    const { from = to, ask = false, status = 'firing', alertname = 'ProcessDown' } = change;
    const labels = { alertname, service: process, process, severity: 'critical', ask: ask ? 'yes' : 'no' };
    const alert = {
      status,
      labels,
      annotations: {},
      startsAt: STARTED,
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: '',
    };
    const alerts = [{ ...alert, fingerprint: Buffer.from(process).toString('hex') }];
    return to.api('/webhooks/alertmanager', { body: { version: '4', status, alerts }, token: from.webhookToken });
  }

  async incident(process: string): Promise<Timed | undefined> {
    const found = await this.db.query<Timed>(
      `select id, state, version from incident where labels ->> 'process' = $1`,
      [process],
    );
    expect(found.rows.length).toBeLessThanOrEqual(1);
    return found.rows[0];
  }

  until(process: string, reached: (incident: Timed) => boolean, seconds = 30): Promise<Timed> {
    return eventually(
      `${process} gets there`,
      async () => {
        const now = await this.incident(process);
        return now && reached(now) ? now : undefined;
      },
      seconds,
    );
  }

  async happened(process: string, type: string): Promise<Date[]> {
    const { rows } = await this.db.query<{ at: Date }>(
      `select at from event where type = $2 and incident_id = (select id from incident where labels ->> 'process' = $1) order by id`,
      [process, type],
    );
    return rows.map(({ at }) => at);
  }

  async healed(process: string, seconds = 30): Promise<void> {
    try {
      const passed = async () => (await this.happened(process, 'verification.passed')).length > 0 || undefined;
      await eventually(`${process} is healed`, passed, seconds);
    } catch (error) {
      const { rows } = await this.db.query<{ line: string }>(
        `select left(type || ' ' || data::text, 400) as line from event
          where incident_id = (select id from incident where labels ->> 'process' = $1) order by id`,
        [process],
      );
      throw new Error([(error as Error).message, ...rows.map(({ line }) => line)].join('\n'), { cause: error });
    }
  }

  /** Milliseconds from the commit of an alert to the end of the first stage, by the database's clock. */
  async latency(process: string): Promise<number> {
    const done = await eventually(`${process} was begun`, async () =>
      (await this.happened(process, 'triage.done')).at(0),
    );
    const [opened] = await this.happened(process, 'incident.opened');
    return done.getTime() - (opened?.getTime() ?? Number.NaN);
  }

  async stop(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
  }
}

const STARTED = new Date(Date.now() - 30_000).toISOString();
const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const times = ({ started }: Processes, process: string) => started.filter((one) => one === process).length;

describe.skipIf(skip)('several replicas on one Postgres', () => {
  let cluster: Cluster;
  afterEach(() => cluster?.stop());

  it('take alerts, answers and words at any of them, and do each thing once', async () => {
    cluster = await Cluster.create();
    const [a, b, c] = [await cluster.start(), await cluster.start(), await cluster.start()];
    const all = [a, b, c];
    // Every one learns the tokens of the others within seconds.
    for (const to of all)
      for (const from of all)
        await eventually(
          'the token is known',
          () => cluster.deliver(to, 'unknown', { from, alertname: 'NobodyKnows' }),
          15,
        );
    await cluster.deliver(a, 'asked', { from: c, ask: true });
    await cluster.deliver(c, 'stopped', { from: a, ask: true });
    const names = Array.from({ length: 12 }, (_, n) => `many-${n}`);
    // The same alert at several doors at once is one incident.
    await Promise.all(names.flatMap((name) => all.map((replica) => cluster.deliver(replica, name, { from: b }))));

    const { id } = await cluster.until('asked', ({ state }) => state === 'awaiting_approval');
    const { approvals } = await b.api<{ approvals: { id: string; digest: string }[] }>(`/api/v1/incidents/${id}`);
    const answer = { decision: 'approve', digest: approvals[0]?.digest };
    const clicks = [b, c].map((replica) =>
      replica.api(`/api/v1/approvals/${approvals[0]?.id}/decision`, { body: answer, token: a.adminToken }).then(
        () => 'taken',
        () => 'refused',
      ),
    );
    expect((await Promise.all(clicks)).toSorted()).toContain('taken');
    const stopped = await cluster.until('stopped', ({ state }) => state === 'awaiting_approval');
    await c.api(`/api/v1/incidents/${stopped.id}/words`, { body: { word: 'stop' } });
    await cluster.until('stopped', ({ state }) => state === 'stopped');
    const unknown = await cluster.until('unknown', ({ state }) => state === 'escalated');
    await a.api(`/api/v1/incidents/${unknown.id}/words`, { body: { word: 'close' }, token: b.adminToken });
    await cluster.deliver(c, 'unknown', { status: 'resolved', alertname: 'NobodyKnows' });
    await cluster.until('unknown', ({ state }) => state === 'resolved');

    for (const name of ['asked', ...names]) {
      await cluster.healed(name);
      expect(times(cluster.processes, name), name).toBe(1);
      expect(await cluster.happened(name, 'action.started'), name).toHaveLength(1);
    }
    expect(times(cluster.processes, 'stopped')).toBe(0);
    for (const replica of all) expect(replica.logs().filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('go on within 15 s with what one had that was killed, in the middle of a stage', async () => {
    cluster = await Cluster.create();
    const a = await cluster.start();
    const names = Array.from({ length: 6 }, (_, n) => `held-${n}`);
    const open = cluster.hold();
    for (const name of names) await cluster.deliver(a, name);
    await eventually(
      'all of them are looked into',
      async () => cluster.processes.waiting() >= names.length || undefined,
    );
    // It comes when all of it is in the hands of the other.
    const b = await cluster.start();
    const before = new Map<string, number>();
    for (const name of names) before.set(name, (await cluster.incident(name))?.version ?? Number.NaN);
    await a.kill9();
    const killed = Date.now();
    open();
    const took = await Promise.all(
      names.map(async (name) => {
        await cluster.until(name, ({ version }) => version > (before.get(name) ?? 0), 40);
        return Date.now() - killed;
      }),
    );
    expect(Math.max(...took), `they moved again after ${took.join(', ')} ms`).toBeLessThanOrEqual(TAKEN_OVER_MS);
    for (const name of names) {
      await cluster.healed(name);
      expect(times(cluster.processes, name), name).toBe(1);
    }
    // Its sender may still have the token of the one that is gone.
    await cluster.deliver(b, 'late', { from: a });
    await cluster.healed('late');
  });

  it('tell one another what there is to do; and where nobody hears it, look for themselves', async () => {
    cluster = await Cluster.create();
    const busy = await cluster.start(1);
    const open = cluster.hold();
    // Its only hand is taken, so that whatever comes to it is for the other.
    await cluster.deliver(busy, 'occupies');
    await eventually('it is busy', async () => cluster.processes.waiting() > 0 || undefined);
    cluster.processes.held = null;
    const other = await cluster.start();
    const send = async (name: string) => {
      await sleep(200 + Math.random() * 1000);
      await cluster.deliver(busy, name);
      return cluster.latency(name);
    };
    const several = async (name: string, count: number) => {
      const took: number[] = [];
      for (let n = 0; n < count; n += 1) took.push(await send(`${name}-${n}`));
      return took;
    };
    await send('warm');
    const told = await several('told', 11);
    expect(median(told), `told: ${told.join(', ')} ms`).toBeLessThan(TOLD_MS);

    const listeners = `from pg_stat_activity where datname = current_database() and application_name = 'nightshift listener'`;
    const admin = await cluster.connect();
    const cut = setInterval(() => void admin.query(`select pg_terminate_backend(pid) ${listeners}`), 200);
    const untold = await several('untold', 4);
    clearInterval(cut);
    const said = () => `untold: ${untold.join(', ')} ms; it said ${other.output().slice(-4000)}`;
    expect(Math.max(...untold), said()).toBeLessThan(5000);
    await eventually(
      'both listen again',
      async () => (await cluster.db.query(`select ${'1'} ${listeners}`)).rows.length === 2 || undefined,
      10,
    );
    const again = await several('again', 7);
    expect(median(again), `again: ${again.join(', ')} ms`).toBeLessThan(TOLD_MS);
    open();
    await cluster.healed('occupies');
    expect(new Set(cluster.processes.started).size).toBe(cluster.processes.started.length);
  });

  it('start at once on an empty database, which is migrated once', async () => {
    cluster = await Cluster.create();
    const all = await Promise.all([1, 2, 3, 4].map(() => cluster.start()));
    const { rows } = await cluster.db.query<{ name: string }>('select name from kysely_migration order by name');
    const files = readdirSync(join(import.meta.dirname, '../../migrations')).filter((name) => name.endsWith('.sql'));
    expect(rows.map(({ name }) => `${name}.sql`)).toEqual(files.toSorted());
    for (const replica of all) expect(replica.logs().filter(({ level }) => level === 'error')).toEqual([]);
    await cluster.deliver(all[3] as Nightshift, 'first');
    await cluster.healed('first');
    expect(times(cluster.processes, 'first')).toBe(1);
  });

  // What is the version before is known where there is a history only, so it runs every night.
  if (EARLIER)
    it('work beside the version before, which finds a newer schema', async () => {
      cluster = await Cluster.create();
      const old = await cluster.start(8, EARLIER);
      await cluster.deliver(old, 'begun-0');
      const young = await cluster.start();
      const both = [old, young] as const;
      const names = Array.from({ length: 12 }, (_, n) => `begun-${n}`);
      await Promise.all(names.map((name, n) => cluster.deliver(both[n % 2] as Nightshift, name)));
      for (const [n, name] of ['asked-0', 'asked-1'].entries()) {
        await cluster.deliver(both[n] as Nightshift, name, { ask: true });
        const { id } = await cluster.until(name, ({ state }) => state === 'awaiting_approval');
        const other = both[1 - n] as Nightshift;
        const { approvals } = await other.api<{ approvals: { id: string; digest: string }[] }>(
          `/api/v1/incidents/${id}`,
        );
        const answer = { decision: 'approve', digest: approvals[0]?.digest };
        await other.api(`/api/v1/approvals/${approvals[0]?.id}/decision`, { body: answer });
      }
      for (const name of names) await cluster.healed(name);
      for (const name of ['asked-0', 'asked-1'])
        await cluster.until(name, ({ state }) => state === 'verifying' || state === 'escalated');
      await old.stop();
      await cluster.deliver(young, 'after');
      await cluster.healed('after');
      const { started } = cluster.processes;
      expect(new Set(started).size, started.join(', ')).toBe(started.length);
      for (const replica of both) expect(replica.logs().filter(({ level }) => level === 'error')).toEqual([]);
    });
});
