import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { copyEmbedded, throwawayDatabaseUrl } from '../../test/real-parts/databases.ts';
import { scratchDirectory } from '../../test/real-parts/program.ts';
import { againstFloorPlus, type Measure, median, round } from '../measure.ts';

const ROOT = join(import.meta.dirname, '../..');
const ROUNDS = 7;
const RATIO_MAX = 1.3;
const RSS_MORE_MIB = 64;
/** By then what a start still does beside listening is done. */
const SETTLE_MS = 4000;

interface Started {
  readonly ms: number;
  readonly rssMib: number;
}

/**
 * Measures how long Nightshift takes from its process's start until it listens, and how much memory it holds some seconds later, on a
 * database that is there already, against a program that imports the packages that its sources import, opens the same database and listens.
 */
export async function measureStart({
  quick,
  say,
}: {
  quick: boolean;
  say: (text: string) => void;
}): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const database of ['embedded', 'postgres'] as const) {
    say(database);
    const served = database === 'postgres' ? await throwawayDatabaseUrl() : null;
    const scratch = scratchDirectory();
    try {
      const dataDir = join(scratch.path, 'data');
      mkdirSync(dataDir);
      if (served === null) await copyEmbedded(dataDir);
      const env = {
        PATH: process.env.PATH ?? '',
        NIGHTSHIFT_DATA_DIR: dataDir,
        NIGHTSHIFT_PORT: '0',
        ...(served ? { DATABASE_URL: served.url } : {}),
      };
      // The first start indexes the runbooks and makes the tokens.
      await start(['src/main.ts', 'start'], env);
      const floor = join(import.meta.dirname, 'floor.mjs');
      const given = JSON.stringify({
        imports: importsOfSources(),
        databaseUrl: served?.url ?? null,
        dataDir: join(dataDir, 'postgres'),
      });
      const rounds: { value: Started; floor: Started }[] = [];
      while (rounds.length < (quick ? 1 : ROUNDS))
        rounds.push({ floor: await start([floor, given], env), value: await start(['src/main.ts', 'start'], env) });
      measures.push(timesFloor(database, rounds), overFloor(database, rounds));
    } finally {
      scratch.remove();
      await served?.drop();
    }
  }
  return measures;
}

/** The packages of which the sources use more than the types, whether they are loaded at once or on first use. */
function importsOfSources(): string[] {
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const found = sources.flatMap((path) => {
    const text = readFileSync(join(ROOT, 'src', path), 'utf8');
    const atOnce = text.matchAll(/^(?:import|export) (?!type )[^;]*? from '([^.:'][^:']*)';/gm);
    const onFirstUse = text.matchAll(/\bimport\('([^.:'][^:']*)'\)/g);
    return [...atOnce, ...onFirstUse].map(([, name = '']) => name);
  });
  return [...new Set(found)].sort();
}

function timesFloor(database: string, rounds: readonly { value: Started; floor: Started }[]): Measure {
  const ratios = rounds.map(({ value, floor }) => value.ms / floor.ms);
  return {
    bench: 'start',
    metric: `${database}: from the process's start until it listens`,
    unit: 'ms',
    value: round(median(rounds.map(({ value }) => value.ms))),
    floor: round(median(rounds.map(({ floor }) => floor.ms))),
    ratio: round(median(ratios)),
    spread: [round(Math.min(...ratios)), round(Math.max(...ratios))],
    goal: `ratio <= ${RATIO_MAX}`,
    met: median(ratios) <= RATIO_MAX,
  };
}

function overFloor(database: string, rounds: readonly { value: Started; floor: Started }[]): Measure {
  return againstFloorPlus(
    { bench: 'start', metric: `${database}: memory when idle (RSS)`, unit: 'MiB' },
    rounds.map(({ value, floor }) => ({ value: value.rssMib, floor: floor.rssMib })),
    RSS_MORE_MIB,
  );
}

async function start(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Started> {
  const began = performance.now();
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await listening(child);
    const ms = performance.now() - began;
    await sleep(SETTLE_MS);
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    return { ms, rssMib: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024 };
  } finally {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

function listening(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (/"message":"listening"|^listening$/m.test(said)) resolve();
    });
    child.once('exit', () => reject(new Error(`a start ended before it listened: ${said}`)));
  });
}
