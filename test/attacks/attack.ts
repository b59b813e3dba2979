/** T1: lets every run happen in a world, and gathers what was seen that must not be. */
import { keepConfiguration } from './checks.ts';
import { messageOfError } from './errors.ts';
import { inParallel } from './in-parallel.ts';
import { type Breach, judgeLedger, type RunFacts } from './judge.ts';
import type { Planned } from './prepare.ts';
import type { Register } from './register.ts';
import { beginRun, CannotTell, type Run } from './run.ts';
import type { World } from './world.ts';

/** What was seen of one case that must not be seen. */
export interface Violation {
  readonly case: string;
  readonly run: string;
  readonly number: number;
  readonly mutation: string;
  readonly what: string;
}

export interface Attacked {
  /** Runs that happened, and that could be told about. */
  readonly runs: readonly Run[];
  /** Runs that came to nothing because something cannot be told, with why. */
  readonly untold: readonly { readonly run: Run; readonly why: string }[];
  readonly violations: readonly Violation[];
}

const AT_ONCE = 14;

/** Runs all of these in one world: most of them side by side, heavy ones and those that touch everybody one after another. */
export async function attackWorld(
  world: World,
  planned: readonly Planned[],
  { register, onRun }: { register: Register; onRun: () => void },
): Promise<Attacked> {
  const runs: Run[] = [];
  const untold: { run: Run; why: string }[] = [];
  const violations: Violation[] = [];
  await keepConfiguration(world);

  const one = async (next: Planned): Promise<void> => {
    const { attackCase, script } = next;
    const run = beginRun(world, register, next);
    const see = (what: string) =>
      violations.push({ case: attackCase.id, run: run.id, number: run.number, mutation: script.mutation, what });
    try {
      if (script.lane !== 'normal') run.measuredBefore = await world.measure();
      await script.attack(run);
      for (const check of script.checks) for (const what of await check(run)) see(what);
      for (const what of run.problems) see(what);
      runs.push(run);
    } catch (error) {
      if (error instanceof CannotTell) untold.push({ run, why: error.message });
      else {
        runs.push(run);
        see(world.alive() ? `the run broke off: ${messageOfError(error)}` : 'the process of Nightshift has ended');
      }
    }
    onRun();
  };

  const ofLane = (lane: string) => planned.filter(({ script }) => script.lane === lane);
  await inParallel(ofLane('normal'), AT_ONCE, one);
  await inParallel(ofLane('heavy'), 1, one);
  await inParallel(ofLane('alone'), 1, one);
  return { runs, untold, violations };
}

/** Judges a world's whole ledger, once everything has come to rest. */
export function judgeRuns(world: World, runs: readonly Run[], register: Register): Violation[] {
  const facts = new Map(runs.map((run) => [run.id, factsOf(run)]));
  return judgeLedger(world.ledger(), { runs: facts, register }).map((breach) => violationOf(breach, runs));
}

/** Gives what the judge must know of a run. */
export function factsOf(run: Run): RunFacts {
  const { id, firing, script, over } = run;
  return { id, firing, declared: script.declared ?? [], over };
}

function violationOf({ run: id, tool, arguments: args, why }: Breach, runs: readonly Run[]): Violation {
  const run = runs.find((one) => one.id === id);
  const what = `${tool} ${JSON.stringify(args).slice(0, 200)} ran, and ${why}`;
  return {
    case: run?.case.id ?? '?',
    run: id ?? '?',
    number: run?.number ?? -1,
    mutation: run?.script.mutation ?? '?',
    what,
  };
}
