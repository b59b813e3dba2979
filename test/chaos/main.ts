/** `npm run chaos`: kills and starves Nightshifts, and lets a ledger outside of them judge. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { LLMock } from '@copilotkit/aimock';
import { messageOf } from '../../src/errors.ts';
import { FAILPOINTS } from '../../src/failpoints.ts';
import { inParallel } from '../attacks/in-parallel.ts';
import { startMail } from './mail.ts';
import { whyNoNamespace } from './namespace.ts';
import { whyNoOwnPostgres } from './own-postgres.ts';
import { FAULT_KINDS, type FaultKind, type Plan, planOf, showPlan } from './plan.ts';
import type { Sabotage } from './replica.ts';
import { type RunResult, runOnce } from './run.ts';
import { makeTemplates } from './templates.ts';

/** From as many runs on, a point that none of them reached is one that the plans miss. */
const WHOLE_RUNS = 500;
/** It says how far it is after each so many. */
const SAY_RUNS = 50;
const DIAGNOSIS = {
  root_cause: 'It is ill.',
  confidence: 'high',
  citations: [],
  ruled_out: [],
  unknowns: [],
  inconclusive: true,
};

const { values } = readArguments({
  options: {
    runs: { type: 'string', default: '60' },
    kills: { type: 'string' },
    seed: { type: 'string', default: new Date().toISOString().slice(0, 10) },
    abreast: { type: 'string', default: '8' },
    faults: { type: 'string', default: FAULT_KINDS.join(',') },
    replay: { type: 'string' },
    results: { type: 'string' },
    sabotage: { type: 'string' },
    verbose: { type: 'boolean', default: false },
  },
});
function readArguments<T extends ParseArgsConfig>(config: T) {
  try {
    return parseArgs(config);
  } catch (error) {
    process.stderr.write(`chaos: ${messageOf(error)} (docs/chaos.md says what there is)\n`);
    process.exit(2);
  }
}
const say = (words: string) => process.stderr.write(`chaos: ${words}\n`);
const number = (name: string, text: string) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1`);
  return value;
};

// What runs is played to its end, and what was seen until then is counted; a second signal ends it at once.
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    if (interrupted) process.exit(130);
    interrupted = true;
    say(`${signal}: waits for the runs that are under way`);
  });
try {
  process.exitCode = await main();
} catch (error) {
  say(messageOf(error));
  process.exitCode = 2;
}
// A database that was dropped under a client, or a socket of a process that was killed, keeps nobody here.
setTimeout(() => process.exit(), 2000).unref();

async function main(): Promise<number> {
  const wanted = values.kills === undefined ? Number.POSITIVE_INFINITY : number('kills', values.kills);
  const runs = number('runs', values.runs);
  const kinds = kindsOf(values.faults);
  const seeds =
    values.replay === undefined ? Array.from({ length: runs }, (_, n) => `${values.seed}-${n + 1}`) : [values.replay];
  const plans = seeds.map((seed) => planOf(seed, kinds));
  const abreast = number('abreast', values.abreast);
  say(
    `${seeds.length > 1 ? `seed ${values.seed}, up to ${seeds.length} runs` : `replays ${seeds[0]}`}, ${abreast} abreast`,
  );
  const began = performance.now();
  if (!process.env.NIGHTSHIFT_TEST_DATABASE_URL)
    throw new Error('set NIGHTSHIFT_TEST_DATABASE_URL to the URL of a superuser on a Postgres with pgvector');
  const templates = await makeTemplates();
  const mail = await startMail();
  const mock = new LLMock({ port: 0 });
  await mock.start();
  mock.on({}, { content: JSON.stringify(DIAGNOSIS) });
  const tally = createTally();
  try {
    await inParallel(plans, abreast, async (plan) => {
      if (tally.kills >= wanted || interrupted) return;
      if (values.replay !== undefined || values.verbose) say(showPlan(plan));
      try {
        const result = await runOnce({
          plan,
          templates,
          modelUrl: mock.url,
          mail,
          sabotage: (values.sabotage as Sabotage | undefined) ?? null,
        });
        tally.add(result);
        if (result.violations.length > 0) report(result);
        if (tally.runs % SAY_RUNS === 0)
          say(`${tally.runs} runs, ${tally.kills} kills, ${tally.violations} violations`);
        if (values.verbose) say(`${plan.seed}: ${result.seconds.toFixed(1)} s, ${result.kills.length} kill(s)`);
      } catch (error) {
        tally.fail(plan);
        say(
          `${plan.seed} could not be played: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
      }
    });
  } finally {
    await mock.stop();
    await mail.stop();
    await templates.remove();
  }
  const code = conclude(tally, (performance.now() - began) / 1000, kinds);
  if (!Number.isFinite(wanted) || tally.kills >= wanted) return code;
  say(`only ${tally.kills} of ${wanted} kills happened in ${runs} runs`);
  return 1;
}

