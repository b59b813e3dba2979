import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import type { Config } from '../config/index.ts';
import { describeProblems, messageOf, NightshiftError } from '../errors.ts';
import { meetsExpectation, TOOLSETS } from '../mcp-tools/index.ts';
import { redact, redactValue } from '../telemetry/index.ts';
import { checkScenario } from './check-scenario.ts';
import { readCut } from './read-cut.ts';
import { CATEGORIES, readScenario, type ScenarioFile } from './scenario.ts';
import type { RecordedLook, World } from './world.ts';

const argumentsSchema = z.record(z.string(), z.unknown());

/** A closed or open incident as the API shows it, as far as a scenario is made of it. */
const incidentSchema = z.object({
  id: z.string(),
  title: z.string(),
  state: z.string(),
  openedAt: z.string(),
  alerts: z.array(
    z.object({
      labels: z.record(z.string(), z.string()),
      annotations: z.record(z.string(), z.string()).default({}),
      startsAt: z.string().nullish(),
      generatorUrl: z.string().nullish(),
    }),
  ),
  diagnosis: z.object({ rootCause: z.string(), inconclusive: z.boolean() }).nullable().catch(null),
  checks: z
    .array(z.object({ instance: z.string(), tool: z.string(), arguments: argumentsSchema, expect: z.string() }))
    .catch([]),
  evidence: z.array(
    z.object({ kind: z.string(), content: z.string(), origin: z.record(z.string(), z.unknown()).catch({}) }),
  ),
  actions: z.array(
    z.object({
      instance: z.string(),
      tool: z.string(),
      arguments: argumentsSchema,
      status: z.string(),
      origin: z.string(),
      undoOf: z.string().nullish(),
      result: z.unknown(),
      inspection: z.record(z.string(), z.unknown()).nullish(),
    }),
  ),
  approvals: z.array(z.object({ status: z.string() })).catch([]),
  events: z.array(z.object({ type: z.string(), at: z.string(), data: z.record(z.string(), z.unknown()).nullable() })),
});
export type RecordedIncident = z.infer<typeof incidentSchema>;

/** Reads an incident as the API gave it. @throws NightshiftError `conflict` where the other side is of another version. */
export function readRecordedIncident(answer: unknown): RecordedIncident {
  const parsed = incidentSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const fix = 'use the nightshift command of the version that serves';
  throw new NightshiftError('conflict', `the incident is in a form that is not known here. Fix: ${fix}`, {
    cause: parsed.error,
  });
}

/** The parts of the configuration that an incident was worked on with. */
type Around = Pick<Config, 'toolsets' | 'policies' | 'runbooks'>;

/**
 * Makes a scenario of an incident: alerts, looks and what they showed, what was sent and what came of it, without secrets. What is expected
 * is what happened, and is marked as read by nobody. The folder is there whole, or not at all.
 * @throws NightshiftError `conflict` where the incident cannot be played again, saying why; `invalid_config` where the result would not pass `eval check`.
 */
export function recordIncident(incident: RecordedIncident, around: Around, folder: string): void {
  const world = worldOf(incident, around);
  const { file, runbooks } = scenarioOf(incident, around);
  const building = join(dirname(folder), `.${basename(folder)}-${process.pid}`);
  make(building);
  try {
    mkdirSync(join(building, 'runbooks'));
    const clean = redactValue({ file, world }) as { file: ScenarioFile; world: World };
    writeFileSync(join(building, 'scenario.yaml'), stringify(clean.file, { lineWidth: 120 }));
    writeFileSync(join(building, 'world.json'), `${JSON.stringify(clean.world, null, 1)}\n`);
    for (const [name, text] of Object.entries(runbooks)) writeFileSync(join(building, 'runbooks', name), redact(text));
    const { scenario, problems } = readScenario(building);
    const all = scenario ? checkScenario(scenario) : problems;
    if (all.length > 0) throw new NightshiftError('invalid_config', describeProblems(all), { problems: all });
    rmSync(folder, { recursive: true, force: true });
    renameSync(building, folder);
  } finally {
    rmSync(building, { recursive: true, force: true });
  }
}

/** One parent is made too, and no more: in some places that never ends. */
function make(folder: string): void {
  try {
    if (!existsSync(dirname(folder))) mkdirSync(dirname(folder));
    mkdirSync(folder);
  } catch (cause) {
    const fix = 'name an --out in a folder that is there and can be written to';
    const where = dirname(folder);
    throw new NightshiftError('conflict', `nothing can be written in ${where}: ${messageOf(cause)}. Fix: ${fix}`, {
      cause,
    });
  }
}

function cannot(what: string, fix: string): NightshiftError {
  return new NightshiftError('conflict', `this incident cannot be recorded: ${what}. Fix: ${fix}`);
}

