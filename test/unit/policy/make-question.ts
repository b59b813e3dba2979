import { parseMatchers } from '../../../src/alert/index.ts';
import type { Policy, PolicyRule, Question, Run } from '../../../src/policy/index.ts';
import type { PolicyLimit, RiskOverride } from '../../../src/policy/question.ts';

/** A Monday. */
export const AT = new Date('2026-01-05T12:00:00.000Z');

export const secondsAgo = (seconds: number): Date => new Date(AT.getTime() - seconds * 1000);

/** A question about a safe step of a pinned runbook, in auto mode, without earlier runs: nothing but a rule is missing. */
export function question(
  change: Partial<Omit<Question, 'call'>> & { call?: Partial<Question['call']> } = {},
): Question {
  return {
    labels: { env: 'staging', service: 'search', namespace: 'shop' },
    mode: 'auto',
    origin: 'pinned',
    requestedBy: null,
    at: AT,
    receivedAt: AT,
    population: null,
    serviceApprovers: null,
    recent: [],
    record: [],
    limits: {
      perTargetTenMinutes: 1,
      perTargetDay: 3,
      perNamespaceHour: 5,
      replicaShare: 0.25,
      alertAgeSeconds: 900,
    },
    ...change,
    call: {
      tool: 'supervisor.restart',
      instance: 'shop',
      target: 'shop:process web',
      arguments: { process: 'web' },
      risk: 'safe',
      ...change.call,
    },
  };
}

/** A run that none of the limits of `question()` counts, but for what is changed. */
export function run(change: Partial<Run> = {}): Run {
  return {
    tool: 'other.tool',
    instance: 'other',
    target: 'other:target',
    service: 'other',
    namespace: 'other',
    group: null,
    affects: 1,
    at: AT,
    ...change,
  };
}

export function rule(change: Partial<PolicyRule> = {}): PolicyRule {
  return {
    name: 'allow-safe',
    tools: [],
    matchers: [],
    callMatchers: [],
    risks: [],
    during: [],
    outside: [],
    record: null,
    decision: 'allow',
    approvers: null,
    quorum: null,
    expirySeconds: null,
    reason: 'it is safe',
    ...change,
  };
}

export function limit(change: Partial<PolicyLimit> = {}): PolicyLimit {
  return {
    name: 'a-limit',
    tools: [],
    matchers: [],
    callMatchers: [],
    per: 'all',
    runs: 1,
    share: null,
    withinSeconds: 3600,
    decision: 'ask',
    reason: 'enough',
    ...change,
  };
}

export function override(change: Partial<RiskOverride> = {}): RiskOverride {
  return {
    name: 'a-line',
    tool: 'supervisor.restart',
    target: 'shop:process web',
    risk: 'safe',
    limit: { runs: 2, withinSeconds: 3600 },
    reason: 'known',
    ...change,
  };
}

export function policy(change: Partial<Policy> = {}): Policy {
  return {
    rules: [rule()],
    windows: [],
    overrides: [],
    limits: [],
    secrets: [],
    origins: new Map(),
    sha256: '',
    ...change,
  };
}

export const matchers = parseMatchers;
