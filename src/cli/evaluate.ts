/** The work of `nightshift eval`, apart from its options. */
import { existsSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { describeProblems, messageOf, NightshiftError } from '../errors.ts';
import {
  checkScenario,
  keepResults,
  lastResults,
  RUNBOOK_MODE,
  readRecordedIncident,
  readRecording,
  readScenario,
  recordIncident,
  refuseEmptyTable,
  regressionsSince,
  renderMiss,
  renderTable,
  runSuite,
  type Scenario,
  type Score,
  scenarioFolders,
  summarizeColumn,
} from '../evaluation/index.ts';
import { plain } from '../incident/index.ts';
import { secretsOf, setSecrets } from '../telemetry/index.ts';
import { findServer } from './client.ts';
import { loadConfig } from './load-config.ts';
import type { Terminal } from './terminal.ts';

/** What `eval run` is told. */
export interface EvaluateOptions {
  readonly suite: string;
  readonly models: readonly string[];
  readonly repeat: number;
  readonly abreast: number;
  readonly only: readonly string[];
  readonly json?: string;
  readonly keep?: boolean;
  readonly record?: string;
  readonly recorded: readonly string[];
}

/** Reads a whole suite and says so. @throws NightshiftError `invalid_config` with every mistake in it. */
export function checkSuite(terminal: Terminal, suite: string): void {
  const scenarios = readSuite(resolve(terminal.directory, suite));
  warnOfUnreviewed(terminal, scenarios);
  const hand = scenarios.filter(({ world }) => world.recorded.by === 'hand').length;
  terminal.out(`${scenarios.length} scenario(s) are in order; ${hand} of them by hand`);
}

/**
 * Runs a suite, draws its table, and compares it with the last that was kept.
 * @throws NightshiftError `conflict` where something got worse, something was sent that must not have been, or the table would say nothing.
 */
export async function evaluateSuite(
  terminal: Terminal,
  { suite, models, repeat, abreast, only, json, keep, record, recorded }: EvaluateOptions,
): Promise<void> {
  const { out, err, directory, startNightshift: start } = terminal;
  if (!start) throw new NightshiftError('internal', 'this command line cannot start a Nightshift');
  if (keep && only.length > 0)
    throw new NightshiftError('conflict', '--keep: a part of a suite is not kept. Fix: leave --only out');
  if (record !== undefined && (models.length === 0 || record === ''))
    throw new NightshiftError(
      'conflict',
      '--record: no model is asked, or no folder named. Fix: --models NAME --record DIR',
    );
  const folder = resolve(directory, suite);
  const recordings = recorded.map((one) => readRecording(resolve(directory, one)));
  const scenarios = chosen(readSuite(folder), only);
  warnOfUnreviewed(terminal, scenarios);
  let done = 0;
  const runs = [1, ...models.map(() => repeat), ...recordings.map((one) => one.repeat)];
  const all = scenarios.length * runs.reduce((sum, one) => sum + one, 0);
  const onScore = (column: string, score: Score) => {
    done += 1;
    err(plain(`${done}/${all} ${column}: ${renderMiss(score) ?? `${score.scenario}: right`}`));
  };
  const config = loadConfig(terminal);
  if (json) writeScores(resolve(directory, json), {});
  const scores = await runSuite(scenarios, {
    ...{ start, config, models, repeat, recordings, abreast, onScore },
    record: record === undefined ? null : resolve(directory, record),
  });
  const results = { v: 1 as const, at: new Date().toISOString(), columns: Object.fromEntries(scores) };
  // What is refused as a table can still be looked into.
  if (json) writeScores(resolve(directory, json), results);
  refuseEmptyTable(scores);
  const baseline = scores.get(RUNBOOK_MODE) ?? [];
  out(
    renderTable([...scores].map(([name, own]) => summarizeColumn(name, own, name === RUNBOOK_MODE ? null : baseline))),
  );
  const gaps = [...scores.values()]
    .flat()
    .flatMap(({ scenario, unrecorded }) => unrecorded.map((look) => scenario + look));
  if (gaps.length > 0)
    out(`\n${new Set(gaps).size} look(s) were wanted that the worlds do not hold (--json lists them)`);
  const before = lastResults(folder, [...scores.keys()]);
  const compared = before ? `compared with ${before.file}` : 'nothing is kept to compare with (--keep)';
  out(`\n${scenarios.length} scenario(s); ${compared}`);
  const regressions = before ? regressionsSince(new Map(Object.entries(before.results.columns)), scores) : [];
  if (record !== undefined) out(`the answers are kept under ${resolve(directory, record)}`);
  if (keep) out(`kept as ${keepResults(folder, results)}`);
  const wrong = [
    ...[...scores].flatMap(([column, own]) =>
      own.flatMap(({ scenario, violations }) => violations.map((what) => `unsafe: ${column}: ${scenario}: ${what}`)),
    ),
    ...regressions.map(({ column, measure, words }) => `worse: ${column}: ${measure}: ${words}`),
  ];
  if (wrong.length > 0) throw new NightshiftError('conflict', wrong.map((one) => plain(one)).join('\n'));
}

function writeScores(path: string, results: object): void {
  try {
    writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
  } catch (cause) {
    const message = `--json: ${path} cannot be written: ${messageOf(cause)}. Fix: name a file in a folder that is there`;
    throw new NightshiftError('conflict', message, { cause });
  }
}

/** Makes a scenario of one incident of the running Nightshift; asks before it overwrites one. @throws NightshiftError where that cannot be. */
export async function recordOne(
  terminal: Terminal,
  incident: string,
  { out: named, force }: { out?: string; force?: boolean },
): Promise<void> {
  const answer = await findServer(terminal).request('GET', `/incidents/${encodeURIComponent(incident)}`);
  const shown = readRecordedIncident(answer);
  const folder = resolve(terminal.directory, named ?? join('scenarios', shown.id.toLowerCase()));
  if (existsSync(folder) && !force && !(await terminal.ask?.(`${folder} is there already. Overwrite it?`)))
    throw new NightshiftError(
      'conflict',
      `${folder} is there already, and is left as it is. Fix: name another --out, or say --force`,
    );
  const config = loadConfig(terminal);
  setSecrets(secretsOf(config));
  recordIncident(shown, config, folder);
  const next = 'Read scenario.yaml, correct what it expects, and take reviewed: false out.';
  terminal.out(`${folder}: ${basename(folder)} is recorded. ${next}`);
}

/** Reads every scenario of a suite. @throws NightshiftError `invalid_config` with every mistake in all of them. */
function readSuite(suite: string): Scenario[] {
  const read = scenarioFolders(suite).map(readScenario);
  if (read.length === 0)
    throw new NightshiftError('not_found', `--suite: ${suite} holds no scenario. Fix: name a folder of scenarios`);
  const problems = read.flatMap(({ scenario, problems: own }) => [
    ...own,
    ...(scenario ? checkScenario(scenario) : []),
  ]);
  if (problems.length > 0)
    throw new NightshiftError(
      'invalid_config',
      `${problems.length} mistake(s) in ${suite}:\n${describeProblems(problems)}`,
      { problems },
    );
  return read.flatMap(({ scenario }) => scenario ?? []);
}

function chosen(scenarios: readonly Scenario[], only: readonly string[]): readonly Scenario[] {
  if (only.length === 0) return scenarios;
  const unknown = only.filter((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown.length === 0) return scenarios.filter(({ name }) => only.includes(name));
  throw new NightshiftError(
    'not_found',
    `--only: there is no scenario ${unknown.join(', ')}. Fix: name a folder of the suite`,
  );
}

function warnOfUnreviewed({ err }: Terminal, scenarios: readonly Scenario[]): void {
  for (const { name } of scenarios.filter(({ reviewed }) => !reviewed))
    err(plain(`nightshift: warning: ${name}: nobody has read what is expected (reviewed: false)`));
}
