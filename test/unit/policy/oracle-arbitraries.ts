/**
 * Policies, questions and verdicts from vocabularies so small that rules collide and edges are met. Never draws at random
 * what a boundary depends on: ages, counts, shares and clocks come from lists of the edges and their neighbours.
 */
import fc from 'fast-check';
import { type Labels, type Matcher, parseMatcherList } from '../../../src/alert/index.ts';
import type { AutonomyMode } from '../../../src/config/index.ts';
import { RISK_CLASSES, type RiskClass } from '../../../src/mcp-tools/index.ts';
import type {
  Decision,
  Policy,
  PolicyLimit,
  PolicyRule,
  Question,
  RiskOverride,
  Run,
  RunEffect,
  TimeWindow,
  Verdict,
  Weekday,
} from '../../../src/policy/question.ts';

/** One of these; the first, towards which a failing case is shrunk, `weight` times as often as each of the others. */
function mostly<T>(weight: number, first: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.constantFrom<T[]>(...Array<T>(weight).fill(first), ...others);
}

function some<T>(one: fc.Arbitrary<T>, counts: fc.Arbitrary<number>): fc.Arbitrary<T[]> {
  return counts.chain((count) => fc.array(one, { minLength: count, maxLength: count }));
}

const TOOL = mostly(4, 'supervisor.restart', 'supervisor.stop', 'supervisorctl.run', 'host.purge');
const INSTANCE = mostly(2, 'eu', 'us');
const TARGET = mostly(3, 'eu:process web', 'eu:process api', 'us:process web');
const SERVICE = mostly(2, 'search', 'payments', '');
const NAMESPACE = mostly(2, 'shop', 'core', '');
const PERSON_LISTS = [['ana', 'ben'], ['cleo', 'ben'], ['ana'], ['Dan', 'ana', 'cleo', 'ben'], ['ana', 'ana'], []];

const SCOPES = [
  ...[['supervisor.restart'], ['supervisor.*'], ['host.*'], ['host.purge', 'supervisor.stop'], ['supervisor.re*']],
  ...[['super.*'], ['supervisor'], ['*'], ['supervisor.restart.*'], ['other.*', 'supervisor.restart']],
];

const matchers = (...texts: readonly string[]): Matcher[][] => texts.map((text) => parseMatcherList([text]));
const LABEL_MATCHERS = matchers(
  ...['service="search"', 'service=""', 'service!="search"', 'service!=""', 'service=~"search|payments"'],
  ...['service=~"sea"', 'service!~"sea"', 'namespace!~"shop"', 'namespace=~".*"', 'namespace="",service!=""'],
  ...['{env="prod", service="search"}', 'env!="prod"', 'env=~"a.b"', 'Service="search"', 'missing!=""', 'missing=""'],
  ...['constructor=""', 'constructor="x"', 'toString=""', '__proto__=""', '__proto__="x"', 'hasOwnProperty=~".+"'],
);
const CALL_MATCHERS = matchers(
  ...['process!~"canary-.*"', 'process=~"canary-.*"', 'process=""', 'process="web"', 'process=~"a.b"', 'n="3"'],
  ...['n=~"[0-9]+"', 'n!="3"', 'n="0"', 'n="1e+21"', 'force="true"', 'force!="true"', 'force=~".+"', 'none="null"'],
  ...['none=""', 'options="{\\"a\\":1}"', 'options=~".*\\"a\\".*"', 'options="{\\"b\\":1,\\"a\\":2}"'],
  ...['options="[object Object]"', 'list="[1,\\"x\\"]"', 'list="1,x"', 'tool="supervisor.restart"', 'tool="x"'],
  ...['target=~"eu:.*"', 'target="x"', 'instance="x"', 'instance!="eu"', 'constructor=""', 'constructor="x"'],
  ...['toString=""', '__proto__=""', '__proto__="x"', '__proto__=~".+"', 'valueOf!~""', 'service!=""'],
);
// Parsed, because in a literal `__proto__` is no key.
const ARGUMENTS = [
  ...['{}', '{"process":"web"}', '{"process":"canary-1"}', '{"process":"a\\nb"}', '{"process":""}', '{"n":3}'],
  ...['{"n":"3"}', '{"n":-0}', '{"n":1e21}', '{"n":3.5}', '{"force":true}', '{"force":"true"}', '{"force":false}'],
  ...['{"none":null}', '{"options":{"a":1}}', '{"options":{"b":1,"a":2}}', '{"options":"[object Object]"}'],
  ...['{"list":[1,"x"]}', '{"list":[]}', '{"tool":"x","target":"x","instance":"x"}', '{"tool":"supervisor.restart"}'],
  ...['{"__proto__":"x"}', '{"__proto__":{"process":"web"}}', '{"constructor":"x"}', '{"toString":"","process":"web"}'],
].map((text) => JSON.parse(text) as Record<string, unknown>);

