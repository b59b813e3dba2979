/**
 * The demo: Nightshift mends a service that was killed, and then asks before it deletes anything. Everything is real and runs
 * on this machine: the service and its supervisor, the alerts, the embedded Postgres, the tools over MCP.
 */
import { messageOf } from '../src/errors.ts';
import { createEnding, DemoFailure, Stopped } from './ending.ts';
import { type Followed, followForGood, followIncident } from './follow.ts';
import { readOptions, USAGE } from './options.ts';
import { outcomeAtCheckout, outcomeOf } from './outcome.ts';
import { type Show, setUp } from './set-up.ts';
import { createTerminal } from './terminal.ts';

const terminal = createTerminal(process.stdout, process.env);
await main();

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if ('wrong' in options) return showUsage(options.wrong);
  const ending = createEnding(options.secondsMax, terminal.doing);
  const undo: (() => Promise<void> | void)[] = [];
  let shown = false;
  let why: unknown = null;
  try {
    terminal.heading('Nightshift demo: a service dies and is mended; then something is stuck, and a person is asked.');
    terminal.say('Everything runs on 127.0.0.1 and in .nightshift/demo; Ctrl-C ends all of it.');
    terminal.heading('Setting up');
    const show = await setUp({ options, ending, terminal, atEnd: (one) => undo.push(one) });
    const first = await firstAct(show);
    const second = first.resolved ? await secondAct(show) : null;
    await sumUp(show, first, second);
    shown = true;
    if (!options.once) await stayUp(show);
  } catch (error) {
    // When the demo is ended, whatever was going on fails; the reason is the ending's own.
    why = ending.signal.aborted ? ending.signal.reason : error;
  }
  ending.holdClock();
  await terminal.during('stopping everything', Promise.all(undo.map(async (one) => one())));
  leave(why, shown);
}

/** A process dies. Nothing brings it back but Nightshift, which asks nobody, since a restart is safe. */
async function firstAct(show: Show): Promise<Followed> {
  terminal.heading('Act 1: checkout dies');
  terminal.say(
    `kill -9 ${show.checkout.kill()}: checkout is gone, and its supervisor does not bring it back by itself.`,
  );
  terminal.say('What follows is the incident’s timeline as Nightshift writes it (times in UTC).');
  const incident = await followIncident(show, 'ServiceDown');
  terminal.say(diagnosedBy(incident, show));
  if (incident.resolved && !incident.asked) {
    terminal.say(
      'Nobody was asked, because the runbook service-down.md declares this restart and policies/default.yaml lets ' +
        'safe remedies run.',
    );
  }
  return incident;
}

/** A job wedges the worker. The remedy deletes jobs for good, so it waits for a person, whatever runbook and policy say. */
async function secondAct(show: Show): Promise<Followed> {
  const { checkout } = show;
  terminal.heading('Act 2: the job spool is stuck');
  const half = checkout.leaveHalfAJob();
  const behind = ['A-1005', 'A-1006', 'A-1007'];
  for (const order of behind) await checkout.order(order);
  terminal.say(
    `Whoever wrote the job ${half} was cut off halfway. The worker tries it again and again, while the jobs ` +
      `of ${behind.join(', ')} wait behind it. The runbook’s remedy deletes all four, which nothing can undo.`,
  );
  const incident = await followIncident(show, 'JobSpoolStuck');
  if (show.models.length > 0) terminal.say(diagnosedBy(incident, show));
  if (!incident.resolved) {
    terminal.say(`${incident.id} is a person’s now, and nothing more runs for it unless somebody asks again:`);
    terminal.commands([`${show.prefix} ask-again ${incident.id}`, 'plans anew, and asks for approval once more']);
  }
  return incident;
}

function diagnosedBy({ model }: Followed, { models }: Show): string {
  if (model === undefined) return 'It came to no diagnosis; the last line of the timeline says why.';
  if (model !== null)
    return `The model ${model} made this diagnosis (model mode); what it cites was checked against the evidence.`;
  if (models.length > 0)
    return 'The model did not give a usable diagnosis, so the runbook’s own words are it (runbook mode).';
  return 'The diagnosis is the runbook’s own words (runbook mode): no model is configured, and none is needed for this.';
}

/** @throws DemoFailure where the demo should end here and something is not as it should be. */
async function sumUp(show: Show, first: Followed, second: Followed | null): Promise<void> {
  const { nightshift, checkout, options } = show;
  terminal.heading('What happened');
  const outcomes = [await outcomeOf(nightshift, first.id, { tool: 'supervisor.restart', cleared: 'by policy' })];
  if (second) {
    outcomes.push(await outcomeOf(nightshift, second.id, { tool: 'host.purge', cleared: 'by one approval' }));
    outcomes.push(outcomeAtCheckout(checkout));
  }
  for (const [line = '', ...more] of outcomes.map(({ lines }) => lines)) {
    terminal.say(line);
    for (const one of more) terminal.say(`       ${one}`);
  }
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  if (!second) problems.push('act 2 is left out, because checkout is not mended');
  if (problems.length === 0) return terminal.good('Both incidents ended as they should.');
  for (const problem of problems) terminal.bad(problem);
  if (problems.some((problem) => problem.includes('from model:')))
    terminal.say('The model chose otherwise than the runbook, which it may; the timeline above tells why.');
  if (options.once) throw new DemoFailure('it did not end as it should');
}

async function stayUp(show: Show): Promise<never> {
  const { checkout, nightshift, prefix, ending } = show;
  ending.holdClock();
  terminal.heading(`Nightshift stays up at ${nightshift.url} until you press Ctrl-C`);
  terminal.say('In another terminal, in this directory:');
  terminal.commands(
    [`${prefix} incidents`, 'lists all incidents'],
    [`${prefix} incident INC-2`, 'shows one of them, with its whole timeline'],
    [`${prefix} runbooks search "disk full"`, 'asks what the runbooks say'],
    [`kill -9 ${checkout.program.condition().pid}`, 'act 1 again; this time Nightshift asks first'],
  );
  return followForGood(show);
}

function showUsage(wrong: string | null): void {
  if (wrong !== null) terminal.bad(wrong);
  process.stdout.write(`${USAGE}\n`);
  process.exitCode = wrong === null ? 0 : 2;
}

/** Ends the process, by the very signal where one ended the demo too early, so that npm does not call that a failure. */
function leave(why: unknown, shown: boolean): void {
  if (why === null || (why instanceof Stopped && shown)) {
    terminal.say('Everything is stopped.');
    process.exit(0);
  }
  if (why instanceof Stopped) {
    terminal.say(`Everything is stopped, before the end of the demo (${why.message}).`);
    why.repeat();
    return;
  }
  for (const line of `The demo failed: ${messageOf(why)}`.trim().split('\n')) terminal.bad(line);
  process.exit(1);
}
