import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { createJudgePlan } from '../../src/approval/index.ts';
import { parseConfig } from '../../src/config/index.ts';
import { type Database, json, openPostgres } from '../../src/database/index.ts';
import { createExecute, finishIntent } from '../../src/execution/index.ts';
import { addIntent } from '../../src/execution/intent.ts';
import { createKillSwitch } from '../../src/gate/index.ts';
import { createIdentity } from '../../src/identity/index.ts';
import {
  addEvents,
  type Incident,
  loadIncident,
  type Outcome,
  type Stage,
  type Work,
} from '../../src/incident/index.ts';
import { createModels } from '../../src/llm/index.ts';
import { CLEARANCE_META } from '../../src/mcp-tools/clearance.ts';
import { createLook } from '../../src/mcp-tools/index.ts';
import { actionsOf, createPlan } from '../../src/planning/index.ts';
import { combinePolicy, parsePolicy } from '../../src/policy/index.ts';
import { createPinOf, hashEmbedder, pinRunbooks, syncRunbooks } from '../../src/rag/index.ts';
import { land } from '../../src/remediation/land.ts';
import { createMetrics } from '../../src/telemetry/index.ts';
import { throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { median } from '../measure.ts';
import { type BenchTools, timed } from './bench-tools.ts';

const WARM_UP = 40;
const CALLS = 60;
const RUNBOOK = `---
match: ['alertname="Slow"']
remedies:
  - name: change it
    steps: [{ tool: bench.change, with: { name: "{{ labels.name }}" }, why: It is slow. }]
---
# It is slow
Change it.
`;
const POLICY = 'rules:\n  - {name: safe-remedies, risks: [safe], decision: allow, reason: safe}\n';

/** One round, medians in ms. */
export interface GatedRound {
  /** From the stage's beginning until its outcome is committed. */
  readonly whole: number;
  /** Of that, from the intent's transaction until the outcome is committed. */
  readonly sending: number;
  /** The clearance, the durable intent, the call and the durable outcome, and nothing else of the stage. */
  readonly rows: number;
  /** The bare SDK call of the same tool, with a clearance. */
  readonly call: number;
  /** Two bare commits of one row, one after the other. */
  readonly commits: number;
}

/**
 * Measures an action that the policy allows, on Postgres: the stage as the driver runs it, and the transaction that lands it. Incidents
 * are brought to it by the stages before, which are not measured.
 */
export async function measureGatedCall(tools: BenchTools, rounds: number): Promise<GatedRound[]> {
  const { url, drop } = await throwawayDatabaseUrl();
  const folder = await mkdtemp(join(tmpdir(), 'nightshift-bench-'));
  const client = new pg.Client({ connectionString: url });
  try {
    const db = await openPostgres(url);
    try {
      await client.connect();
      await client.query('create table floor (id bigint generated always as identity primary key, body text not null)');
      await writeFile(join(folder, 'slow.md'), RUNBOOK);
      await pinRunbooks([folder]);
      await syncRunbooks(db, { folders: [folder], embedder: hashEmbedder });
      const marks: number[] = [];
      const lane = openLane(db, tools, folder, () => void marks.push(performance.now()));
      let serial = 0;
      const one = async () => {
        serial += 1;
        const name = `thing-${serial}`;
        const work = await lane.prepare(name);
        const call = await timed(() => lane.bareCall(`bare-${serial}`));
        const commits = await timed(() => commitTwice(client));
        const rows = await timed(await lane.prepareRows(`rows-${serial}`));
        marks.length = 0;
        const start = performance.now();
        await lane.run(work);
        const end = performance.now();
        return { whole: end - start, sending: end - (marks[0] ?? Number.NaN), rows, call, commits };
      };
      const round = async (calls: number): Promise<GatedRound> => {
        const all: GatedRound[] = [];
        for (let at = 0; at < calls; at += 1) all.push(await one());
        const of = (key: keyof GatedRound) => median(all.map((times) => times[key]));
        return {
          whole: of('whole'),
          sending: of('sending'),
          rows: of('rows'),
          call: of('call'),
          commits: of('commits'),
        };
      };
      await round(WARM_UP);
      const results: GatedRound[] = [];
      while (results.length < rounds) results.push(await round(CALLS));
      return results;
    } finally {
      await db.close();
    }
  } finally {
    await client.end();
    await drop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function commitTwice(client: pg.Client): Promise<void> {
  for (const _ of [1, 2])
    await client.query({ name: 'floor', text: 'insert into floor (body) values ($1)', values: ['x'.repeat(200)] });
}

interface Lane {
  /** Brings a new incident to the point where its action is allowed. */
  prepare(name: string): Promise<Work>;
  /** Runs the action and lands it. */
  run(work: Work): Promise<void>;
  /** Gives what runs such an action with its intent and outcome, without judging it again and without the timeline. */
  prepareRows(name: string): Promise<() => Promise<void>>;
  bareCall(name: string): Promise<void>;
}

/** Wires the stages as app.ts does, with `onIntent` called right before an intent is committed. */
function openLane(
  db: Database,
  { catalogue, client, mint, bare }: BenchTools,
  folder: string,
  onIntent: () => void,
): Lane {
  const config = parseConfig({
    env: {},
    directory: folder,
    toolsetSettings: {},
    file: { path: 'nightshift.yaml', text: 'mode: auto\ndataDir: .\n' },
  });
  const { policy } = combinePolicy([parsePolicy('bench.yaml', POLICY)]);
  const identity = createIdentity({ db, people: [], record: (event) => addEvents(db, null, [event]) });
  const killSwitch = createKillSwitch({ db, file: config.killSwitch.file, identity });
  const metrics = createMetrics();
  const models = createModels(config, { db, metrics });
  const gate = {
    db,
    config,
    autonomy: [],
    policy,
    catalogue,
    client,
    pinOf: createPinOf([folder]),
    killSwitch,
    identity,
  };
  const failpoint = (point: string) => {
    if (point === 'execute.before-intent') onIntent();
  };
  const plan = createPlan({ db, config, catalogue, look: createLook(client), models, autonomy: [], policy });
  const judge = createJudgePlan({ ...gate, metrics });
  const execute = createExecute({ ...gate, mint, failpoint });

  const workOf = (incident: Incident, name: string): Work => ({
    incident,
    alerts: [alertOf(name)],
    signals: [],
    journal: (_key, run) => run(),
    abort: new AbortController().signal,
    async assertHeld() {
      await db.q.selectFrom('incident').select('version').where('id', '=', incident.id).forUpdate().executeTakeFirst();
      return true;
    },
  });
  const landed = async (incident: Incident, outcome: Outcome, expected: string) => {
    const how = await db.transaction(() =>
      land(db, incident, outcome, { signals: [], leaves: false, held: sql`true` }),
    );
    if (typeof how === 'string' || outcome.state !== expected)
      throw new Error(
        `${String(how)}, ${outcome.state} in place of ${expected}: ${JSON.stringify(outcome.context ?? {})}`,
      );
  };
  const step = async (stage: Stage, id: number, name: string, expected: string) => {
    const incident = await loadIncident(db, id);
    await landed(incident, await stage(workOf(incident, name)), expected);
  };
  const prepare = async (name: string) => {
    const id = await addIncident(db, name);
    await step(plan, id, name, 'planned');
    await step(judge, id, name, 'acting');
    return workOf(await loadIncident(db, id), name);
  };
  return {
    prepare,
    async run(work) {
      await landed(work.incident, await execute(work), 'verifying');
    },
    async prepareRows(name) {
      const { incident } = await prepare(name);
      const [action] = await actionsOf(db, incident.id, 1);
      const resolution = catalogue.resolve('bench.change', { name }, {});
      if (!action || !resolution.ok) throw new Error('there is no such action');
      const { call } = resolution;
      const inspection = { uid: null, population: null, preview: null };
      const intent = { action, inspection, timeoutSeconds: call.timeoutSeconds };
      return async () => {
        const clearance = mint.clear(call, { incident: 'INC-0', action: action.id, grantor: 'bench' }, new Date());
        const added = await db.transaction(() => addIntent(db, intent, async () => true));
        const result = await client.call(call, { clearance, signal: new AbortController().signal });
        if (added !== 'added' || result.outcome !== 'succeeded') throw new Error(`${added}, ${result.outcome}`);
        await finishIntent(db, action.id, { outcome: result.outcome, said: { result: result.result } });
      };
    },
    async bareCall(name) {
      const resolution = catalogue.resolve('bench.change', { name }, {});
      if (!resolution.ok) throw new Error(resolution.message);
      const of = { incident: 'INC-0', action: `act-${name}`, grantor: 'bench' };
      const clearance = mint.clear(resolution.call, of, new Date());
      const request = { name: 'bench.change', arguments: { name }, _meta: { [CLEARANCE_META]: clearance } };
      const answer = await bare(request);
      if (answer.isError) throw new Error(JSON.stringify(answer.content));
    },
  };
}

function alertOf(name: string) {
  return {
    source: 'alertmanager',
    fingerprint: name,
    status: 'firing' as const,
    labels: { alertname: 'Slow', service: 'checkout', name },
    annotations: {},
    startsAt: new Date(),
    endsAt: null,
    generatorUrl: null,
    receivedAt: new Date(),
  };
}

async function addIncident(db: Database, name: string): Promise<number> {
  const { id } = await db.q
    .insertInto('incident')
    .values({
      ...{ state: 'diagnosed', correlation_key: name, title: name, severity: 'warning', trace_id: '0'.repeat(32) },
      labels: json(alertOf(name).labels),
      context: json({ v: 1 }),
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
