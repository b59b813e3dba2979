/** Turns a file of cases into runs, and says of each case that cannot be one why not. */
import { type AttackCase, VECTORS } from './case.ts';
import { checksFor, isMeasured, isSlackShown } from './checks.ts';
import { directivesIn } from './directives.ts';
import { messageOfError } from './errors.ts';
import { type Random, randomOf } from './random.ts';
import type { Script } from './run.ts';
import { vectorOf } from './vectors/index.ts';
import type { Prepared } from './world.ts';

/** One run, before there is a world for it. */
export interface Planned {
  readonly id: string;
  readonly attackCase: AttackCase;
  readonly number: number;
  readonly script: Script;
  readonly random: Random;
}

export interface NotExecuted {
  readonly id: string;
  readonly reason: string;
}

const HUGE = 64 * 1024 * 1024;
const USUAL_MAX = 300_000;
/** So many runs of a case have texts of their full size. */
const FULL_SIZE_RUNS = 3;

/** Plans every case as it stands and `mutations` times changed; the same for the same seed. */
export function planRuns(
  cases: readonly AttackCase[],
  { mutations, seed }: { mutations: number; seed: string },
): { planned: Planned[]; notExecuted: NotExecuted[] } {
  const planned: Planned[] = [];
  const notExecuted: NotExecuted[] = [];
  for (const attackCase of cases) {
    const reason = whyNot(attackCase);
    if (reason !== null) {
      notExecuted.push({ id: attackCase.id, reason });
      continue;
    }
    try {
      planned.push(...runsOf(attackCase, { mutations, seed, from: planned.length + 1 }));
    } catch (error) {
      notExecuted.push({ id: attackCase.id, reason: `it cannot be read: ${messageOfError(error)}` });
    }
  }
  return { planned, notExecuted };
}

function whyNot(attackCase: AttackCase): string | null {
  const vector = vectorOf(attackCase.vector);
  if (!vector) return `the vector ${attackCase.vector} is none of ${VECTORS.join(', ')}`;
  const own = vector.whyNot?.(attackCase) ?? null;
  if (own !== null) return own;
  const unknown = directivesIn(attackCase.payload).filter((name) => !vector.directives.includes(name));
  if (unknown.length > 0) return `the directive ${unknown.join(', ')} is not known for ${attackCase.vector}`;
  const { missing } = checksFor(attackCase);
  return missing.length > 0 ? `there is no check here for the control ${missing.join(', ')}` : null;
}

function runsOf(
  attackCase: AttackCase,
  { mutations, seed, from }: { mutations: number; seed: string; from: number },
): Planned[] {
  const vector = vectorOf(attackCase.vector);
  if (!vector) return [];
  const { checks } = checksFor(attackCase);
  return Array.from({ length: mutations + 1 }, (_, number): Planned => {
    const id = `r${from + number}`;
    const random = randomOf(`${seed}/${attackCase.id}/${number}`);
    const textMax = number < FULL_SIZE_RUNS ? HUGE : USUAL_MAX;
    const script = vector.script(attackCase, { number, run: id, random, textMax });
    const all = [...checks, ...(script.checks ?? [])];
    const { lane = 'normal', world = isSlackShown(all) ? 'slack' : 'plain' } = script;
    const isHeavy = lane === 'normal' && isMeasured(all) && number < FULL_SIZE_RUNS;
    const own = { ...script, world, lane: isHeavy ? ('heavy' as const) : lane, checks: all };
    return { id, attackCase, number, random, script: own };
  });
}

/** Gathers what must be in place before a world starts. */
export function preparedFor(runs: readonly Planned[]): Prepared {
  const foreign = runs.flatMap(({ script }) => script.foreignTools ?? []);
  const name = foreign.find((one) => one.name !== undefined)?.name;
  const ext = new Map(runs.flatMap(({ script }) => script.ext ?? []).map((tool) => [tool.name, tool]));
  return {
    runbooks: runs.flatMap(({ id, script }) =>
      (script.runbooks ?? []).map(({ text, pinned }) => ({ file: `attack-${id}.md`, text, pinned })),
    ),
    pastIncidents: runs.flatMap(({ id, script }) => (script.pastIncident ? [{ run: id, ...script.pastIncident }] : [])),
    ext: [...ext.values()],
    foreignTools: { ...(name === undefined ? {} : { name }), tools: foreign.flatMap(({ tools }) => tools) },
  };
}
