import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json as readJson } from 'node:stream/consumers';
import { LLMock } from '@copilotkit/aimock';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endApproval, listApprovals } from '../../../src/approval/index.ts';
import { type Database, json, openPostgres } from '../../../src/database/index.ts';
import { addSignal, loadIncident, moveIncident, signalsOf } from '../../../src/incident/index.ts';
import { askSource, createCatalogue, createLook, createToolClient, TOOLSETS } from '../../../src/mcp-tools/index.ts';
import { createChannels, createOutbox } from '../../../src/notify/index.ts';
import { createMint } from '../../../src/policy/index.ts';
import { afterFailure, land } from '../../../src/remediation/land.ts';
import { createLogger, createMetrics } from '../../../src/telemetry/index.ts';
import { databases, throwawayDatabaseUrl } from '../../real-parts/databases.ts';
import {
  type CountingSupervisor,
  listen,
  type Pages,
  startCountingSupervisor,
  startPages,
} from '../support/doubles.ts';
import { alert, type ShownIncident, startNightshift, type TestNightshift } from '../support/nightshift.ts';

// What differs between databases is the business of the other tests.
const [last] = [...databases].reverse() as [(typeof databases)[number]];
const ROOT = join(import.meta.dirname, '../../..');

const RUNBOOK = `---
match: ['page="ill"', 'spool=""']
steps: [{ tool: supervisor.restart, with: { process: "{{ labels.process }}" }, why: It hangs. }]
verify: [{ tool: http.probe, with: { url: "http://{{ labels.instance }}/{{ labels.page }}" }, expect: status == 200, within: 500ms }]
---
# Restart it
The process hangs, and a restart frees it.
`;
const PURGE = RUNBOOK.replace('spool=""', 'spool=~".+"').replace(
  /steps:.*/,
  'steps: [{ tool: host.purge, with: { directory: "{{ labels.spool }}" }, why: It is stuck. }]',
);

let pages: Pages;
let supervisor: CountingSupervisor;
const spool = mkdtempSync(join(tmpdir(), 'nightshift-spool-'));
beforeAll(async () => {
  pages = await startPages();
  pages.ill.add('ill');
  supervisor = await startCountingSupervisor();
});
afterAll(() => {
  pages?.stop();
  supervisor?.stop();
  rmSync(spool, { recursive: true, force: true });
});
const toolsets = () => ({
  web: { uses: 'http', allow: ['http://127.0.0.1:*'] },
  processes: { uses: 'supervisor', url: supervisor.url },
  spool: { uses: 'host', directories: { shop: { path: spool } } },
});
let serial = 0;
const firing = (labels: Record<string, string>) => {
  serial += 1;
  return alert(
    { instance: pages.instance, page: 'ill', service: `s${serial}`, ...labels },
    { fingerprint: `a${serial}` },
  );
};
const settled = ({ state }: ShownIncident) => ['awaiting_approval', 'escalated', 'resolved', 'stopped'].includes(state);
const types = ({ events }: ShownIncident) => events.map(({ type }) => type);
async function open(nightshift: TestNightshift, ...alerts: object[]): Promise<number> {
  const { body } = await nightshift.deliver(alerts);
  return (body.incidents as number[])[0] as number;
}
async function newIncident(db: Database, state: string) {
  const row = { correlation_key: `${Math.random()}`, title: 't', severity: 's', trace_id: 'x' };
  const { id } = await db.q
    .insertInto('incident')
    .values({ ...row, state, labels: json({}), context: json({ v: 1, failures: 0 }) })
    .returning('id')
    .executeTakeFirstOrThrow();
  return loadIncident(db, id);
}

