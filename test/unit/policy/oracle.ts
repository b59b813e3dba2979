/**
 * The decision function once more, written from docs/policy.md alone and on purpose in another way than src/policy: facts
 * are collected and then folded, weeks are rings of minutes, clocks come from the zones' own rules instead of the runtime's
 * tables, and the record is compared in whole numbers. Never imports the rules of src/policy, only its types.
 */
import type { Matcher } from '../../../src/alert/index.ts';
import type { RiskClass } from '../../../src/mcp-tools/index.ts';
import type { Decision, Policy, PolicyLimit, Question, Run, TimeWindow } from '../../../src/policy/question.ts';

/** What of a verdict is compared: everything but the words; `spoke` as sorted `rule decision` lines. */
export interface Answer {
  readonly decision: Decision;
  readonly risk: RiskClass;
  readonly approvals: number;
  readonly approvers: readonly string[] | null;
  readonly expirySeconds: number | null;
  readonly spoke: readonly string[];
}

interface Fact {
  readonly rule: string;
  readonly decision: Decision;
  readonly people?: readonly string[] | null;
  readonly approvals?: number | null;
  readonly expirySeconds?: number | null;
}

const HARM: readonly RiskClass[] = ['read', 'safe', 'destructive', 'critical', 'forbidden'];
const SEVERITY: readonly Decision[] = ['allow', 'ask', 'deny'];
const WEEK = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MINUTE = 60_000;

function last<T>(order: readonly T[], values: readonly T[]): T | undefined {
  return order.findLast((candidate) => values.includes(candidate));
}

interface Change {
  /** Counted from 0, as in Date.UTC. */
  readonly month: number;
  /** 1 is the month's first Sunday, -1 its last. */
  readonly sunday: number;
  /** In minutes after that Sunday's midnight in UTC. */
  readonly at: number;
}

/** In minutes: from UTC to the zone's standard time, what summer adds, and when it begins and ends. */
const ZONES: Record<string, { standard: number; summer?: { adds: number; begins: Change; ends: Change } }> = {
  UTC: { standard: 0 },
  'Asia/Kathmandu': { standard: 345 },
  'Pacific/Apia': { standard: 780 },
  'Europe/Berlin': {
    standard: 60,
    summer: { adds: 60, begins: { month: 2, sunday: -1, at: 60 }, ends: { month: 9, sunday: -1, at: 60 } },
  },
  'America/New_York': {
    standard: -300,
    summer: { adds: 60, begins: { month: 2, sunday: 2, at: 420 }, ends: { month: 10, sunday: 1, at: 360 } },
  },
  'Asia/Beirut': {
    standard: 120,
    summer: { adds: 60, begins: { month: 2, sunday: -1, at: -120 }, ends: { month: 9, sunday: -1, at: -180 } },
  },
  'Australia/Lord_Howe': {
    standard: 630,
    summer: { adds: 30, begins: { month: 9, sunday: 1, at: -510 }, ends: { month: 3, sunday: 1, at: -540 } },
  },
};

function instantOf({ month, sunday, at }: Change, year: number): number {
  const edge = sunday > 0 ? Date.UTC(year, month, 1) : Date.UTC(year, month + 1, 0);
  const weekday = new Date(edge).getUTCDay();
  const days = sunday > 0 ? ((7 - weekday) % 7) + 7 * (sunday - 1) : -weekday;
  return edge + (days * 1440 + at) * MINUTE;
}

/** Gives the minute of the week, 0 to 10079 from midnight on Sunday, that a clock on the wall shows, for 2026 and 2027. */
export function minuteOfWeek(at: Date, timezone: string): number {
  const zone = ZONES[timezone];
  if (!zone) throw new Error(`the oracle has no rules for ${timezone}`);
  let offset = zone.standard;
  if (zone.summer) {
    const { adds, begins, ends } = zone.summer;
    const [from, to] = [instantOf(begins, at.getUTCFullYear()), instantOf(ends, at.getUTCFullYear())];
    const now = at.getTime();
    if (from < to ? from <= now && now < to : !(to <= now && now < from)) offset += adds;
  }
  // The epoch was a Thursday, the fifth day of this week.
  return (Math.floor(at.getTime() / MINUTE) + offset + 4 * 1440) % 10_080;
}

function isInside(window: TimeWindow, at: Date): boolean {
  if (window.kind === 'dates') return at >= window.from && at < window.to;
  const length = ((window.toMinute - window.fromMinute + 1439) % 1440) + 1;
  const now = minuteOfWeek(at, window.timezone);
  return window.days.some((day) => (now - WEEK.indexOf(day) * 1440 - window.fromMinute + 2 * 10_080) % 10_080 < length);
}

const patterns = new Map<string, RegExp>();

