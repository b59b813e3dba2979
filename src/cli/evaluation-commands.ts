import type { Command } from 'commander';
import type { EvaluateOptions } from './evaluate.ts';
import type { Terminal } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

const ABREAST = 2;

/** Adds `eval`: recorded incidents worked on again, by runbooks alone and by models, and how well that went. */
export function addEvaluationCommands(program: Command, terminal: Terminal): void {
  // The other commands answer sooner without the whole of Nightshift.
  const load = () => import('./evaluate.ts');
  const evals = program.command('eval').description('recorded incidents worked on again, and how well that goes');

  evals
    .command('check')
    .description('report every mistake in the scenarios of a suite')
    .option('--suite <dir>', 'a folder of scenarios', 'scenarios')
    .action(async ({ suite }: { suite: string }) => (await load()).checkSuite(terminal, suite));

  evals
    .command('run')
    .description('run scenarios through the whole of Nightshift, and score what it says and what it sends')
    .option('--suite <dir>', 'a folder of scenarios', 'scenarios')
    .option(
      '--models <names>',
      'models of the configuration, separated by commas, each of which gets a column',
      listed,
      [],
    )
    .option('--repeat <n>', 'how often each scenario is run with a model', wholeNumber(1, 100), 1)
    .option('--abreast <n>', 'how many scenarios run at once', wholeNumber(1, 100), ABREAST)
    .option('--only <names>', 'only these scenarios, by their folders, separated by commas', listed, [])
    .option('--json <file>', 'write every score to a file')
    .option('--keep', 'keep the run under SUITE/results, so that later ones are compared with it')
    .option('--record <dir>', 'keep what the models answer in a folder for each of them in there')
    .option(
      '--recorded <dirs>',
      'such folders, separated by commas: a column for each, which asks no model',
      listed,
      [],
    )
    .action(async (options: EvaluateOptions) => (await load()).evaluateSuite(terminal, options));

  evals
    .command('record <incident>')
    .description('make a scenario of a real incident, without its secrets')
    .option('--out <dir>', 'the folder of the scenario; scenarios/inc-7 for INC-7 otherwise')
    .option('--force', 'overwrite it without asking')
    .action(async (incident: string, options: { out?: string; force?: boolean }) =>
      (await load()).recordOne(terminal, incident, options),
    );
}

function listed(text: string, before: readonly string[]): readonly string[] {
  return [
    ...before,
    ...text
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== ''),
  ];
}
