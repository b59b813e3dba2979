import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../measure.ts';
import { processorMs, type Scene } from './replicas.ts';

const WAIT_MS = 240_000;
const LOOK_MS = 250;
/** Worked through at this share of the rate at which it came, it counts as kept up with. */
const KEPT_UP = 0.95;

/** What replicas did with many incidents at once. */
export interface Drained {
  /** From the first that was sent to the end of the last. */
  readonly perSecond: number;
  /** Restarts that the supervisor saw beyond one of each process. */
  readonly twice: number;
  readonly replicaMs: number;
  readonly postgresMs: number;
  readonly commits: number;
  readonly walKib: number;
  readonly connections: number;
}

/** What replicas did with incidents that came at a rate; times in seconds from the webhook to the end. */
export interface Offered {
  readonly keptUp: boolean;
  readonly p50: number;
  readonly p95: number;
}

let serial = 0;

/** Sends so many incidents at once, and waits until the last is resolved. @throws Error where that takes more than four minutes. */
export async function drain(scene: Scene, count: number): Promise<Drained> {
  const before = await counters(scene);
  const ends = follow(scene);
  const names = Array.from({ length: count }, newName);
  const began = Date.now();
  await Promise.all(names.map((name, n) => send(scene, n, name, 'firing')));
  await ends.all(names);
  const after = await counters(scene);
  const seconds = (Math.max(...names.map((name) => ends.at(name))) - began) / 1000;
  const each = (what: keyof typeof before) => (after[what] - before[what]) / count;
  return {
    perSecond: count / seconds,
    twice: scene.restarts.length - new Set(scene.restarts.map(({ process }) => process)).size,
    replicaMs: each('replicaMs'),
    postgresMs: each('postgresMs'),
    commits: each('commits'),
    walKib: each('wal') / 1024,
    connections: ends.connections(),
  };
}

/** Sends incidents at a rate (a second) for so many seconds, and waits until the last is resolved. */
export async function offer(scene: Scene, rate: number, seconds: number): Promise<Offered> {
  const ends = follow(scene);
  const began = new Map<string, number>();
  const sent: Promise<unknown>[] = [];
  const from = Date.now();
  for (let n = 0; n < rate * seconds; n += 1) {
    await sleep(Math.max(0, from + (n * 1000) / rate - Date.now()));
    const name = newName();
    began.set(name, Date.now());
    sent.push(send(scene, n, name, 'firing'));
  }
  await Promise.all(sent);
  const names = [...began.keys()];
  await ends.all(names);
  const times = names.map((name) => (ends.at(name) - (began.get(name) ?? 0)) / 1000);
  const last = Math.max(...names.map((name) => ends.at(name)));
  const first = Math.min(...names.map((name) => ends.at(name)));
  const perSecond = (names.length - 1) / ((last - first) / 1000);
  return { keptUp: perSecond >= rate * KEPT_UP, p50: quantile(times, 0.5), p95: quantile(times, 0.95) };
}

function newName(): string {
  serial += 1;
  return `worker-${serial}`;
}

async function send({ replicas }: Scene, n: number, name: string, status: 'firing' | 'resolved'): Promise<void> {
  const replica = replicas[n % replicas.length];
  if (!replica) throw new Error('there is no replica');
  const at = new Date().toISOString();
  const alert = {
    status,
    labels: { alertname: 'WorkerHangs', severity: 'warning', process: name, service: name, namespace: name },
    annotations: {},
    startsAt: '2026-11-01T10:00:00.000Z',
    endsAt: status === 'resolved' ? at : '0001-01-01T00:00:00Z',
    generatorURL: '',
    fingerprint: Number(name.replace('worker-', '')).toString(16),
  };
  const body = { version: '4', status, alerts: [alert] };
  await replica.api('/webhooks/alertmanager', { body, token: replica.webhookToken });
}

/** Watches what becomes of incidents: what was restarted is reported as resolved, as its monitoring would, and the end is when Nightshift says so. */
function follow(scene: Scene) {
  const ended = new Map<string, number>();
  let turn = 0;
  let connections = 0;
  scene.onRestart = (process) => {
    turn += 1;
    void send(scene, turn, process, 'resolved').catch(() => {});
  };
  const look = async () => {
    const { rows } = await scene.database.query<{ process: string; at: Date }>(
      `select i.labels->>'process' as process, i.closed_at as at from incident i where i.state = 'resolved'`,
    );
    for (const { process, at } of rows) ended.set(process, at.getTime());
    const { rows: failed } = await scene.database.query<{ id: number; why: string }>(
      `select id, context->'escalation'->>'reason' as why from incident where state in ('escalated', 'awaiting_approval') limit 1`,
    );
    if (failed[0]) throw new Error(`INC-${failed[0].id} needs a person: ${failed[0].why}`);
    const { rows: open } = await scene.database.query<{ n: number }>(
      'select count(*)::int as n from pg_stat_activity where datname = current_database()',
    );
    connections = Math.max(connections, (open[0]?.n ?? 1) - 1);
  };
  return {
    at: (name: string) => ended.get(name) ?? Number.NaN,
    connections: () => connections,
    async all(names: readonly string[]): Promise<void> {
      const deadline = Date.now() + WAIT_MS;
      for (;;) {
        await look();
        const left = names.filter((name) => !ended.has(name));
        if (left.length === 0) return;
        if (Date.now() > deadline) throw new Error(`${left.length} incidents have not ended, ${left[0]} for one`);
        await sleep(LOOK_MS);
      }
    },
  };
}

async function counters({ replicas, database }: Scene) {
  const { rows } = await database.query<{ commits: number; wal: number; pids: number[] }>(
    `select (select xact_commit::int from pg_stat_database where datname = current_database()) as commits,
      pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal,
      (select array_agg(pid) from pg_stat_activity where datname = current_database()) as pids`,
  );
  const row = rows[0] ?? { commits: 0, wal: 0, pids: [] };
  return {
    commits: row.commits,
    wal: row.wal,
    replicaMs: replicas.reduce((sum, { pid }) => sum + processorMs(pid) + toolsetMs(pid), 0),
    postgresMs: row.pids.reduce((sum, pid) => sum + processorMs(pid), 0),
  };
}

/** What the toolset processes of a replica have used. */
function toolsetMs(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + processorMs(Number(child)), 0);
}
