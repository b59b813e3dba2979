import type { Labels } from '../alert/index.ts';
import { parseConfig } from '../config/index.ts';
import type { Call } from '../mcp-tools/index.ts';
import { explain } from './explain.ts';
import type { PolicyTest } from './policy-tests.ts';
import type { Policy, Question, Verdict } from './question.ts';
import { labelOf } from './scope.ts';

/** Binds a tool and arguments as the catalogue does; used where a test does not state instance, target and risk by itself. */
export type ResolveCall = (
  tool: string,
  args: Readonly<Record<string, unknown>>,
  labels: Labels,
) =>
  | { readonly ok: true; readonly call: Pick<Call, 'instance' | 'target' | 'arguments' | 'risk'> }
  | { readonly ok: false; readonly message: string };

export interface PolicyTestResult {
  readonly path: string;
  readonly name: string;
  readonly passed: boolean;
  /** What was expected and what came instead; empty where the test passed. */
  readonly differences: readonly string[];
  /** Null where the call could not be bound. */
  readonly verdict: Verdict | null;
}

/** Runs each test against a policy. A test goes by the default limits of nightshift.yaml unless it states others. */
export function runPolicyTests(tests: readonly PolicyTest[], policy: Policy, resolve: ResolveCall): PolicyTestResult[] {
  const { limits } = parseConfig({ env: {}, file: null, toolsetSettings: {}, directory: '' });
  return tests.map((test) => {
    const { path, name } = test;
    const call = bind(test, resolve);
    if (typeof call === 'string') return { path, name, passed: false, differences: [call], verdict: null };
    const { verdict, silent } = explain(questionOf(test, call, limits), policy);
    const differences = [
      ...FIELDS.flatMap((field) => {
        const expected = JSON.stringify(test.expect[field]);
        const found = JSON.stringify(verdict[field]);
        return expected === undefined || expected === found ? [] : [`${field}: expected ${expected}, got ${found}`];
      }),
      ...test.expect.rules
        .filter((rule) => !verdict.spoke.some((one) => one.rule === rule))
        .map((rule) => {
          const why = silent.find((one) => one.rule === rule)?.why ?? [
            'it is not about this call, or not in the policy',
          ];
          return `rules: expected ${rule} to speak, but ${why.join('; ')}`;
        }),
    ];
    return { path, name, passed: differences.length === 0, differences, verdict };
  });
}

const FIELDS = ['decision', 'risk', 'approvals', 'approvers', 'expirySeconds'] as const;

/** Gives the call of a test, or why it cannot be made. */
function bind({ call, labels }: PolicyTest, resolve: ResolveCall): Question['call'] | string {
  const { tool, instance, target, risk } = call;
  if (instance !== undefined && target !== undefined && risk !== undefined)
    return { tool, instance, target, risk, arguments: call.arguments };
  const resolution = resolve(tool, call.arguments, labels);
  if (!resolution.ok) return `call: ${resolution.message}; or state instance, target and risk in the test`;
  const bound = resolution.call;
  return {
    tool,
    instance: instance ?? bound.instance,
    target: target ?? bound.target,
    risk: risk ?? bound.risk,
    arguments: bound.arguments,
  };
}

function questionOf(test: PolicyTest, call: Question['call'], defaults: Question['limits']): Question {
  const { labels, mode, origin, requestedBy, at, population, serviceApprovers, record } = test;
  return {
    call,
    labels,
    mode,
    origin,
    requestedBy,
    at,
    receivedAt: test.receivedAt ?? at,
    population,
    serviceApprovers,
    // What a run leaves out is as in the question.
    recent: test.recent.map(({ minutesAgo, ...run }) => ({
      tool: call.tool,
      instance: call.instance,
      target: call.target,
      service: labelOf(labels, 'service'),
      namespace: labelOf(labels, 'namespace'),
      group: population === null ? null : population.group,
      ...run,
      at: new Date(at.getTime() - minutesAgo * 60_000),
    })),
    record,
    limits: { ...defaults, ...test.limits },
  };
}