describe('limits', () => {
  let nightshift: TestNightshift;
  beforeAll(async () => {
    nightshift = await startNightshift({
      database: last.name,
      runbooks: { 'restart.md': RUNBOOK },
      config: { limits: { perTargetTenMinutes: 1, perTargetDay: 1, ineffectiveSeconds: 0 }, toolsets: toolsets() },
    });
  });
  afterAll(() => nightshift?.stop());

  it('let one of eight incidents about one process act unasked', async () => {
    const eight = Array.from({ length: 8 }, () => firing({ process: 'checkout' }));
    const { body } = await nightshift.deliver(eight);
    const incidents = await Promise.all((body.incidents as number[]).map((id) => nightshift.until(id, settled)));
    expect(incidents).toHaveLength(8);
    expect(supervisor.started.filter((process) => process === 'checkout')).toHaveLength(1);
    expect(incidents.filter((incident) => types(incident).includes('action.succeeded'))).toHaveLength(1);
    for (const { state, needs } of incidents)
      if (state === 'escalated') expect(needs).toMatch(/limit|approval|no remedy is left/);
  });
});

describe('a model that proposes a step of a remedy that is too wide', () => {
  const mock = new LLMock({ port: 0 });
  let nightshift: TestNightshift;
  const evidence = [{ evidence: 'E1', quote: 'a restart frees it' }];
  const diagnosis = {
    root_cause: 'It hangs.',
    confidence: 'high',
    citations: evidence,
    ruled_out: [],
    unknowns: [],
    inconclusive: false,
  };
  const proposing = (process: string) => {
    const args = JSON.stringify({ arguments: { process }, reason: 'It hangs.', expected_effect: 'It runs.' });
    mock.reset();
    mock.on(
      { systemMessage: /You plan the remedy/ },
      { content: 'Restart.', toolCalls: [{ name: 'supervisor__restart', arguments: args }] },
    );
    mock.on({}, { content: JSON.stringify(diagnosis) });
  };
  beforeAll(async () => {
    await mock.start();
    const model = { provider: 'anthropic', model: 't', apiKey: 'test', baseUrl: mock.url, timeoutSeconds: 5 };
    nightshift = await startNightshift({
      database: last.name,
      runbooks: { 'restart.md': RUNBOOK },
      config: { toolsets: toolsets(), models: [model] },
    });
  });
  afterAll(async () => {
    await nightshift?.stop();
    await mock.stop();
  });

  it.each([
    [8, 'is allowed', 'escalated', 1],
    [9, 'is asked', 'awaiting_approval', 0],
  ])('with %i alerts %s', async (count, _what, state, starts) => {
    proposing(`w${count}-3`);
    const service = `wide-${count}`;
    const alerts = Array.from({ length: count }, (_, index) => firing({ service, process: `w${count}-${index}` }));
    const incident = await nightshift.until(await open(nightshift, ...alerts), settled);
    expect(incident.actions[0]).toMatchObject({ tool: 'supervisor.restart', origin: 'model:anthropic/t' });
    expect(supervisor.started.filter((process) => process === `w${count}-3`)).toHaveLength(starts);
    expect(incident.state).toBe(state);
  });
});