const WITHIN = [600, 60, 3600, 86_400, 604_800];
/** Milliseconds around the ends of every span that a rule may look back; below 0 is the future. */
const AGES = [600, 60, 900, 3600, 86_400, 604_800].flatMap((span) => [span * 1000 - 1, span * 1000, span * 1000 + 1]);

const CLOCKS = [0, 30, 60, 119, 120, 150, 180, 360, 720, 1320, 1380, 1439];
const ZONE = mostly(
  3,
  'Europe/Berlin',
  ...['UTC', 'America/New_York', 'Asia/Beirut', 'Asia/Kathmandu', 'Pacific/Apia', 'Australia/Lord_Howe'],
);
const DAYS: readonly Weekday[][] = [
  ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
  ...([['sat'], ['sun'], ['mon'], ['sat', 'sun'], ['mon', 'tue', 'wed', 'thu', 'fri'], ['wed', 'sat']] as Weekday[][]),
];
const DATES = ['2026-12-20T00:00:00Z', '2027-01-03T00:00:00Z', '2026-03-29T01:00:00Z', '2026-10-25T01:00:00Z'];
/** Within half a day of each of these the clock is changed somewhere, a month ends or a window with dates does. */
const SEASONS = [
  ...[...DATES, '2026-03-08T07:00:00Z', '2026-11-01T06:00:00Z', '2026-03-28T22:00:00Z', '2026-10-24T21:00:00Z'],
  ...['2026-04-04T15:00:00Z', '2026-10-03T15:30:00Z', '2026-07-15T00:00:00Z', '2026-12-31T23:00:00Z'],
  ...['2027-03-14T07:00:00Z', '2027-02-28T23:30:00Z'],
].map((text) => Date.parse(text));
const QUARTERS = Array.from({ length: 97 }, (_, index) => index - 48);
const AT = fc
  .tuple(fc.constantFrom(...SEASONS), mostly(4, 0, -24, 24, 48, 72), mostly(60, 0, ...QUARTERS), mostly(2, 0, -1, 1))
  .map(([season, hours, quarters, rest]) => season + (hours * 4 + quarters) * 900_000 + rest);

const WINDOW: fc.Arbitrary<TimeWindow> = fc
  .record({
    isWeekly: mostly(2, true, false),
    days: fc.constantFrom(...DAYS),
    clocks: fc.tuple(fc.constantFrom(...CLOCKS), fc.constantFrom(...CLOCKS)),
    timezone: ZONE,
    dates: fc.tuple(fc.constantFrom(...DATES), fc.constantFrom(...DATES)),
  })
  .map(({ isWeekly, days, clocks: [fromMinute, toMinute], timezone, dates: [from, to] }) =>
    isWeekly
      ? { name: '', kind: 'weekly', days, fromMinute, toMinute, timezone }
      : { name: '', kind: 'dates', from: new Date(from), to: new Date(to) },
  );
const WINDOW_NAMES = mostly(10, [], ['window-0'], ['window-1'], ['window-0', 'window-1']);

const SCOPE = {
  tools: mostly(30, [], ...SCOPES),
  matchers: mostly(60, [], ...LABEL_MATCHERS),
  callMatchers: mostly(100, [], ...CALL_MATCHERS),
};