function holds({ operator, value, label }: Matcher, texts: ReadonlyMap<string, string>): boolean {
  const actual = texts.get(label) ?? '';
  let hit = actual === value;
  if (operator.endsWith('~')) {
    const pattern = patterns.get(value) ?? new RegExp(`^(?:${value})$`, 's');
    patterns.set(value, pattern);
    hit = pattern.test(actual);
  }
  return operator.startsWith('!') ? !hit : hit;
}

function textsOf({ tool, instance, target, arguments: args }: Question['call']): ReadonlyMap<string, string> {
  const texts = Object.entries(args).map(([name, value]): [string, string] => [
    name,
    typeof value === 'string' ? value : (JSON.stringify(value) ?? ''),
  ]);
  return new Map([...texts, ['tool', tool], ['instance', instance], ['target', target]]);
}

/** Compares in whole numbers: L ≥ h says the same as (k/n - h)² ≥ z²h(1-h)/n where 0 < h < k/n. */
function isGoodEnough(record: Question['record'], wanted: { runs: number; healed: number }): boolean {
  const count = record.length;
  if (count < wanted.runs || record.slice(0, wanted.runs).includes('worse')) return false;
  const unit = 1_000_000n;
  const [n, k] = [BigInt(count), BigInt(record.filter((effect) => effect === 'healed').length)];
  const h = BigInt(Math.round(wanted.healed * Number(unit)));
  if (h === 0n) return true;
  const distance = k * unit - h * n;
  return distance > 0n && distance * distance * 10_000n >= 38_416n * n * h * (unit - h);
}

/** Says of a call, from the text of docs/policy.md, what the policy decides. */
export function oracleJudge(question: Question, policy: Policy): Answer {
  const { call, at, population, limits } = question;
  const labels = new Map(Object.entries(question.labels));
  const texts = textsOf(call);
  const isYounger = (when: Date, seconds: number) => at.getTime() - seconds * 1000 < when.getTime();
  const sent = (seconds: number, same: Partial<Run>) =>
    question.recent.filter(
      (run) =>
        isYounger(run.at, seconds) && Object.entries(same).every(([key, value]) => run[key as keyof Run] === value),
    );

  const declared = HARM.indexOf(call.risk);
  const lines = policy.overrides.filter(({ tool, target, risk, limit }) => {
    if (tool !== call.tool || target !== call.target) return false;
    if (HARM.indexOf(risk) >= declared) return true;
    return limit !== null && sent(limit.withinSeconds, { tool, target }).length < limit.runs;
  });
  const isFixed = call.risk === 'read' || call.risk === 'forbidden';
  const overridden = last(
    HARM,
    lines.map((line) => line.risk),
  );
  const risk = isFixed ? call.risk : (overridden ?? call.risk);

  const isFor = (scope: Pick<PolicyLimit, 'tools' | 'matchers' | 'callMatchers'>) =>
    (scope.tools.length === 0 ||
      scope.tools.includes(call.tool) ||
      scope.tools.some((entry) => entry.endsWith('.*') && call.tool.indexOf(entry.slice(0, -1)) === 0)) &&
    !scope.matchers.some((matcher) => !holds(matcher, labels)) &&
    !scope.callMatchers.some((matcher) => !holds(matcher, texts));

  const isCrowded = (share: number, seconds: number) => {
    if (population === null) return false;
    const earlier = sent(seconds, { instance: call.instance, group: population.group });
    const affected = earlier.reduce((sum, run) => sum + run.affects, population.affects);
    // A share is a decimal fraction: 0.29 of 100 is 29, although 0.29 * 100 is less.
    const most = Math.floor((population.members * Math.round(share * 1e9)) / 1e9);
    return affected > Math.max(most, 1);
  };
  const isUsedUp = ({ per, runs, share, withinSeconds }: PolicyLimit) => {
    if (share !== null) return isCrowded(share, withinSeconds);
    const own: Record<PolicyLimit['per'], Partial<Run>> = {
      target: { target: call.target },
      instance: { instance: call.instance },
      tool: { tool: call.tool },
      service: { service: labels.get('service') ?? '' },
      namespace: { namespace: labels.get('namespace') ?? '' },
      all: {},
    };
    return !Object.values(own[per]).includes('') && sent(withinSeconds, own[per]).length >= (runs ?? 0);
  };

  const open = new Set(policy.windows.filter((window) => isInside(window, at)).map((window) => window.name));
  const facts: Fact[] = policy.rules
    .filter(
      (rule) =>
        isFor(rule) &&
        (rule.risks.length === 0 ? risk !== 'read' : rule.risks.includes(risk)) &&
        (rule.during.length === 0 || rule.during.some((name) => open.has(name))) &&
        !rule.outside.some((name) => open.has(name)) &&
        (rule.record === null || isGoodEnough(question.record, rule.record)),
    )
    .map((rule) => ({
      rule: rule.name,
      decision: rule.decision,
      people: rule.approvers,
      approvals: rule.quorum,
      expirySeconds: rule.expirySeconds,
    }));
  if (risk === 'read') return fold(risk, [...facts, { rule: 'reads-are-free', decision: 'allow' }]);

  for (const line of policy.limits) {
    if (isFor(line) && isUsedUp(line)) facts.push({ rule: line.name, decision: line.decision });
  }
  const namespace = labels.get('namespace') ?? '';
  const { target } = call;
  const always: readonly [rule: string, speaks: boolean, decision: Decision, approvals?: number][] = [
    ['risk-forbidden', risk === 'forbidden', 'deny'],
    ['risk-destructive', risk === 'destructive', 'ask'],
    ['risk-critical', risk === 'critical', 'ask', 2],
    ['mode-observe', question.mode === 'observe', 'deny'],
    ['mode-ask', question.mode === 'ask', 'ask'],
    ['not-in-a-runbook', question.origin === 'undeclared', 'ask'],
    ['runbook-not-pinned', question.origin === 'unpinned', 'ask'],
    ['asked-by-hand', question.requestedBy !== null, 'ask'],
    ['alert-too-old', !isYounger(question.receivedAt, limits.alertAgeSeconds), 'ask'],
    ['limit-ten-minutes', sent(600, { target }).length >= limits.perTargetTenMinutes, 'ask'],
    ['limit-day', sent(86_400, { target }).length >= limits.perTargetDay, 'ask'],
    ['limit-namespace-hour', namespace !== '' && sent(3600, { namespace }).length >= limits.perNamespaceHour, 'ask'],
    ['limit-share', isCrowded(limits.replicaShare, 600), 'ask'],
    ['nothing-allows', !facts.some((fact) => fact.decision === 'allow'), 'ask'],
  ];
  for (const [rule, speaks, decision, approvals] of always) {
    if (speaks) facts.push({ rule, decision, approvals: approvals ?? null });
  }
  if (question.serviceApprovers && facts.every((fact) => fact.decision !== 'deny')) {
    const asked = facts.some((fact) => fact.decision === 'ask');
    if (asked) facts.push({ rule: 'service-approvers', decision: 'ask', people: question.serviceApprovers });
  }
  return withSomebodyToAsk(fold(risk, facts));
}