describe.each(databases.filter(({ name }) => name === 'postgres'))('on $name', () => {
  let nightshift: TestNightshift;
  let other: Database;
  let unstorable = 0;
  let atFailpoint: (name: string) => void = () => {};
  beforeAll(async () => {
    nightshift = await startNightshift({
      database: 'postgres',
      runbooks: { 'restart.md': RUNBOOK, 'purge.md': PURGE },
      config: { toolsets: toolsets() },
      failpoint: (name) => atFailpoint(name),
    });
    other = await openPostgres(nightshift.databaseUrl ?? '');
    // As the owner: Nightshift itself may create nothing.
    const owner = new pg.Client({ connectionString: nightshift.databaseUrl ?? '' });
    await owner.connect();
    await owner.query(`
      create function refuse() returns trigger language plpgsql as $$
      begin
        if exists (select from incident where id = new.incident_id and labels->>'service' = 'unstorable') then
          raise 'no room for this';
        end if;
        return new;
      end $$;
      create trigger refuse before insert on event for each row
      when (new.type = 'evidence.gathered') execute function refuse()`);
    await owner.end();
    // Its five tries take a quarter of a minute, in which the other tests run.
    unstorable = await open(nightshift, firing({ service: 'unstorable' }));
  });
  afterAll(async () => {
    await other?.close();
    await nightshift?.stop();
  });

  // By a program of its own, because nothing may run in between.
  const meanwhile = (statements: string) => {
    const program = `import pg from 'pg';
      const client = new pg.Client({ connectionString: process.argv[1] });
      await client.connect();
      await client.query(process.argv[2]);
      await client.end();`;
    const args = ['--input-type=module', '-e', program, nightshift.databaseUrl ?? '', statements];
    const done = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    if (done.status !== 0) throw new Error(done.stderr);
  };
  // What another replica commits for POST /incidents/ID/words.
  const sayStop = () => {
    const id = '(select max(id) from incident)';
    meanwhile(`begin; insert into signal (incident_id, kind, by) values (${id}, 'stop', 'alice');
      update incident set wake_seq = wake_seq + 1 where id = ${id}; commit`);
  };

  it('sends nothing when a stop is said right before the intent', async () => {
    let runs = 0;
    atFailpoint = (name) => {
      if (name !== 'execute.before-intent') return;
      runs += 1;
      sayStop();
    };
    const stopped = await nightshift.until(await open(nightshift, firing({ process: 'halted' })), settled);
    atFailpoint = () => {};
    expect(runs).toBe(1);
    expect(stopped.state).toBe('stopped');
    expect(stopped.actions).toMatchObject([{ status: 'cancelled' }]);
    expect(supervisor.started).not.toContain('halted');
  });

  it('sends nothing when everything is stopped right before the send, when its intent is committed', async () => {
    atFailpoint = (name) => {
      if (name === 'execute.before-send')
        meanwhile(`update kill_switch set engaged = true, by = 'alice', reason = 'a move'`);
    };
    const id = await open(nightshift, firing({ process: 'spared' }));
    const stopped = await nightshift.until(id, settled);
    atFailpoint = () => {};
    meanwhile('update kill_switch set engaged = false');
    expect(stopped).toMatchObject({ state: 'escalated', needs: expect.stringContaining('everything is stopped') });
    expect(stopped.actions).toMatchObject([{ status: 'cancelled', result: null }]);
    expect(supervisor.started).not.toContain('spared');
    const intents = other.q.selectFrom('intent').innerJoin('action', 'action.id', 'intent.action_id');
    const kept = await intents.select(['outcome', 'intent.result']).where('incident_id', '=', id).execute();
    expect(kept).toEqual([{ outcome: 'failed', result: { error: 'it was not sent' } }]);
  });

  it('hears in the next stage what is said while one lands', async () => {
    // The incident that cannot be stored passes here as well, again and again; to say it twice does no harm.
    atFailpoint = (name) => {
      if (name === 'land.before.investigated') sayStop();
    };
    const stopped = await nightshift.until(await open(nightshift, firing({ process: 'halted early' })), settled);
    atFailpoint = () => {};
    expect(stopped.state).toBe('stopped');
    expect(types(stopped)).not.toContain('diagnosis.made');
    expect(supervisor.started).not.toContain('halted early');
  });

  it('waits in the next stage for a maintenance that begins while one lands, though nobody tells it', async () => {
    atFailpoint = (name) => {
      if (name !== 'land.before.investigated') return;
      meanwhile(`insert into maintenance (id, origin, matchers, reason, made_by, starts_at, ends_at) values ('mnt-upgrade', 'person',
        '[{"label":"process","operator":"=","value":"upgraded"}]', 'upgrade', 'alice', now(), now() + interval '1 hour')
        on conflict do nothing`);
    };
    const id = await open(nightshift, firing({ process: 'upgraded' }));
    const held = await nightshift.until(id, (incident) => types(incident).includes('incident.held'));
    atFailpoint = () => {};
    expect(held.state).toBe('investigated');
    expect(types(held)).not.toContain('diagnosis.made');
    meanwhile(`delete from maintenance where id = 'mnt-upgrade'`);
  });

  it('knows that an alert was reported again while its stages took their time', async () => {
    const now = performance.now.bind(performance);
    const report = (age: string) => meanwhile(`update alert set last_seen_at = now() - interval '${age}'`);
    atFailpoint = (name) => {
      if (name === 'driver.taken') report('1 hour');
      if (name === 'land.before.planned') performance.now = now;
      if (name !== 'land.before.diagnosed') return;
      report('0 s');
      performance.now = () => now() + 31_000;
    };
    try {
      await open(nightshift, firing({ process: 'slowly' }));
      await expect.poll(() => supervisor.started, { timeout: 10_000 }).toContain('slowly');
    } finally {
      atFailpoint = () => {};
      performance.now = now;
    }
  });

  it('goes on in sessions that prepared their statements before the table had more columns', async () => {
    await nightshift.until(await open(nightshift, firing({ process: 'before' })), settled);
    const owner = new pg.Client({ connectionString: nightshift.databaseUrl ?? '' });
    await owner.connect();
    await owner.query('alter table incident add column of_a_later_version text');
    await owner.end();
    const after = await nightshift.until(await open(nightshift, firing({ process: 'after' })), settled);
    expect(types(after)).not.toContain('stage.failed');
    expect(supervisor.started).toContain('after');
  });

  it('lets a decision and the landing of a stage meet without a deadlock', async () => {
    const id = await open(nightshift, firing({ spool: 'shop' }));
    const waiting = await nightshift.until(id, 'awaiting_approval');
    const [approval] = await listApprovals(other, { incidentId: id });
    let answer: Promise<{ status: number }> | undefined;
    await other.transaction(async () => {
      const incident = await loadIncident(other, id);
      await moveIncident(other, incident, {
        state: 'escalated',
        context: incident.context,
        provided: sql`true`,
        unlessWoken: false,
        events: [],
        messages: [],
        heard: [],
        leaves: false,
      });
      answer = nightshift.api(`/approvals/${waiting.approvals[0]?.id}/decision`, { decision: 'approve' });
      const blocked = sql<{ n: number }>`
        select count(distinct pid)::int as n from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))`;
      await expect.poll(async () => (await blocked.execute(other.q)).rows[0]?.n, { timeout: 10_000 }).toBe(1);
      expect(await endApproval(other, approval?.id ?? '', 'expired')).toBe(true);
    });
    expect((await answer)?.status).toBe(409);
  });

  it('delivers each message once, with two replicas and a webhook that is slow', async () => {
    const { url, drop } = await throwawayDatabaseUrl();
    const replicas = [await openPostgres(url), await openPostgres(url)] as const;
    const { id } = await newIncident(replicas[0], 'escalated');
    const rows = [0, 1, 2].map((index) => ({
      incident_id: id,
      kind: 'escalated',
      message: json({ text: `m${index}` }),
    }));
    await replicas[0].q.insertInto('outbox').values(rows).execute();
    const got: number[] = [];
    const hook = createServer(async (request, response) => {
      got.push(((await readJson(request)) as { id: number }).id);
      // Three of these take longer than the first try again of a message that could not be delivered.
      setTimeout(() => response.writeHead(204).end(), 2500);
    });
    const webhook = `http://${await listen(hook)}/`;
    const given = { metrics: createMetrics(), log: createLogger('silent') };
    const outboxes = replicas.map((db) => {
      const channels = createChannels({ webhook }, { db, installation: 'here', writtenBack: [], log: given.log });
      return createOutbox({ db, channels, ...given });
    });
    for (const outbox of outboxes) outbox.start();
    await expect.poll(() => new Set(got).size, { timeout: 30_000 }).toBe(3);
    // A message that is under way is waited for.
    await Promise.all(outboxes.map((outbox) => outbox.stop()));
    expect(got).toHaveLength(3);
    hook.close();
    for (const db of replicas) await db.close();
    await drop();
  });

  it('hands over what a stage cannot commit, after five tries', async () => {
    await expect.poll(async () => (await nightshift.incident(unstorable)).state, { timeout: 45_000 }).toBe('escalated');
    const handed = await nightshift.incident(unstorable);
    expect(handed.needs).toMatch(/failed 5 times.*no room for this/);
    expect(types(handed).filter((type) => type === 'stage.failed')).toHaveLength(5);
  });
});

