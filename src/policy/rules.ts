import { parseMatcherList } from '../alert/index.ts';
import type { Place, Problem } from '../errors.ts';
import { canonicalSha256 } from '../mcp-tools/index.ts';
import { type Outline, outlineSchema, POLICY_FIXES, type PolicyFile, policyFileSchema } from './policy-file.ts';
import type { Policy, PolicyLimit, PolicyRule, RiskOverride, TimeWindow } from './question.ts';
import { invalidPolicy, readFolders, readYaml } from './read-file.ts';
import { WEEKDAYS } from './windows.ts';

/** One policy file as it was read; with problems, nothing of it holds but its names. */
export interface ParsedPolicy {
  readonly path: string;
  readonly file: PolicyFile;
  readonly outline: Outline;
  readonly problems: readonly Problem[];
  readonly placeOf: (field: string) => Place;
}

/** Reads one policy file, and finds every mistake that shows in it alone. */
export function parsePolicy(path: string, text: string): ParsedPolicy {
  const { data, raw, problems, placeOf } = readYaml(path, text, policyFileSchema, POLICY_FIXES);
  const file = data ?? { windows: [], rules: [], risks: [], limits: [], secrets: [] };
  return { path, file, outline: outlineSchema.parse(raw), problems, placeOf };
}

/** Makes one policy of some files, with every mistake of each and between them: names that stand twice, windows that do not exist. */
export function combinePolicy(files: readonly ParsedPolicy[]): { policy: Policy; problems: Problem[] } {
  const problems = [...files.flatMap((one) => one.problems), ...repeatedNames(files), ...unknownWindows(files)];
  const windows = files.flatMap(({ file }) => file.windows);
  const rules = files.flatMap(({ file }) => file.rules);
  const risks = files.flatMap(({ file }) => file.risks);
  const limits = files.flatMap(({ file }) => file.limits);
  const secrets = files.flatMap(({ file }) => file.secrets);
  const policy = {
    windows: windows.map(toWindow),
    rules: rules.map(toRule),
    overrides: risks.map(toOverride),
    limits: limits.map(toLimit),
    secrets,
    origins: new Map(files.flatMap(({ path, outline }) => namesIn(outline).map((name) => [name, path]))),
    // Without any, the hash is what it was before there could be: approvals given then stay good.
    sha256: canonicalSha256('policy', {
      ...{ windows, rules, risks, limits },
      ...(secrets.length > 0 ? { secrets } : {}),
    }),
  };
  return { policy, problems };
}

/** Reads every `*.yaml` of the policy folders but `*.test.yaml`. @throws NightshiftError `invalid_policy` when a folder cannot be read. */
export async function readPolicyFiles(folders: readonly string[]): Promise<ParsedPolicy[]> {
  return (await readFolders(folders, 'policy')).map(({ path, text }) => parsePolicy(path, text));
}

/**
 * Loads every `*.yaml` of the policy folders but `*.test.yaml`.
 * @throws NightshiftError `invalid_policy` listing every mistake in every file; a policy that cannot be read allows nothing.
 */
export async function loadPolicy(folders: readonly string[]): Promise<Policy> {
  const { policy, problems } = combinePolicy(await readPolicyFiles(folders));
  if (problems.length > 0) throw invalidPolicy(problems, 'the policy');
  return policy;
}

function namesIn(outline: Outline): string[] {
  return Object.values(outline).flatMap((lines) => lines.flatMap(({ name }) => name ?? []));
}

function repeatedNames(files: readonly ParsedPolicy[]): Problem[] {
  const first = new Map<string, string>();
  return files.flatMap(({ path, outline, placeOf }) =>
    Object.entries(outline).flatMap(([list, lines]) =>
      lines.flatMap(({ name }, index): Problem[] => {
        if (name === null) return [];
        const before = first.get(name);
        if (before === undefined) {
          first.set(name, `${list}.${index} of ${path}`);
          return [];
        }
        const field = `${list}.${index}.name`;
        const message = `is the name of ${before} already`;
        const fix = 'give it a name of its own';
        return [{ at: placeOf(field), field, value: JSON.stringify(name), message, fix }];
      }),
    ),
  );
}

function unknownWindows(files: readonly ParsedPolicy[]): Problem[] {
  const known = new Set<unknown>(files.flatMap(({ outline }) => outline.windows.map(({ name }) => name)));
  return files.flatMap(({ outline, placeOf }) =>
    outline.rules.flatMap((rule, index) =>
      (['during', 'outside'] as const).flatMap((key) =>
        rule[key].flatMap((name, at): Problem[] => {
          if (typeof name !== 'string' || known.has(name)) return [];
          const field = `rules.${index}.${key}.${at}`;
          const fix = 'correct the name, or add the window to windows:';
          return [{ at: placeOf(field), field, value: JSON.stringify(name), message: 'there is no such window', fix }];
        }),
      ),
    ),
  );
}

function toWindow({ name, days, from, to, timezone }: PolicyFile['windows'][number]): TimeWindow {
  if (from.length > 'HH:MM'.length) return { name, kind: 'dates', from: new Date(from), to: new Date(to) };
  const [fromMinute, toMinute] = [minuteOf(from), minuteOf(to)];
  return { name, kind: 'weekly', days: days ?? WEEKDAYS, fromMinute, toMinute, timezone: timezone ?? 'UTC' };
}

function minuteOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

function toRule({ match, call, record, approvers, quorum, ...rule }: PolicyFile['rules'][number]): PolicyRule {
  return {
    ...rule,
    matchers: parseMatcherList(match),
    callMatchers: parseMatcherList(call),
    record: record ?? null,
    approvers: approvers ?? null,
    quorum: quorum ?? null,
    expirySeconds: rule.expirySeconds ?? null,
  };
}

function toOverride({ limit, ...line }: PolicyFile['risks'][number]): RiskOverride {
  return { ...line, limit: limit ?? null };
}

function toLimit({ match, call, per, runs, share, ...line }: PolicyFile['limits'][number]): PolicyLimit {
  return {
    ...line,
    matchers: parseMatcherList(match),
    callMatchers: parseMatcherList(call),
    // Means nothing with a share.
    per: per ?? 'all',
    runs: runs ?? null,
    share: share ?? null,
  };
}
