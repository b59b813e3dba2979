import jsonata from 'jsonata';
import { z } from 'zod';
import { PREVIEW_LINES_MAX, previewLine } from '../inspection.ts';
import { type Inspection, type RiskClass, type Tool, type ToolContext, toolFailed } from '../tool.ts';
import { argumentsSchema } from './arguments.ts';
import type { Asked, Drivers } from './drivers.ts';
import { type Fields, fill, fillPath, fillText, isFilled, placeholdersIn } from './fill.ts';
import { type ChangeManifest, type Condition, isChange, type Manifest, type Request } from './manifest.ts';
import { showArgv } from './show-argv.ts';

const populationSchema = z.looseObject({ group: z.string(), members: z.number(), affects: z.number() });

/** Turns a manifest into the tool that it declares, whose requests these drivers send. */
export function compileManifest<Settings>(manifest: Manifest, drivers: Drivers<Settings>): Tool<Settings> {
  const { name, description, scope, target, timeoutSeconds, request, result } = manifest;
  const change = isChange(manifest) ? manifest : null;
  const send: Send<Settings> = (asked, fields, context, readOnly) =>
    sendRequest(
      asked,
      { now: new Date().toISOString(), ...fields },
      { drivers, asked: { ...context, readOnly, timeoutSeconds } },
    );
  return {
    name,
    description,
    input: argumentsSchema(manifest.arguments, wordsOf(manifest)),
    risk: change ? riskOfArguments(change.risk) : 'read',
    ...(scope ? { scope } : {}),
    target: (input) => fillText(target, input),
    undo: change ? change.undo : 'nothing to undo',
    timeoutSeconds,
    manifest,
    ...(change ? { check: change.check, inverse: change.inverse, inspect: inspectOf(change, send, drivers.argv) } : {}),
    run: async (input, context) => {
      requireListed(manifest, input, context.settings);
      // Looked at once more: what the change rests on may not hold any more, and the system can be told what it must find.
      const before = change ? (await lookBefore(change, send, input, context)).before : null;
      const response = await send(request, { ...input, before }, context, change === null);
      const kept =
        result === undefined
          ? response
          : await evaluate(result, { response, arguments: input, settings: context.settings });
      return isObject(kept) ? kept : { value: kept ?? null };
    },
  };
}

/** Names the arguments that become words of a program's argv. */
function wordsOf(manifest: Manifest): Set<string> {
  const requests = isChange(manifest)
    ? [manifest.request, manifest.inspect?.request, manifest.dryRun]
    : [manifest.request];
  return new Set(requests.flatMap((request) => placeholdersIn(request?.run?.argv)));
}

type Send<Settings> = (
  request: Request,
  fields: Fields,
  context: ToolContext<Settings>,
  readOnly: boolean,
) => Promise<unknown>;

/** Looks at what a change would meet. @throws NightshiftError `tool_failed` where what it requires does not hold. */
async function lookBefore<Settings>(
  { inspect }: ChangeManifest,
  send: Send<Settings>,
  input: Fields,
  context: ToolContext<Settings>,
): Promise<{ seen: Fields; before: Record<string, unknown> | null }> {
  if (!inspect) return { seen: {}, before: null };
  const response = await send(inspect.request, input, context, true);
  const seen = { response, arguments: input, settings: context.settings };
  for (const { holds, otherwise } of inspect.require)
    if ((await evaluate(holds, seen)) !== true) throw toolFailed(fillText(otherwise, input));
  const before = inspect.before ? await evaluate(inspect.before, seen) : null;
  return { seen, before: isObject(before) ? before : null };
}

function inspectOf<Settings>(
  change: ChangeManifest,
  send: Send<Settings>,
  argvOf: Drivers<Settings>['argv'],
): (input: Record<string, unknown>, context: ToolContext<Settings>) => Promise<Inspection> {
  const { name, inspect, dryRun, request, timeoutSeconds } = change;
  return async (input, context) => {
    requireListed(change, input, context.settings);
    const { seen, before } = await lookBefore(change, send, input, context);
    const said = inspect ? asList(await evaluate(inspect.preview, seen)) : [];
    const lines = said.map((line) => previewLine(String(line)));
    if (request.run && argvOf) {
      const fields = { now: new Date().toISOString(), ...input, before };
      lines.push(...showArgv(argvOf(fillRun(request.run, fields), { settings: context.settings, timeoutSeconds })));
    }
    if (lines.length === 0) throw toolFailed(`${name} cannot say what it would do: its target was not found`);
    // The system itself is asked whether it would do it, before a person is.
    if (dryRun) {
      await send(dryRun, { ...input, before }, context, false);
      lines.push('the system itself accepted a dry run of it');
    }
    const population = inspect?.population
      ? populationSchema.safeParse(await evaluate(inspect.population, seen))
      : null;
    const uid = inspect?.uid ? await evaluate(inspect.uid, seen) : null;
    return {
      uid: uid === null || uid === undefined ? null : String(uid),
      population: population?.success ? population.data : null,
      preview: lines.slice(0, PREVIEW_LINES_MAX),
      before,
    };
  };
}