function fold(risk: RiskClass, facts: readonly Fact[]): Answer {
  const asks = facts.filter((fact) => fact.decision === 'ask');
  return combine(
    risk,
    last(
      SEVERITY,
      facts.map((fact) => fact.decision),
    ),
    {
      approvals: asks.map((fact) => fact.approvals ?? 1),
      people: asks.flatMap((fact) => (fact.people ? [fact.people] : [])),
      expirySeconds: asks.flatMap((fact) => fact.expirySeconds ?? []),
      spoke: facts.map((fact) => `${fact.rule} ${fact.decision}`),
    },
  );
}

function combine(
  risk: RiskClass,
  decision: Decision | undefined,
  said: { approvals: number[]; people: (readonly string[])[]; expirySeconds: number[]; spoke: string[] },
): Answer {
  const spoke = said.spoke.toSorted();
  if (decision !== 'ask') {
    return { decision: decision ?? 'ask', risk, approvals: 0, approvers: null, expirySeconds: null, spoke };
  }
  const named = [...new Set(said.people.flat())].filter((person) => said.people.every((list) => list.includes(person)));
  return {
    decision,
    risk,
    approvals: Math.max(1, ...said.approvals),
    approvers: said.people.length > 0 ? named.toSorted() : null,
    expirySeconds: said.expirySeconds.length > 0 ? Math.min(...said.expirySeconds) : null,
    spoke,
  };
}

/** The last rule of the table. */
function withSomebodyToAsk(answer: Answer): Answer {
  if (answer.approvers === null || answer.approvers.length >= answer.approvals) return answer;
  const spoke = [...answer.spoke, 'nobody-can-approve deny'].toSorted();
  return { ...answer, decision: 'deny', approvals: 0, approvers: null, expirySeconds: null, spoke };
}

/** Says what holds for a call that is for several alerts; a rule that spoke in several is told once. */
export function oracleStrictest(answers: readonly Answer[]): Answer {
  const risk = last(
    HARM,
    answers.map((answer) => answer.risk),
  );
  const decision = last(
    SEVERITY,
    answers.map((answer) => answer.decision),
  );
  return withSomebodyToAsk(
    combine(risk ?? 'forbidden', decision, {
      approvals: answers.map((answer) => answer.approvals),
      people: answers.flatMap((answer) => (answer.approvers ? [answer.approvers] : [])),
      expirySeconds: answers.flatMap((answer) => answer.expirySeconds ?? []),
      spoke: [...new Set(answers.flatMap((answer) => answer.spoke))],
    }),
  );
}
