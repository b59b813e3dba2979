import type { Config } from '../config/index.ts';
import { plain, type Work } from '../incident/index.ts';
import type { Models, ToolCall, ToolResult } from '../llm/index.ts';
import type { Look } from '../mcp-tools/index.ts';
import { redactValue } from '../telemetry/index.ts';
import { fence, fenceEvidence } from './describe.ts';
import { shownCharacters } from './large-result.ts';
import { type Found, makeLook, nameOf } from './make-look.ts';
import type { Bound, Offered } from './offered-tools.ts';
import type { Evidence } from './store.ts';

const CALLS_MAX = 4;
const WHY_MAX = 300;

export interface CallDependencies {
  readonly config: Pick<Config, 'limits'>;
  readonly look: Look;
  readonly models: Models;
}

/** What came of one call, before it has an id. */
export interface Came {
  readonly event: Readonly<Record<string, unknown>>;
  readonly result: (items: ReadonlyMap<string, Evidence>) => Omit<ToolResult, 'id'>;
  /** The name of what it looked at, and what was seen there for the first time. */
  readonly seen?: { readonly name: string; readonly found: Found | null };
}

/** What is offered and what is known when calls are made. */
export interface Standing {
  readonly offered: Offered;
  readonly items: ReadonlyMap<string, Evidence>;
  readonly known: ReadonlyMap<string, string>;
  readonly secondsLeft: number;
  readonly signal: AbortSignal;
}

/** Makes the calls of one answer, all at once; what cannot be made says why, in the words that the model gets. */
export async function makeCalls(
  work: Work,
  calls: readonly ToolCall[],
  standing: Standing,
  dependencies: CallDependencies,
): Promise<Came[]> {
  return Promise.all(
    calls.map(async (call, index): Promise<Came> => {
      if (index >= CALLS_MAX) return wrong(call, `${call.name}: at most ${CALLS_MAX} calls at once; ask again`);
      const bound = standing.offered.bind(call);
      if (bound.kind === 'wrong') return wrong(call, bound.problem);
      return bound.kind === 'read' ? readOn(bound, dependencies.models) : lookAt(work, bound, standing, dependencies);
    }),
  );
}

function wrong({ name, arguments: args }: ToolCall, problem: string): Came {
  const event = {
    tool: plain(name).slice(0, 100),
    arguments: redactValue(args ?? null),
    came: `not made: ${plain(problem).slice(0, WHY_MAX)}`,
  };
  return { event, result: () => ({ content: problem.replaceAll('<', '‹'), isError: true }) };
}

function readOn({ id, offset, why }: Extract<Bound, { kind: 'read' }>, models: Models): Came {
  const event = {
    tool: 'evidence.read',
    arguments: { id: plain(id), offset },
    why: plain(why).slice(0, WHY_MAX),
    came: 'what was left out',
  };
  const result = (items: ReadonlyMap<string, Evidence>) => {
    const item = items.get(id);
    if (!item) return { content: `there is no evidence ${id.replaceAll('<', '‹')}`, isError: true };
    const text = item.full ?? item.content;
    if (offset >= text.length)
      return { content: `${id} has ${text.length} characters, and nothing behind them`, isError: true };
    const part = text.slice(offset, offset + shownCharacters(models)).toWellFormed();
    return {
      content: fence(`evidence id="${id}" from="${offset}" to="${offset + part.length}" of="${text.length}"`, part),
    };
  };
  return { event, result };
}

async function lookAt(
  work: Work,
  { call, why }: Extract<Bound, { kind: 'look' }>,
  { known, secondsLeft, signal }: Standing,
  { look, models, config }: CallDependencies,
): Promise<Came> {
  const name = nameOf(call);
  const event = {
    tool: call.tool,
    instance: call.instance,
    arguments: redactValue(call.arguments),
    why: plain(why).slice(0, WHY_MAX),
  };
  const shown = (items: ReadonlyMap<string, Evidence>) => shownItem(items, known.get(name) ?? '');
  if (known.has(name)) return { event, result: shown, seen: { name, found: null } };
  const seconds = Math.min(config.limits.gatherSeconds, secondsLeft);
  const made = await makeLook(work, { kind: 'asked', call }, { look, models, seconds, signal });
  if (!made.ok)
    return { event: { ...event, came: plain(made.missing) }, result: () => ({ content: made.missing, isError: true }) };
  return { event, result: shown, seen: { name, found: made.found } };
}

/** Gives an item of evidence as the result of a call that asked for it. */
export function shownItem(items: ReadonlyMap<string, Evidence>, ref: string): Omit<ToolResult, 'id'> {
  const item = items.get(ref);
  return item ? { content: fenceEvidence(item) } : { content: 'there is no such evidence', isError: true };
}