describe('words', () => {
  it.each([
    ['escalated', 'close'],
    ['verifying', 'stop'],
    ['awaiting_approval', 'stop'],
  ] as const)('survive a failing stage: %s, %s', async (state, kind) => {
    const db = await last.open();
    const incident = await newIncident(db, state);
    await addSignal(db, incident.id, kind, 'alice');
    const signals = await signalsOf(db, incident.id);
    await db.transaction(() =>
      land(db, incident, afterFailure(incident, new Error('a hiccup')), { signals, leaves: false, held: sql`true` }),
    );
    expect(await signalsOf(db, incident.id)).toMatchObject([{ kind, by: 'alice' }]);
    await db.close();
  });
});

describe('a Prometheus that lists no such alert', () => {
  it.each([
    ['and has no rule of that name', 'AnotherRule', 'not asked'],
    ['but has the rule', 'Down', 'quiet'],
  ])('%s', async (_what, rule, expected) => {
    const prometheus = createServer((request, response) => {
      const data = request.url?.startsWith('/api/v1/rules')
        ? { groups: [{ name: 'g', file: 'f', rules: [{ name: rule, type: 'alerting' }] }] }
        : { alerts: [] };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ status: 'success', data }));
    });
    const settings = { uses: 'prometheus', match: [], url: `http://${await listen(prometheus)}` };
    const catalogue = createCatalogue(TOOLSETS, { metrics: settings });
    const client = createToolClient({
      instances: catalogue.instances,
      publicKey: createMint().publicKey,
      metrics: createMetrics(),
      log: createLogger('silent'),
    });
    const own = { source: 'a', fingerprint: 'f', status: 'firing' as const, labels: { alertname: 'Down' } };
    const alerts = [{ ...own, annotations: {}, startsAt: new Date(), endsAt: null, generatorUrl: null }];
    const asked = await askSource(alerts, { catalogue, look: createLook(client), abort: new AbortController().signal });
    await client.close();
    prometheus.close();
    expect(asked).toBe(expected);
  });
});

describe('a port that is in use', () => {
  it('ends the start within 20 s, with what to do about it', async () => {
    const taken = createServer();
    const at = await listen(taken);
    const directory = mkdtempSync(join(tmpdir(), 'nightshift-port-'));
    for (const folder of ['runbooks', 'policies']) mkdirSync(join(directory, folder));
    const served = last.name === 'postgres' ? await throwawayDatabaseUrl() : null;
    writeFileSync(join(directory, 'nightshift.yaml'), `server: { port: ${at.split(':')[1]} }\ndataDir: .\n`);
    const env = { PATH: process.env.PATH ?? '', ...(served ? { DATABASE_URL: served.url } : {}) };
    const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'start'], { cwd: directory, env });
    let said = '';
    child.stderr.on('data', (data) => {
      said += data;
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
    const code = await new Promise((resolve) => child.once('close', resolve));
    clearTimeout(limit);
    taken.close();
    await served?.drop();
    rmSync(directory, { recursive: true, force: true });
    expect(code, said).toBe(1);
    expect(said).toMatch(/in use/);
    expect(said).toMatch(/Fix: .*port/);
  });
});
