import { stringify } from 'yaml';
import type { Config } from '../config/index.ts';
import { writeMatcher } from '../incident/index.ts';
import { shownBuiltInRules } from './built-in-rules.ts';
import type { Policy, PolicyLimit, PolicyRule, TimeWindow } from './question.ts';

/** One rule or limit for people: where it stands, when it speaks, what it says and why. */
export interface ShownRule {
  readonly id: string;
  /** The path of its file, or `built in`. */
  readonly origin: string;
  readonly decision: string;
  /** In words, or as YAML where it is of a file. */
  readonly when: string;
  readonly why: string;
}

/** The policy in force, for people. */
export interface ShownPolicy {
  readonly rules: readonly ShownRule[];
  /** The lines of `risks:`; `risk` is the class that they give. */
  readonly risks: readonly (Omit<ShownRule, 'decision'> & { readonly risk: string })[];
  readonly windows: readonly { readonly id: string; readonly origin: string; readonly when: string }[];
  /** Into which arguments secrets may be put back. */
  readonly secrets: readonly {
    readonly id: string;
    readonly origin: string;
    readonly tool: string;
    readonly argument: string;
    readonly why: string;
  }[];
}

/** Shows a policy as it was loaded, with the rules that are always there, and not as its files may be by now. */
export function showPolicy(policy: Policy, limits: Config['limits']): ShownPolicy {
  const originOf = (name: string) => policy.origins.get(name) ?? 'built in';
  const named = (name: string) => ({ id: name, origin: originOf(name) });
  return {
    rules: [
      ...policy.rules.map((rule) => ({
        ...named(rule.name),
        decision: rule.decision,
        when: whenOf(rule),
        why: rule.reason,
      })),
      ...policy.limits.map((limit) => ({
        ...named(limit.name),
        decision: limit.decision,
        when: whenReached(limit),
        why: limit.reason,
      })),
      ...shownBuiltInRules(limits),
    ],
    risks: policy.overrides.map(({ name, tool, target, risk, limit, reason }) => ({
      ...named(name),
      risk,
      when: asYaml({ tool, target, ...(limit ? { limit } : {}) }),
      why: reason,
    })),
    windows: policy.windows.map((window) => ({ ...named(window.name), when: openWhen(window) })),
    secrets: policy.secrets.map(({ name, tool, argument, reason }) => ({
      ...named(name),
      tool,
      argument,
      why: reason,
    })),
  };
}

type Scope = Pick<PolicyRule, 'tools' | 'matchers' | 'callMatchers'>;

function scopeOf({ tools, matchers, callMatchers }: Scope) {
  return {
    ...some('tools', tools),
    ...some('match', matchers.map(writeMatcher)),
    ...some('call', callMatchers.map(writeMatcher)),
  };
}

function whenOf(rule: PolicyRule): string {
  const { risks, during, outside, record, approvers, quorum, expirySeconds } = rule;
  const when = { ...scopeOf(rule), ...some('risks', risks), ...some('during', during), ...some('outside', outside) };
  const asks = {
    ...(approvers ? { approvers } : {}),
    ...(quorum === null ? {} : { quorum }),
    ...(expirySeconds === null ? {} : { expirySeconds }),
  };
  return asYaml({ ...when, ...(record ? { record } : {}), ...asks }) || 'every call that changes something';
}

function whenReached(limit: PolicyLimit): string {
  const { per, runs, share, withinSeconds } = limit;
  return asYaml({ ...scopeOf(limit), ...(share === null ? { per, runs } : { share }), withinSeconds });
}

function openWhen(window: TimeWindow): string {
  if (window.kind === 'dates') return `from ${window.from.toISOString()} to ${window.to.toISOString()}`;
  const { days, fromMinute, toMinute, timezone } = window;
  return `${days.join(', ')} from ${clock(fromMinute)} to ${clock(toMinute)} in ${timezone}`;
}

function clock(minute: number): string {
  return `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
}

function some(name: string, list: readonly string[]): Record<string, readonly string[]> {
  return list.length > 0 ? { [name]: list } : {};
}

function asYaml(value: object): string {
  return Object.keys(value).length === 0 ? '' : stringify(value, { lineWidth: 0 }).trimEnd();
}