const RULE: fc.Arbitrary<PolicyRule> = fc
  .record({
    ...SCOPE,
    name: fc.constant(''),
    risks: mostly<readonly RiskClass[]>(
      16,
      [],
      ...([['safe'], ['read'], ['destructive'], ['critical', 'forbidden'], ['read', 'safe', 'destructive']] as const),
    ),
    during: WINDOW_NAMES,
    outside: WINDOW_NAMES,
    record: fc.oneof(
      { arbitrary: fc.constant(null), weight: 2 },
      fc.record({
        runs: fc.constantFrom(1, 2, 3, 20),
        healed: fc.constantFrom(0, 0.2, 0.20654, 0.20655, 0.5, 0.83887, 0.83888, 1),
      }),
    ),
    decision: mostly<Decision>(3, 'allow', 'ask', 'deny', 'ask'),
    approvers: mostly<readonly string[] | null>(3, null, ...PERSON_LISTS),
    quorum: mostly<number | null>(3, null, 1, 2, 3, 5),
    expirySeconds: mostly<number | null>(2, null, 60, 600, 3600),
    reason: fc.constant('because'),
  })
  .map((rule) => ({
    ...rule,
    record: rule.decision === 'allow' ? rule.record : null,
    ...(rule.decision === 'ask' ? {} : { approvers: null, quorum: null, expirySeconds: null }),
  }));

const LIMIT_RUNS = mostly(2, 1, 2, 3);
const OVERRIDE: fc.Arbitrary<RiskOverride> = fc.record({
  name: fc.constant(''),
  tool: TOOL,
  target: TARGET,
  risk: fc.constantFrom('safe', 'destructive', 'critical', 'forbidden'),
  limit: fc.option(fc.record({ runs: LIMIT_RUNS, withinSeconds: fc.constantFrom(...WITHIN) }), { freq: 4 }),
  reason: fc.constant('because'),
});

const SHARE = mostly(3, 0.25, 0.29, 0.5, 1, 0.01);
const LIMIT: fc.Arbitrary<PolicyLimit> = fc
  .record({
    ...SCOPE,
    name: fc.constant(''),
    per: fc.constantFrom<PolicyLimit['per'][]>('target', 'instance', 'tool', 'service', 'namespace', 'all'),
    runs: LIMIT_RUNS,
    share: SHARE,
    isShare: mostly(3, false, true),
    withinSeconds: fc.constantFrom(...WITHIN),
    decision: mostly<'ask' | 'deny'>(2, 'ask', 'deny'),
    reason: fc.constant('because'),
  })
  .map(({ isShare, runs, share, ...limit }) => ({
    ...limit,
    runs: isShare ? null : runs,
    share: isShare ? share : null,
  }));

const named = <T extends object>(kind: string, items: readonly T[]): T[] =>
  items.map((item, index) => ({ ...item, name: `${kind}-${index}` }));

/** Policies as they come out of valid files: names are unique, windows exist, only asking rules name people. */
export const policies: fc.Arbitrary<Policy> = fc
  .record({
    rules: some(RULE, mostly(2, 1, 0, 2, 3, 4, 5)),
    windows: fc.array(WINDOW, { minLength: 2, maxLength: 2 }),
    overrides: some(OVERRIDE, mostly(1, 0, 1, 2, 3)),
    limits: some(LIMIT, mostly(1, 0, 1, 2, 3)),
  })
  .map(({ rules, windows, overrides, limits }) => ({
    rules: named('rule', rules),
    windows: named('window', windows),
    overrides: named('override', overrides),
    limits: named('line', limits),
    secrets: [],
    origins: new Map(),
    sha256: '0'.repeat(64),
  }));

const LABELS: fc.Arbitrary<Labels> = fc
  .tuple(
    fc.option(SERVICE, { freq: 5 }),
    fc.option(NAMESPACE, { freq: 5 }),
    mostly<string | null>(2, null, 'prod', 'a\nb'),
    mostly<string | null>(8, null, 'constructor', '__proto__', 'toString'),
  )
  .map(([service, namespace, env, odd]) => {
    const pairs = { service, namespace, env, ...(odd && odd !== '__proto__' ? { [odd]: 'x' } : {}) };
    const labels = Object.fromEntries(Object.entries(pairs).filter(([, value]) => value !== null)) as Labels;
    if (odd === '__proto__') {
      Object.defineProperty(labels, odd, { value: 'x', enumerable: true, writable: true, configurable: true });
    }
    return labels;
  });

const RUN = fc.record({
  tool: TOOL,
  instance: INSTANCE,
  target: TARGET,
  service: SERVICE,
  namespace: NAMESPACE,
  group: mostly<string | null>(3, 'web', 'db', null),
  affects: mostly(3, 1, 0, 2, 24),
  age: mostly(3, 604_800_001, 0, -1, ...AGES),
});