function worldOf(incident: RecordedIncident, around: Around): World {
  const isOver = incident.state === 'resolved';
  const sent = incident.actions.filter(({ status }) => ['succeeded', 'failed', 'unknown'].includes(status));
  const last = sent.findLast(({ status, undoOf }) => status === 'succeeded' && !undoOf);
  const looks = incident.evidence.flatMap(lookOfEvidence);
  const after = isOver ? verifiedLooks(incident) : [];
  const names = [...looks, ...after, ...sent].map(({ instance }) => instance);
  const phases = [
    {
      name: 'as it was',
      over: isOver && last === undefined,
      looks: unique([...(last ? [] : after), ...looks]),
      inspections: inspectionsOf(incident),
    },
    ...(isOver && last ? [{ name: 'after it', over: true, looks: unique([...after, ...looks]), inspections: [] }] : []),
  ];
  return {
    v: 1,
    recorded: { by: 'machine', system: 'a real incident', fault: incident.title, at: incident.openedAt.slice(0, 10) },
    instances: Object.fromEntries([...new Set(names)].map((name) => [name, instanceOf(name, around)])),
    phases,
    changes: sent.map(({ instance, tool, arguments: args, result }, index) => ({
      instance,
      tool,
      arguments: args,
      to: isOver && last !== undefined && index === sent.indexOf(last) ? 1 : null,
      ...answerOf(result),
    })),
  };
}

function answerOf(result: unknown): { result: Record<string, unknown> } | { error: string } {
  const { outcome, result: own, error } = (result ?? {}) as { outcome?: string; result?: unknown; error?: string };
  if (outcome === 'succeeded') return { result: (own ?? {}) as Record<string, unknown> };
  return { error: `${outcome === 'unknown' ? 'unknown: ' : ''}${error ?? 'it failed'}` };
}

const FAILED = 'This look failed: ';

function lookOfEvidence({ kind, content, origin }: RecordedIncident['evidence'][number]): RecordedLook[] {
  const { instance, tool, arguments: args } = origin;
  if (kind !== 'tool' || typeof instance !== 'string' || typeof tool !== 'string') return [];
  const about = { instance, tool, arguments: argumentsSchema.parse(args ?? {}), ignoring: [] };
  if (content.startsWith(FAILED)) return [{ ...about, error: content.slice(FAILED.length) }];
  const result = readCut(content);
  return result === null ? [] : [{ ...about, result }];
}

/** What the checks saw when they passed. What was cut is read as far as it goes, and must still pass. */
function verifiedLooks({ checks, events }: RecordedIncident): RecordedLook[] {
  const seen = events
    .flatMap(({ data }) =>
      Array.isArray(data?.checks) ? (data.checks as { check?: string; passed?: boolean; saw?: string }[]) : [],
    )
    .filter(({ passed }) => passed);
  return checks.map(({ instance, tool, arguments: args, expect }) => {
    const name = `${tool} ${JSON.stringify(args)}: ${expect}`;
    const saw = seen.findLast(({ check }) => check === name)?.saw;
    const result = saw === undefined ? null : readCut(saw);
    if (result === null || !meetsExpectation(expect, result))
      throw cannot(`what ${name} saw was not kept whole`, 'record another one, or write its world by hand');
    return { instance, tool, arguments: args, ignoring: [], result };
  });
}

/** The first answer to a question wins; the later ones would never be given. */
function unique(looks: readonly RecordedLook[]): RecordedLook[] {
  const keyOf = ({ instance, tool, arguments: args }: RecordedLook) => JSON.stringify([instance, tool, args]);
  return [...new Map(looks.toReversed().map((look) => [keyOf(look), look])).values()].toReversed();
}

function inspectionsOf({ actions }: RecordedIncident): World['phases'][number]['inspections'] {
  return actions.flatMap(({ instance, tool, arguments: args, inspection }) =>
    inspection ? [{ instance, tool, arguments: args, result: inspection }] : [],
  );
}

const SECRET = /password|token|secret|key|credential|authorization|username/i;

function instanceOf(name: string, { toolsets }: Around): World['instances'][string] {
  const configured = toolsets[name];
  if (!configured) throw cannot(`its instance ${name} is not configured here`, 'run this where its nightshift.yaml is');
  const { uses, match, manifests, pins, remote: _remote, ...settings } = configured;
  if (manifests !== undefined || pins !== undefined)
    throw cannot(`${name} has tools of its own`, 'write its world by hand; such instances cannot be recorded yet');
  const schema = TOOLSETS[uses]?.settings;
  const open = Object.fromEntries(Object.entries(settings).filter(([key]) => !SECRET.test(key)));
  // Some cannot do without; what stands there opens nothing.
  const closed = Object.keys(settings).filter((key) => SECRET.test(key));
  const filled = { ...open, ...Object.fromEntries(closed.map((key) => [key, 'redacted'])) };
  return { uses, match, ...(schema?.safeParse(open).success ? open : filled) };
}