function kindsOf(text: string): FaultKind[] {
  const kinds = text.split(',').map((one) => {
    if (!(FAULT_KINDS as readonly string[]).includes(one))
      throw new Error(`--faults: there is no ${one}; there are ${FAULT_KINDS.join(', ')}`);
    return one as FaultKind;
  });
  const missing: Partial<Record<FaultKind, string | null>> = {
    postgres: whyNoOwnPostgres(),
    namespace: whyNoNamespace(),
  };
  for (const kind of kinds.filter((one) => missing[one])) say(`no ${kind}: ${missing[kind]}`);
  const left = kinds.filter((kind) => !missing[kind]);
  if (left.length === 0) throw new Error('nothing is left that could go wrong here');
  return left;
}

function createTally() {
  return {
    runs: 0,
    kills: 0,
    failed: 0,
    violations: 0,
    points: new Map<string, { killed: number; runs: number }>(FAILPOINTS.map((name) => [name, { killed: 0, runs: 0 }])),
    faults: new Map<string, number>(),
    add({ plan, kills, points, violations }: RunResult): void {
      this.runs += 1;
      this.kills += kills.length;
      this.violations += violations.length;
      for (const name of points) count(this.points, name).runs += 1;
      for (const kill of kills) if (kill) count(this.points, kill.point).killed += 1;
      for (const fault of plan.faults) {
        const name = 'how' in fault ? `${fault.kind} ${fault.how}` : fault.kind;
        this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
      }
    },
    fail(_: Plan): void {
      this.failed += 1;
    },
  };
}

function count(points: Map<string, { killed: number; runs: number }>, name: string) {
  const known = points.get(name) ?? { killed: 0, runs: 0 };
  points.set(name, known);
  return known;
}

function report({ plan, violations, logs, story }: RunResult): void {
  const folder = join(tmpdir(), 'nightshift-chaos-reports');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${plan.seed.replaceAll(/[^\w-]/g, '_')}.txt`);
  writeFileSync(
    file,
    `${showPlan(plan)}\n\n${JSON.stringify(violations, null, 1)}\n\n${JSON.stringify(story, null, 1)}\n`,
  );
  for (const log of logs) appendFileSync(file, `\n=== replica\n${log}`);
  for (const { rule, words } of violations) process.stdout.write(`VIOLATION ${plan.seed} ${rule}: ${words}\n`);
  const more = values.faults === FAULT_KINDS.join(',') ? '' : ` --faults ${values.faults}`;
  process.stdout.write(
    `  ${showPlan(plan)}\n  replay: npm run chaos -- --replay ${plan.seed}${more}\n  what was seen: ${file}\n`,
  );
}

function conclude(tally: ReturnType<typeof createTally>, seconds: number, kinds: readonly FaultKind[]): number {
  const missed = [...tally.points].filter(([, { runs }]) => runs === 0).map(([name]) => name);
  for (const [name, { killed, runs }] of tally.points)
    process.stdout.write(
      `${name.padEnd(30)} reached in ${String(runs).padStart(5)} run(s), killed ${String(killed).padStart(5)} time(s)\n`,
    );
  const whole = tally.runs >= WHOLE_RUNS;
  if (whole && missed.length > 0) process.stdout.write(`no run reached: ${missed.join(', ')}\n`);
  const reached = tally.points.size - missed.length;
  process.stdout.write(
    `${tally.runs} runs, ${tally.kills} kills, ${reached}/${tally.points.size} points reached, ${tally.violations} violations, ${tally.failed} not played, ${Math.round(seconds)} s\n`,
  );
  if (values.results !== undefined) keep(values.results, tally, seconds);
  return tally.violations > 0 || tally.failed > 0 || (whole && missed.length > 0 && kinds.includes('kill')) ? 1 : 0;
}

function keep(path: string, tally: ReturnType<typeof createTally>, seconds: number): void {
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as unknown[]) : [];
  const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { encoding: 'utf8' }).trim();
  const result = {
    date: new Date().toISOString(),
    commit,
    runs: tally.runs,
    kills: tally.kills,
    points: Object.fromEntries([...tally.points].map(([name, { killed }]) => [name, killed])),
    faults: Object.fromEntries([...tally.faults].sort(([a], [b]) => (a < b ? -1 : 1))),
    violations: tally.violations,
    notPlayed: tally.failed,
    seconds: Math.round(seconds),
    seed: values.replay ?? values.seed,
  };
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, `${JSON.stringify([...before, result], null, 2)}\n`);
}