const EFFECTS: readonly RunEffect[] = ['healed', 'worse', 'unchanged', 'unknown'];
/** All healed, but for one at, just before and just after the place up to which a rule with 1, 2, 3 or 20 runs looks. */
const RECORDS = [0, 1, 2, 3, 4, 19, 20, 21, 40].flatMap((length) => [
  Array<RunEffect>(length).fill('healed'),
  ...[0, 1, 2, 3, 18, 19, 20]
    .filter((place) => place < length)
    .flatMap((place) => EFFECTS.slice(1).map((effect) => Array<RunEffect>(length).fill('healed').with(place, effect))),
  Array<RunEffect>(length).fill('unknown'),
]);

/** Questions about a call, most of them of the kind that a policy could allow. */
export const questions: fc.Arbitrary<Question> = fc
  .record({
    call: fc.record({
      tool: TOOL,
      instance: INSTANCE,
      target: TARGET,
      arguments: fc.constantFrom(...ARGUMENTS),
      risk: mostly<RiskClass>(8, 'safe', ...RISK_CLASSES),
    }),
    labels: LABELS,
    mode: mostly<AutonomyMode>(24, 'auto', 'ask', 'observe'),
    origin: mostly<Question['origin']>(24, 'pinned', 'unpinned', 'undeclared'),
    requestedBy: mostly<string | null>(30, null, 'ana', ''),
    at: AT,
    alertAge: mostly(100, 0, 60_000, -1, ...AGES),
    population: fc.option(
      fc.record({
        group: mostly(2, 'web', 'db'),
        members: fc.constantFrom(4, 0, 1, 2, 8, 100),
        affects: mostly(8, 1, 0, 2, 3, 25, 26, 28, 29, 30),
      }),
      { freq: 2 },
    ),
    serviceApprovers: mostly<readonly string[] | null>(6, null, ['ana'], ['ben', 'ana'], ['cleo', 'cleo'], ['Dan']),
    recent: some(RUN, mostly(3, 0, 1, 2, 3, 6)),
    record: fc.oneof(fc.constantFrom(...RECORDS), fc.array(fc.constantFrom(...EFFECTS), { maxLength: 6 })),
    limits: fc.record({
      perTargetTenMinutes: mostly(1, 1, 2, 100),
      perTargetDay: mostly(2, 3, 1, 1000),
      perNamespaceHour: mostly(2, 5, 1, 2),
      replicaShare: SHARE,
      alertAgeSeconds: mostly(3, 900, 60, 86_400),
    }),
  })
  .map(({ at, alertAge, recent, ...question }) => ({
    ...question,
    at: new Date(at),
    receivedAt: new Date(at - alertAge),
    recent: recent.map(({ age, ...run }): Run => ({ ...run, at: new Date(at - age) })),
  }));

/** Verdicts as a judge may give them: whoever is named is enough, and only a question has approvals. */
export const verdicts: fc.Arbitrary<Verdict> = fc
  .record({
    decision: mostly<Decision>(5, 'ask', 'allow', 'deny'),
    risk: fc.constantFrom(...RISK_CLASSES),
    approvals: fc.constantFrom(1, 2, 3),
    approvers: fc.constantFrom(null, ['ana', 'ben'], ['ben', 'cleo'], ['Dan', 'ana', 'ben', 'cleo'], ['ana'], ['cleo']),
    expirySeconds: fc.constantFrom(null, 60, 600, 3600),
    others: fc.subarray(['one allow', 'two allow', 'three ask', 'four deny']),
  })
  .map(({ decision, risk, approvals, approvers, expirySeconds, others }): Verdict => {
    const order: readonly string[] = ['allow', 'ask', 'deny'];
    const spoke = [`main ${decision}`, ...others]
      .map((text) => text.split(' ') as [string, Decision])
      .filter(([, said]) => order.indexOf(said) <= order.indexOf(decision))
      .map(([rule, said]) => ({ rule: rule === 'main' ? `main-${said}` : rule, decision: said, why: 'because' }));
    if (decision !== 'ask') return { decision, risk, approvals: 0, approvers: null, expirySeconds: null, spoke };
    const needed = approvers === null ? approvals : Math.min(approvals, approvers.length);
    return { decision, risk, approvals: needed, approvers, expirySeconds, spoke };
  });
