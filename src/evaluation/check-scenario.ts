import { z } from 'zod';
import { NightshiftError, type Problem } from '../errors.ts';
import { type Catalogue, createCatalogue, TOOLSETS } from '../mcp-tools/index.ts';
import { parseRunbook } from '../rag/index.ts';
import { redactValue } from '../telemetry/index.ts';
import { isAmong, type Pattern } from './pattern.ts';
import { configOf } from './run-scenario.ts';
import type { Scenario } from './scenario.ts';

/**
 * Gives every mistake of a scenario that only shows when its parts are laid beside each other and beside the tools that there are; whoever
 * mends them all has a scenario that can be run and whose answer can be told.
 */
export function checkScenario(scenario: Scenario): Problem[] {
  const { name, expect, world, tags } = scenario;
  const problems: Problem[] = [];
  const say = (field: string, message: string, fix: string, value?: string) =>
    problems.push({ field: `${name}/${field}`, message, fix, ...(value === undefined ? {} : { value }) });

  if (!scenario.alerts.some(({ noise }) => !noise))
    say('scenario.yaml: alerts', 'are all noise', 'leave noise out of one');
  const isByHand = world.recorded.by === 'hand';
  if (isByHand !== tags.includes('by-hand'))
    say(
      'scenario.yaml: tags',
      `and recorded.by of world.json (${world.recorded.by}) do not agree`,
      'for what is written by hand, tag it by-hand and say hand in world.json; do neither for anything else',
    );
  if (!expect.inconclusive && expect.cause.names.length === 0)
    say('scenario.yaml: expect.cause.names', 'is empty', 'name words of the right cause, or write inconclusive: true');
  if (expect.inconclusive && expect.cause.names.length > 0)
    say('scenario.yaml: expect.cause.names', 'names a cause where none can be told', 'leave one of them out');
  if (expect.outcome !== 'escalated' && expect.actions.acceptable.length === 0 && !world.phases[0]?.over)
    say(
      'scenario.yaml: expect.outcome',
      'cannot come about: nothing may be done',
      'name acceptable actions, or let it be escalated',
      expect.outcome,
    );
  if (tags.includes('hostile') && expect.actions.forbidden.length === 0)
    say(
      'scenario.yaml: expect.actions.forbidden',
      'is empty, though somebody wants something',
      'name what must not be sent',
    );
  if (expect.outcome === 'waits-for-approval' && scenario.person !== 'silent')
    say('scenario.yaml: person', 'answers, so nothing waits', 'write person: silent', scenario.person);
  for (const pattern of expect.actions.acceptable)
    if (
      expect.actions.forbidden.some(
        (other) => other.tool === pattern.tool && isAmong([other], { tool: pattern.tool, arguments: pattern.with }),
      )
    )
      say(
        'scenario.yaml: expect.actions',
        'are acceptable and forbidden at once',
        'leave it out of one list',
        pattern.tool,
      );

  const catalogue = catalogueOf(scenario, say);
  if (catalogue) {
    for (const pattern of [...expect.actions.acceptable, ...expect.actions.forbidden])
      checkPattern(pattern, catalogue, say);
    checkWorld(scenario, catalogue, say);
  }
  for (const [file, text] of Object.entries(scenario.runbooks))
    for (const { field, message, fix } of parseRunbook(file, text).problems)
      if (!tags.includes('hostile')) say(`runbooks/${file}: ${field}`, message, fix ?? 'see docs/runbooks.md');
  for (const file of scenario.unvouched)
    if (!Object.hasOwn(scenario.runbooks, file))
      say('scenario.yaml: unvouched', 'is no runbook of this scenario', 'name a file of its runbooks/', file);
  const { readme, alerts } = scenario;
  for (const [part, value] of Object.entries({ 'world.json': world, 'scenario.yaml': { readme, alerts } }))
    if (JSON.stringify(redactValue(value)) !== JSON.stringify(value))
      say(`${part}: file`, 'holds what looks like a secret', 'take it out, or record it again');
  return problems;
}

type Say = (field: string, message: string, fix: string, value?: string) => void;

function catalogueOf(scenario: Scenario, say: Say): Catalogue | null {
  try {
    return createCatalogue(TOOLSETS, configOf(scenario, '/', { models: null }).toolsets);
  } catch (error) {
    if (!(error instanceof NightshiftError) || error.problems.length === 0) throw error;
    for (const { field, message, fix, value } of error.problems)
      say(`world.json: ${field}`, message, fix ?? 'see docs/toolsets.md', value);
    return null;
  }
}

function checkPattern({ tool }: Pattern, { tools }: Catalogue, say: Say): void {
  const isThere =
    tool === '*' ||
    (tool.endsWith('.*') ? [...tools.keys()].some((name) => name.startsWith(tool.slice(0, -1))) : tools.has(tool));
  if (!isThere) say('scenario.yaml: expect.actions', 'there is no such tool', 'nightshift tools list names them', tool);
}

function checkWorld({ world }: Scenario, { instances }: Catalogue, say: Say): void {
  const reached = new Set([0, ...world.changes.flatMap(({ to }) => (to === null ? [] : [to]))]);
  for (const [index, { name }] of world.phases.entries())
    if (!reached.has(index))
      say(
        `world.json: phases.${index}`,
        'is reached by no change',
        'write a change that leads there, or leave it out',
        name,
      );
  for (const { to } of world.changes)
    if (to !== null && !world.phases[to])
      say('world.json: changes', 'lead to a phase that is not there', 'phases are counted from 0', String(to));
  const calls = [
    ...world.phases.flatMap(({ looks }, phase) =>
      looks.map((call) => ({ ...call, at: `phases.${phase}.looks`, isLook: true })),
    ),
    ...world.phases.flatMap(({ inspections }, phase) =>
      inspections.map((call) => ({ ...call, at: `phases.${phase}.inspections`, isLook: false })),
    ),
    ...world.changes.map(({ arguments: args, ...call }) => ({
      ...call,
      arguments: args ?? null,
      at: 'changes',
      isLook: false,
    })),
  ];
  for (const { at, instance: owner, tool: called, arguments: args, isLook } of calls) {
    const instance = instances.find(({ name }) => name === owner);
    const tool = instance?.tools.find(({ name }) => name === called);
    if (!tool) {
      say(
        `world.json: ${at}`,
        instance ? 'the instance has no such tool' : 'there is no such instance',
        'see instances',
        `${owner} ${called}`,
      );
      continue;
    }
    if ((tool.risk === 'read') !== isLook)
      say(`world.json: ${at}`, isLook ? 'changes things' : 'changes nothing', 'put it where it belongs', called);
    const parsed = args === null ? null : tool.input.safeParse(args);
    if (parsed?.success === false)
      say(
        `world.json: ${at}`,
        z.prettifyError(parsed.error).replaceAll('\n', ' '),
        'write them as the tool takes them',
        `${called} ${JSON.stringify(args)}`,
      );
  }
}
