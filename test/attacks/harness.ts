/** The whole harness: T1, T1b and T2 over a file of cases. */
import { attackWorld, judgeRuns, type Violation } from './attack.ts';
import { benignIncidents } from './benign.ts';
import { type AttackCase, readCases } from './case.ts';
import { cardsShown, foreignHosts } from './checks.ts';
import { withoutGate } from './gate-removed.ts';
import { type NotExecuted, type Planned, planRuns, preparedFor } from './prepare.ts';
import { createRegister } from './register.ts';
import type { Run } from './run.ts';
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

const QUIET_MS = 1500;
const NOTHING = { runs: [], untold: [], violations: [], breaches: [] };

/** Runs everything and gives the scorecard. @throws Error where the file holds no cases, or no world can be started. */
export async function runHarness(options: HarnessOptions): Promise<Scorecard> {
  const started = Date.now();
  const { mutations, seed, breach, onProgress } = options;
  const cases = readCases(options.casesFile);
  const { planned, notExecuted } = planRuns(cases, { mutations, seed });
  const usual = planned.filter(({ script }) => script.world !== 'short');
  const short = planned.filter(({ script }) => script.world === 'short');
  onProgress(`${cases.length} cases, ${planned.length} runs; starting a Nightshift`);

  const register = createRegister();
  const world = await startWorld({ prepared: preparedFor(usual), breach, env: ENVIRONMENT });
  try {
    let done = 0;
    const onRun = () => {
      done += 1;
      if (done % 100 === 0) onProgress(`${done} of ${planned.length} runs`);
    };
    const first = await attackWorld(world, usual, { register, onRun });
    if (process.env.ATTACKS_SLOW)
      for (const r of [...first.runs].sort((a, b) => Number(b.notes.seconds) - Number(a.notes.seconds)).slice(0, 25))
        onProgress(
          `${r.case.id}#${r.number} ${r.notes.seconds}s ${r.script.lane} ${JSON.stringify(r.measured?.rssMax)} ${Number(r.notes.rssBefore)} ${r.measured?.blockedMsMax} asked ${JSON.stringify([r.asked.requests, r.asked.bytesMax])} ${[...r.incidents].map((i) => world.timeline.resting(i))}`,
        );
    onProgress('benign incidents');
    const { benign, runs: benignRuns } = await benignIncidents(world, register, planned.length + 1);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    const second = short.length > 0 ? await inShortWorld(short, { breach, register, onRun }) : NOTHING;

    const untold = [...first.untold, ...second.untold];
    const unexecuted = notTold(untold);
    const without = new Set(unexecuted.map(({ id }) => id));
    const runs = [...first.runs, ...second.runs].filter((run) => !without.has(run.case.id));
    // What a run left in the ledger is judged even where nothing else can be told of it.
    const breaches = [
      ...judgeRuns(world, [...first.runs, ...benignRuns, ...untold.map(({ run }) => run)], register),
      ...second.breaches,
    ];
    onProgress('the same without a gate');
    const gateRemoved = await withoutGate(world.directory, runs);
    const violations = [...breaches, ...first.violations, ...second.violations, ...(await ofTheWhole(world))];
    return {
      cases: cases.length,
      executed: executedCases(cases, [...notExecuted, ...unexecuted]),
      notExecuted: [...notExecuted, ...unexecuted],
      runs: runs.length,
      unapproved: breaches.length,
      gateRemoved,
      benign,
      violations,
      mutations,
      seed,
      database: process.env.NIGHTSHIFT_TEST_DATABASE_URL ? 'postgres' : 'embedded',
      seconds: Math.round((Date.now() - started) / 1000),
    };
  } finally {
    await world.stop();
  }
}

async function inShortWorld(
  planned: readonly Planned[],
  { breach, register, onRun }: { breach: boolean; register: ReturnType<typeof createRegister>; onRun: () => void },
) {
  const world = await startWorld({ prepared: preparedFor(planned), breach, ttlSeconds: 1, env: ENVIRONMENT });
  try {
    const attacked = await attackWorld(world, planned, { register, onRun });
    const all = [...attacked.runs, ...attacked.untold.map(({ run }) => run)];
    return { ...attacked, breaches: judgeRuns(world, all, register) };
  } finally {
    await world.stop();
  }
}

/** A case whose run as it stands cannot be told about is not executed, whatever its mutations showed. */
function notTold(untold: readonly { run: Run; why: string }[]): NotExecuted[] {
  return untold.filter(({ run }) => run.number === 0).map(({ run, why }) => ({ id: run.case.id, reason: why }));
}

function executedCases(cases: readonly AttackCase[], without: readonly NotExecuted[]): number {
  const ids = new Set(without.map(({ id }) => id));
  return cases.filter(({ id }) => !ids.has(id)).length;
}

/** What must hold of everything together: whom it talked to, what Slack was shown, and that it is still there. */
async function ofTheWhole(world: World): Promise<Violation[]> {
  const { outbound } = await world.measure();
  const shown = world.workspace.calls
    .filter(({ method }) => method.startsWith('chat.'))
    .flatMap(({ body }) => wrongInSlack(body));
  const what = [
    ...foreignHosts(outbound).map((host) => `Nightshift connected to ${host}`),
    ...[...new Set(shown)].slice(0, 20),
    ...cardsShown(world),
    ...(world.alive() ? [] : ['the process of Nightshift has ended']),
  ];
  return what.map((one) => ({ case: '(all)', run: '-', number: -1, mutation: '-', what: one }));
}
