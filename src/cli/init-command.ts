import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { ADDRESS_VARIABLES, KEY_VARIABLES, modeSchema, personNameSchema } from '../config/index.ts';
import { describeProblems, NightshiftError } from '../errors.ts';
import { checkConfig } from './check-config.ts';
import { invocation, startCommand } from './invocation.ts';
import { type Answers, renderNightshiftYaml } from './nightshift-yaml.ts';
import type { Terminal } from './terminal.ts';

const PACKAGE = join(import.meta.dirname, '../..');
const FILE = 'nightshift.yaml';
const FOUND_MS_MAX = 500;
const NONE = 'none';

interface Given {
  readonly yes?: boolean;
  readonly mode?: string;
  readonly prometheus?: string;
  readonly alertmanager?: string;
  readonly runbooks?: string;
  readonly approvers?: string;
}

/** Gives what is wrong with an answer, or null. */
type Check = (answer: string) => string | null;

const checkMode: Check = (answer) =>
  modeSchema.safeParse(answer).success ? null : `write one of ${modeSchema.options.join(', ')}`;
const checkUrl: Check = (answer) =>
  answer === NONE || (URL.canParse(answer) && /^https?:\/\//.test(answer))
    ? null
    : `write a URL such as http://127.0.0.1:9090, or ${NONE}`;
const checkFolder: Check = (answer) => (answer === '' || /[\n\0]/.test(answer) ? 'write the path of a folder' : null);
const checkNames: Check = (answer) => {
  const wrong = namesIn(answer).find((name) => !personNameSchema.safeParse(name).success);
  return wrong === undefined ? null : `${wrong} cannot be a name: use letters, digits and . @ _ -`;
};

/** Adds the command that writes a first nightshift.yaml. It looks at this machine only, and sends nothing anywhere. */
export function addInitCommand(program: Command, terminal: Terminal): void {
  program
    .command('init')
    .description('ask a few questions and write nightshift.yaml with comments')
    .option('-y, --yes', 'ask nothing, and take the default of what no option says')
    .addOption(new Option('--mode <mode>', 'how far Nightshift may go').choices(modeSchema.options))
    .option('--prometheus <url>', `base URL of Prometheus, or ${NONE}`)
    .option('--alertmanager <url>', `base URL of Alertmanager, or ${NONE}`)
    .option('--runbooks <folder>', 'the folder of your runbooks')
    .option('--approvers <names>', `who may approve, separated by commas, or ${NONE}`)
    .action((given: Given) => init(terminal, given));
}

async function init(terminal: Terminal, given: Given): Promise<void> {
  const { out, directory } = terminal;
  const path = resolve(directory, FILE);
  if (existsSync(path)) throw refusal(path);
  const ask = createQuestions(terminal, given.yes === true);
  const [prometheus, alertmanager] = await Promise.all([
    foundAt('http://127.0.0.1:9090', '/-/ready'),
    foundAt('http://127.0.0.1:9093', '/-/ready'),
  ]);
  const mode = await ask(given.mode, 'How far may it go: observe, ask or auto?', 'observe', checkMode);
  const answers: Answers = {
    mode,
    prometheus: orNull(await ask(given.prometheus, 'Where is your Prometheus?', prometheus, checkUrl)),
    alertmanager: orNull(await ask(given.alertmanager, 'Where is your Alertmanager?', alertmanager, checkUrl)),
    runbooks: await ask(given.runbooks, 'In which folder are your runbooks?', 'runbooks', checkFolder),
    approvers: namesIn(await ask(given.approvers, 'Who may approve changes (names)?', NONE, checkNames)),
    schema: schemaFor(directory),
  };
  try {
    // Nobody's file is overwritten, also where it came in between.
    writeFileSync(path, renderNightshiftYaml(answers), { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw refusal(path);
    throw error;
  }
  out(`wrote ${FILE}`);
  for (const made of makeFolders(directory, answers.runbooks)) out(`made ${made}`);
  for (const line of described(terminal, answers)) out(line);
  const { problems } = await checkConfig(terminal);
  if (problems.length > 0)
    throw new NightshiftError('invalid_config', `it does not work yet:\n${describeProblems(problems)}`, { problems });
}

function refusal(path: string): NightshiftError {
  const fix = 'change it by hand and run nightshift config check, or move it away';
  return new NightshiftError('conflict', `${path} is there already. Fix: ${fix}`);
}

/** Asks where nothing is given. A person is asked again after a wrong answer; what comes through a pipe has one try. */
function createQuestions(terminal: Terminal, isSilent: boolean) {
  const isPerson = terminal.ask !== undefined;
  return async (given: string | undefined, question: string, usual: string, check: Check): Promise<string> => {
    for (;;) {
      const said = given ?? (isSilent ? null : ((await terminal.prompt?.(`${question} [${usual}] `)) ?? null));
      const answer = said?.trim() || usual;
      const wrong = check(answer);
      if (wrong === null) return answer;
      if (given !== undefined || !isPerson)
        throw new NightshiftError('invalid_config', `${question} ${JSON.stringify(answer)}: ${wrong}`);
      terminal.err(wrong);
    }
  };
}

/** Whether something answers on this machine; no proxy is asked. */
function foundAt(url: string, path: string): Promise<string> {
  return new Promise((resolve) => {
    const request = get(`${url}${path}`, { agent: new Agent(), timeout: FOUND_MS_MAX }, (response) => {
      response.resume();
      resolve(response.statusCode === 200 ? url : NONE);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(NONE));
  });
}

function orNull(answer: string): string | null {
  return answer === NONE ? null : answer;
}

function namesIn(answer: string): string[] {
  return answer === NONE ? [] : answer.split(/[\s,]+/).filter((name) => name !== '');
}

/** Relative where Nightshift is below this folder, so that the file means the same in another clone. */
function schemaFor(directory: string): string {
  const schema = join(PACKAGE, 'docs', 'nightshift.schema.json');
  const near = relative(directory, schema);
  return near.startsWith('..') || isAbsolute(near) ? schema : near;
}

/** Makes the folders that the file names and that are not there, the policies with those that ship. */
function makeFolders(directory: string, runbooks: string): string[] {
  const made: string[] = [];
  const folder = resolve(directory, runbooks);
  if (!existsSync(folder)) {
    mkdirSync(folder, { recursive: true });
    made.push(`${runbooks}/ (empty)`);
  }
  const policies = resolve(directory, 'policies');
  if (!existsSync(policies)) {
    mkdirSync(policies);
    for (const name of ['default.yaml', 'default.test.yaml'])
      copyFileSync(join(PACKAGE, 'policies', name), join(policies, name));
    made.push('policies/ (the policy that ships with Nightshift)');
  }
  return made;
}

function described({ env }: Terminal, { mode, runbooks, prometheus }: Answers): string[] {
  const isSet = (name: string) => Boolean(env[name] || env[`${name}_FILE`]);
  const nightshift = invocation(env);
  const models = [...KEY_VARIABLES, ...ADDRESS_VARIABLES].filter(isSet);
  return [
    `  mode:      ${mode}${mode === 'observe' ? ': it diagnoses, and changes nothing' : ''}`,
    `  database:  ${isSet('DATABASE_URL') ? 'the Postgres of DATABASE_URL' : 'embedded, in .nightshift/ (or set DATABASE_URL)'}`,
    `  models:    ${models.length > 0 ? `by ${models.join(', ')}` : `none; it follows runbooks (or set ${KEY_VARIABLES.join(' or ')})`}`,
    '',
    'Next steps',
    ...[
      ...(prometheus === null ? ['name the systems that it may look at, under toolsets: in nightshift.yaml'] : []),
      `put your runbooks into ${runbooks}/: any markdown; ${nightshift} runbooks new ALERT begins one`,
      startCommand(env),
      `${nightshift} connect alertmanager   says what to paste there`,
      `${nightshift} doctor                 says what does not work, and the fix`,
    ].map((step, index) => `  ${index + 1}. ${step}`),
  ];
}