function scenarioOf(
  incident: RecordedIncident,
  around: Around,
): { file: ScenarioFile; runbooks: Record<string, string> } {
  const triage = incident.events.find(({ type }) => type === 'triage.done')?.data ?? {};
  const specialist = [...CATEGORIES, 'general' as const].find((one) => one === triage.specialist) ?? 'general';
  const done = incident.actions.filter(({ status, undoOf }) => status === 'succeeded' && !undoOf);
  const isOver = incident.state === 'resolved';
  const isWaiting = incident.state === 'awaiting_approval';
  const wanted = isWaiting
    ? incident.actions.filter(({ status }) => status === 'asked')
    : isOver
      ? done
      : incident.actions;
  const inconclusive = incident.diagnosis?.inconclusive ?? true;
  const runbooks = runbooksOf(incident, around);
  const file: ScenarioFile = {
    title: incident.title.slice(0, 200),
    category: CATEGORIES.find((one) => one === specialist) ?? 'application',
    specialist,
    tags: [],
    mode: (['observe', 'ask', 'auto'] as const).find((mode) => mode === triage.mode) ?? 'ask',
    alerts: incident.alerts.map(({ labels, annotations, startsAt, generatorUrl }) => ({
      labels,
      annotations,
      startedSecondsAgo: secondsBetween(startsAt ?? incident.openedAt, incident.openedAt),
      ...(generatorUrl ? { generatorURL: generatorUrl } : {}),
      noise: false,
    })),
    ...policyOf(around),
    shippedRunbooks: false,
    unvouched: [],
    person: isWaiting ? 'silent' : incident.approvals.some(({ status }) => status === 'denied') ? 'refuses' : 'answers',
    expect: {
      cause: { names: inconclusive ? [] : tellingWords(incident.diagnosis?.rootCause ?? ''), never: [] },
      inconclusive,
      outcome: isOver ? 'resolved' : isWaiting ? 'waits-for-approval' : 'escalated',
      actions: { acceptable: wanted.map(({ tool, arguments: args }) => ({ tool, with: args })), forbidden: [] },
    },
    reviewed: false,
    readme: `Recorded by "nightshift eval record" from a real incident; what is expected is what happened, and nobody has read it yet.`,
  };
  return { file, runbooks };
}

function secondsBetween(from: string, to: string): number {
  const seconds = Math.round((new Date(to).getTime() - new Date(from).getTime()) / 1000);
  return Math.min(86_400, Math.max(0, Number.isFinite(seconds) ? seconds : 0));
}

/** The longest words of the cause, which are the ones that another cause would not be told with. */
function tellingWords(rootCause: string): string[][] {
  const said = rootCause.replace(/^As the runbook .*? describes: /, '');
  const words = said.toLowerCase().match(/[a-z][a-z-]{5,}/g) ?? [];
  const longest = [...new Set(words)].sort((a, b) => b.length - a.length).slice(0, 2);
  return longest.length > 0 ? longest.map((word) => [word]) : [[said.slice(0, 40) || 'unknown']];
}

/** The files that the incident names; they are the operator's, so the shipped ones are left out. */
function runbooksOf(incident: RecordedIncident, { runbooks }: Around): Record<string, string> {
  const paths = [
    ...incident.evidence.flatMap(({ kind, origin }) =>
      kind === 'runbook' && typeof origin.path === 'string' ? [origin.path] : [],
    ),
    ...incident.actions.flatMap(({ origin }) =>
      origin.startsWith('runbook:') ? [origin.slice('runbook:'.length)] : [],
    ),
  ];
  const entries = [...new Set(paths)].flatMap((path) => {
    const file = runbooks.map((folder) => join(folder, path)).find((one) => existsSync(one));
    return file ? [[path.replaceAll('/', '-'), readFileSync(file, 'utf8')] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** All files as one: names are unique in the whole policy. */
function policyOf({ policies }: Around): { policy?: Record<string, unknown> } {
  const files = policies.flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter((file) => file.endsWith('.yaml') && !file.endsWith('.test.yaml'))
          .map((file) => join(folder, file))
      : [],
  );
  const merged: Record<string, unknown[]> = {};
  for (const file of files.sort())
    for (const [list, items] of Object.entries((parse(readFileSync(file, 'utf8')) ?? {}) as Record<string, unknown>))
      if (Array.isArray(items)) merged[list] = [...(merged[list] ?? []), ...items];
  return files.length > 0 ? { policy: merged } : {};
}
