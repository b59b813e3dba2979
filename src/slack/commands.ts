import { listApprovals } from '../approval/index.ts';
import type { Role } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { CLOSED_STATES, countIncidents, incidentName, listIncidents, STATES } from '../incident/index.ts';
import { parseRun, typeArguments } from '../remediation/index.ts';
import { type SlackPorts, VIA } from './ports.ts';
import { words } from './render-words.ts';

const LISTED_MAX = 20;

/** What can be typed after /nightshift. */
export const COMMANDS_HELP = [
  '/nightshift status                  what it is doing',
  '/nightshift incidents               the open incidents',
  '/nightshift ask QUESTION            asks runbooks and past incidents',
  '/nightshift pause [REASON]          stops every change, at once',
  '/nightshift resume                  asks for the release; two people are needed where there are two',
  '/nightshift run TOOL name=value … [--label name=value …] REASON',
  '/nightshift run RUNBOOK.md label=value … [REASON]',
  '                                    goes through the policy like everything else; somebody else approves it',
].join('\n');

interface Command {
  readonly needs: Role;
  readonly run: (rest: string, by: string, ports: SlackPorts) => Promise<string>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  help: { needs: 'viewer', run: async () => COMMANDS_HELP },
  status: { needs: 'viewer', run: (_rest, _by, ports) => describeStatus(ports) },
  incidents: { needs: 'viewer', run: (_rest, _by, ports) => describeIncidents(ports) },
  ask: { needs: 'viewer', run: ask },
  pause: { needs: 'approver', run: pause },
  resume: { needs: 'approver', run: resume },
  run: { needs: 'approver', run: runByHand },
};

/** What a command line asks for; the role must be checked before `run` is called. */
export interface ReadCommand {
  readonly needs: Role;
  run(by: string, ports: SlackPorts): Promise<string>;
}

/** Reads what was typed after /nightshift; what is no command gives the help. */
export function readCommand(text: string): ReadCommand {
  const [, name = '', rest = ''] = /^(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  const command = Object.hasOwn(COMMANDS, name.toLowerCase()) ? COMMANDS[name.toLowerCase()] : undefined;
  if (command) return { needs: command.needs, run: (by, ports) => command.run(rest.trim(), by, ports) };
  const what = name === '' ? '' : `There is no command ${words(name)}.\n`;
  return { needs: 'viewer', run: async () => `${what}${COMMANDS_HELP}` };
}

async function describeStatus({ db, killSwitch }: SlackPorts): Promise<string> {
  const [state, counts, pending] = [
    await killSwitch.state(),
    await countIncidents(db),
    await listApprovals(db, 'pending'),
  ];
  const open = STATES.filter((name) => !(CLOSED_STATES as readonly string[]).includes(name) && counts[name] > 0);
  return [
    state.engaged ? `STOPPED: ${words(state.why)}` : 'Working.',
    `Open incidents: ${open.map((name) => `${counts[name]} ${name}`).join(', ') || 'none'}`,
    `Waiting for an approval: ${pending.length}`,
  ].join('\n');
}

async function describeIncidents({ db }: SlackPorts): Promise<string> {
  const states = STATES.filter((name) => !(CLOSED_STATES as readonly string[]).includes(name));
  const incidents = await listIncidents(db, { states, limit: LISTED_MAX + 1 });
  if (incidents.length === 0) return 'No open incidents.';
  const lines = incidents.slice(0, LISTED_MAX).map(({ id, state, severity, title, context }) => {
    const needs = state === 'escalated' && context.escalation ? ` — ${words(context.escalation.reason)}` : '';
    return `${incidentName(id)} ${state}, ${words(severity)}: ${words(title)}${needs}`;
  });
  return [...lines, ...(incidents.length > LISTED_MAX ? ['… and more: nightshift incidents'] : [])].join('\n');
}

async function ask(question: string, _by: string, { answer }: SlackPorts): Promise<string> {
  if (question === '') throw missing('question', 'nothing is asked', 'write /nightshift ask QUESTION');
  return answer(question, null);
}

async function pause(reason: string, by: string, { killSwitch }: SlackPorts): Promise<string> {
  await killSwitch.engage({ by, via: VIA, reason });
  return 'Everything is stopped: nothing is changed anywhere until it is released with /nightshift resume.';
}

async function resume(_rest: string, by: string, { killSwitch }: SlackPorts): Promise<string> {
  const { released, needs } = await killSwitch.release({ by, via: VIA });
  return released ? 'Released: changes run again, within the policy.' : `Not released yet; it needs ${needs}.`;
}

async function runByHand(text: string, by: string, { people, tools, db }: SlackPorts): Promise<string> {
  const runbooks = await db.q.selectFrom('runbook').select('path').execute();
  const known = { toolNames: tools.map(({ name }) => name), runbookPaths: runbooks.map(({ path }) => path) };
  const { what, labels, reason } = parseRun(text, known);
  // A runbook says why by itself.
  if (reason === '' && 'tool' in what)
    throw missing('reason', 'is missing', 'say at the end why it should run; whoever approves it reads that');
  const tool = 'tool' in what ? tools.find(({ name }) => name === what.tool) : undefined;
  const typed = 'tool' in what && tool ? { ...what, arguments: typeArguments(tool.input, what.arguments) } : what;
  const { incidentId } = await people.run({ what: typed, labels, by, via: VIA, reason });
  return `${incidentName(incidentId)} stands for it; it is judged like everything else, and somebody else approves it.`;
}

function missing(field: string, message: string, fix: string): NightshiftError {
  return new NightshiftError('invalid_payload', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, message, fix }],
  });
}
