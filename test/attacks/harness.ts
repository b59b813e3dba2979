/** The whole harness: T1, T1b and T2 over a file of cases. */
import { type Attacked, attackWorld, judgeRuns, type Violation } from './attack.ts';
import { type Benign, benignIncidents } from './benign.ts';
import { readCases } from './case.ts';
import { cardsShown, foreignHosts } from './checks.ts';
import { withoutGate } from './gate-removed.ts';
import { type NotExecuted, type Planned, planRuns, preparedFor } from './prepare.ts';
import { createRegister, type Register } from './register.ts';
import type { Run, WorldKind } from './run.ts';
import type { Scorecard } from './scorecard.ts';
import { wrongInSlack } from './show.ts';
import { ENVIRONMENT } from './vectors/alert-annotation.ts';
import { startWorld, type World } from './world.ts';

export interface HarnessOptions {
  readonly casesFile: string;
  readonly mutations: number;
  readonly seed: string;
  /** Declares every harmful tool as safe and lets a runbook declare it: the harness must find that. */
  readonly breach: boolean;
  readonly onProgress: (words: string) => void;
}

/** What was seen in one world. */
interface Seen extends Attacked {
  /** Entries of its ledger that must not be there. */
  readonly breaches: readonly Violation[];
  readonly benign: Benign | null;
}

/** Each is a Nightshift of its own, at the same time as the others; the benign incidents happen where people use Slack. */
const WORLDS: Readonly<Record<WorldKind, { readonly slack: boolean; readonly ttlSeconds: number }>> = {
  slack: { slack: true, ttlSeconds: 900 },
  plain: { slack: false, ttlSeconds: 900 },
  short: { slack: true, ttlSeconds: 1 },
};
const QUIET_MS = 1500;

/** Runs everything and gives the scorecard. @throws Error where the file holds no cases, or no world can be started. */
export async function runHarness(options: HarnessOptions): Promise<Scorecard> {
  const started = Date.now();
  const { mutations, seed, onProgress } = options;
  const cases = readCases(options.casesFile);
  const { planned, notExecuted } = planRuns(cases, { mutations, seed });
  const register = createRegister();
  let done = 0;
  const onRun = () => {
    done += 1;
    if (done % 100 === 0) onProgress(`${done} of ${planned.length} runs`);
  };
  onProgress(`${cases.length} cases, ${planned.length} runs`);
  const kinds = (Object.keys(WORLDS) as WorldKind[]).filter(
    (kind) => kind === 'slack' || planned.some(({ script }) => script.world === kind),
  );
  const seen = await Promise.all(
    kinds.map((kind) => {
      const own = planned.filter(({ script }) => script.world === kind);
      return inWorld(kind, own, { register, onRun, breach: options.breach, firstBenign: planned.length + 1 });
    }),
  );

  const unexecuted = [...notExecuted, ...notTold(seen.flatMap(({ untold }) => untold))];
  const without = new Set(unexecuted.map(({ id }) => id));
  const runs = seen.flatMap((one) => one.runs).filter((run) => !without.has(run.case.id));
  const breaches = seen.flatMap((one) => one.breaches);
  return {
    cases: cases.length,
    executed: cases.filter(({ id }) => !without.has(id)).length,
    notExecuted: unexecuted,
    runs: runs.length,
    unapproved: breaches.length,
    gateRemoved: await withoutGate(runs),
    benign: seen.find(({ benign }) => benign !== null)?.benign ?? { runs: 0, completed: 0, failed: [] },
    violations: [...breaches, ...seen.flatMap(({ violations }) => violations)],
    mutations,
    seed,
    database: process.env.NIGHTSHIFT_TEST_DATABASE_URL ? 'postgres' : 'embedded',
    seconds: Math.round((Date.now() - started) / 1000),
  };
}

interface InWorld {
  readonly register: Register;
  readonly breach: boolean;
  readonly onRun: () => void;
  readonly firstBenign: number;
}

async function inWorld(
  kind: WorldKind,
  planned: readonly Planned[],
  { register, breach, onRun, firstBenign }: InWorld,
): Promise<Seen> {
  const world = await startWorld({ prepared: preparedFor(planned), breach, env: ENVIRONMENT, ...WORLDS[kind] });
  try {
    const attacked = await attackWorld(world, planned, { register, onRun });
    // A planted breach contradicts every good runbook, so no remedy would run by itself there.
    const told = kind === 'slack' && !breach ? await benignIncidents(world, register, firstBenign) : null;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    // What a run left in the ledger is judged even where nothing else can be told of it.
    const all = [...attacked.runs, ...attacked.untold.map(({ run }) => run), ...(told?.runs ?? [])];
    const breaches = judgeRuns(world, all, register);
    const violations = [...attacked.violations, ...(await ofTheWhole(world))];
    return { ...attacked, violations, breaches, benign: told?.benign ?? null };
  } finally {
    await world.stop();
  }
}

/** A case whose run as it stands cannot be told about is not executed, whatever its mutations showed. */
function notTold(untold: readonly { run: Run; why: string }[]): NotExecuted[] {
  return untold.filter(({ run }) => run.number === 0).map(({ run, why }) => ({ id: run.case.id, reason: why }));
}

/** What must hold of everything together: whom it talked to, what Slack was shown, and that it is still there. */
async function ofTheWhole(world: World): Promise<Violation[]> {
  if (!world.alive()) return [violation('the process of Nightshift has ended')];
  const { outbound } = await world.measure();
  const shown = world.workspace.calls
    .filter(({ method }) => method.startsWith('chat.'))
    .flatMap(({ body }) => wrongInSlack(body));
  const hosts = foreignHosts(outbound).map((host) => `Nightshift connected to ${host}`);
  return [...hosts, ...[...new Set(shown)].slice(0, 20), ...cardsShown(world)].map(violation);
}

function violation(what: string): Violation {
  return { case: '(all)', run: '-', number: -1, mutation: '-', what };
}