/** @throws NightshiftError `tool_failed` where an argument is not in the operator's own list. */
function requireListed({ name, listed = {} }: Manifest, input: Fields, settings: unknown): void {
  for (const [argument, setting] of Object.entries(listed)) {
    const list = (settings as Fields)[setting];
    if (list === undefined || asList(list).includes(input[argument])) continue;
    const fix = `add it to the setting \`${setting}\` of this toolset, if it may be worked on`;
    throw toolFailed(
      `${name}: ${argument} ${JSON.stringify(input[argument])} is not among those that may be worked on`,
      { fix },
    );
  }
}

async function sendRequest<Settings>(
  request: Request,
  input: Fields,
  { drivers, asked }: { drivers: Drivers<Settings>; asked: Asked<Settings> },
): Promise<unknown> {
  // An argument may be left out; a lock, or the state to go back to, would silently be no lock and another state.
  const lost = placeholdersIn(request).find((name) => name.startsWith('before.') && !isFilled(input, name));
  if (lost !== undefined) throw toolFailed(`the look before did not find ${lost.slice('before.'.length)}`);
  const filled = <Kind>(kind: Kind) => fill(kind, input) as Kind;
  const { http, run, sql, redis } = request;
  if (http && drivers.http) {
    const { path, ...rest } = http;
    return drivers.http({ ...filled(rest), path: fillPath(path, input) }, asked);
  }
  if (run && drivers.run) return drivers.run(fillRun(run, input), asked);
  // A parameter that was left out is null: its place is taken by number.
  if (sql && drivers.sql) {
    const values = sql.values.map((value) => (fill(value, input) ?? null) as z.core.util.JSONType);
    return drivers.sql({ ...sql, values }, asked);
  }
  if (redis && drivers.redis) return drivers.redis(filled(redis), asked);
  throw toolFailed(`this toolset cannot send a request of the kind ${Object.keys(request).join()}`);
}

/** @throws NightshiftError `tool_failed` where what a look found would become an option of the program. */
function fillRun(run: NonNullable<Request['run']>, fields: Fields): NonNullable<Request['run']> {
  for (const word of run.argv) {
    const value = typeof word === 'string' && word.startsWith('{{ before.') ? fill(word, fields) : null;
    if (typeof value === 'string' && value.startsWith('-'))
      throw toolFailed(`what was found before, ${JSON.stringify(value)}, begins with a hyphen, as options do`);
  }
  return fill(run, fields) as NonNullable<Request['run']>;
}

/** Makes the rule that gives a call's risk from its arguments: the first one whose conditions hold decides. */
export function riskOfArguments(risk: ChangeManifest['risk']): Tool['risk'] {
  if (!Array.isArray(risk)) return risk;
  return (input, settings): RiskClass => {
    const rule = risk.find(({ when = {} }) =>
      Object.entries(when).every(([name, condition]) => holds(condition, input[name], settings as Fields)),
    );
    // The last rule has no conditions, so one always holds; without any, the strictest that can still be asked.
    return rule?.class ?? 'critical';
  };
}

function holds(condition: Condition, value: unknown, settings: Fields): boolean {
  const setting = (wanted: unknown) => (typeof wanted === 'string' ? settings[wanted] : wanted);
  if ('equals' in condition) return value === condition.equals;
  if ('oneOf' in condition) return asList(setting(condition.oneOf)).includes(value);
  if ('startsWithOneOf' in condition)
    return asList(setting(condition.startsWithOneOf)).some(
      (prefix) => typeof value === 'string' && typeof prefix === 'string' && prefix !== '' && value.startsWith(prefix),
    );
  const most = setting(condition.atMost);
  return typeof value === 'number' && typeof most === 'number' && value <= most;
}

const expressions = new Map<string, ReturnType<typeof jsonata>>();

async function evaluate(expression: string, seen: Fields): Promise<unknown> {
  const known = expressions.get(expression) ?? jsonata(expression);
  expressions.set(expression, known);
  // A copy in plain JSON: JSONata marks its lists with functions of its own.
  const value: unknown = await known.evaluate(seen);
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function asList(value: unknown): unknown[] {
  return value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
