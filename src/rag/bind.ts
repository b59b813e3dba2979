import { type Alert, type Labels, matchesLabels, parseMatcherList } from '../alert/index.ts';
import type { Check } from '../incident/index.ts';
import { type Call, type Catalogue, canonicalSha256 } from '../mcp-tools/index.ts';
import type { Condition, Runbook } from './runbook.ts';

/** A remedy wider than this is not begun. */
const ACTIONS_MAX = 8;
const TEMPLATE = /\{\{\s*labels\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}/g;

type Filled =
  | { readonly ok: true; readonly values: Record<string, unknown> }
  | { readonly ok: false; readonly message: string };

/** What ends a quoted text in a query language, or begins an escape in one; in the middle of a query it would rewrite that. */
const QUOTING = /["'`\\\p{Cc}]/u;

/**
 * Fills `{{ labels.NAME }}` inside arguments, at any depth, with label values as they are; a missing or empty label fills nothing, and
 * neither does one with a quote, a backslash or a control character where it would stand inside a longer text. Never evaluates anything.
 */
export function fillTemplates(args: Readonly<Record<string, unknown>>, labels: Labels): Filled {
  const missing = new Set<string>();
  const quoting = new Set<string>();
  const fill = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(fill);
    if (value !== null && typeof value === 'object')
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, fill(item)]));
    if (typeof value !== 'string') return value;
    return value.replace(TEMPLATE, (placeholder, name: string) => {
      const found = Object.hasOwn(labels, name) ? labels[name] : undefined;
      if (!found) missing.add(name);
      else if (placeholder !== value && QUOTING.test(found)) quoting.add(name);
      return found ?? '';
    });
  };
  const values = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, fill(value)]));
  if (missing.size > 0) return { ok: false, message: `the alert has no label ${[...missing].join(', ')}` };
  if (quoting.size > 0) {
    const names = [...quoting].join(', ');
    return {
      ok: false,
      message: `label ${names} holds a quote or a backslash, so it is not filled into a longer text`,
    };
  }
  return { ok: true, values };
}

/** One call of a remedy, for one alert, checked against its tool's schema but not yet judged. */
export interface BoundStep {
  readonly call: Call;
  readonly labels: Labels;
  readonly fingerprint: string;
  readonly reason: string;
  readonly undo: string;
}

/** One runbook's remedy bound to the alerts of an incident; with problems it cannot be used. */
export interface BoundRemedy {
  readonly runbook: string;
  readonly name: string;
  /** Looks that must all be as expected for it to be meant. */
  readonly when: readonly Check[];
  readonly steps: readonly BoundStep[];
  readonly problems: readonly string[];
}

/** Tells two calls of the same tool on the same instance with the same arguments to be the same. */
export function callFingerprint(call: Pick<Call, 'instance' | 'tool' | 'arguments'>): string {
  return canonicalSha256('call', { instance: call.instance, tool: call.tool, arguments: call.arguments });
}

/** Gives the alerts that a runbook declares itself to be for. */
export function alertsFor<A extends Pick<Alert, 'labels'>>(runbook: Pick<Runbook, 'match'>, alerts: readonly A[]): A[] {
  const matchers = parseMatcherList(runbook.match);
  return matchers.length === 0 ? [] : alerts.filter((alert) => matchesLabels(matchers, alert.labels));
}

/** Binds each remedy of a runbook to the alerts that it matches; equal calls are made once. */
export function bindRemedies(
  runbook: Runbook,
  alerts: readonly Pick<Alert, 'labels'>[],
  catalogue: Catalogue,
): BoundRemedy[] {
  const fitting = alertsFor(runbook, alerts);
  return runbook.remedies.map(({ name, when, steps }) => {
    const bound = new Map<string, BoundStep>();
    const conditions = bindLooks(
      when.map((condition) => ({ ...condition, withinSeconds: 0 })),
      fitting,
      catalogue,
    );
    const problems = conditions.problems.map((problem) => `when: ${problem}`);
    for (const { labels } of fitting) {
      for (const step of steps) {
        const filled = fillTemplates(step.with, labels);
        const resolution = filled.ok ? catalogue.resolve(step.tool, filled.values, labels) : filled;
        if (!resolution.ok) {
          problems.push(`${step.tool}: ${resolution.message}`);
          continue;
        }
        const { call } = resolution;
        const fingerprint = callFingerprint(call);
        if (!bound.has(fingerprint))
          bound.set(fingerprint, { call, labels, fingerprint, reason: step.why, undo: step.undo ?? call.undo });
      }
    }
    if (bound.size > ACTIONS_MAX)
      problems.push(`it would take ${bound.size} actions, and more than ${ACTIONS_MAX} are a person's decision`);
    return {
      runbook: runbook.path,
      name,
      when: conditions.checks.map(withoutCall),
      steps: [...bound.values()],
      problems,
    };
  });
}

/** Binds the checks of a runbook to the alerts that it matches; only reading tools can be checks. */
export function bindChecks(
  runbook: Runbook,
  alerts: readonly Pick<Alert, 'labels'>[],
  catalogue: Catalogue,
): { checks: BoundCheck[]; problems: string[] } {
  return bindLooks(runbook.verify, alertsFor(runbook, alerts), catalogue);
}

type BoundCheck = Check & { readonly call: Call };

function withoutCall({ call: _call, ...check }: BoundCheck): Check {
  return check;
}

function bindLooks(
  looks: readonly (Condition & { readonly withinSeconds: number })[],
  alerts: readonly Pick<Alert, 'labels'>[],
  catalogue: Catalogue,
): { checks: BoundCheck[]; problems: string[] } {
  const checks = new Map<string, BoundCheck>();
  const problems: string[] = [];
  for (const { labels } of alerts) {
    for (const check of looks) {
      const filled = fillTemplates(check.with, labels);
      const resolution = filled.ok ? catalogue.resolve(check.tool, filled.values, labels) : filled;
      if (!resolution.ok) problems.push(`${check.tool}: ${resolution.message}`);
      else if (resolution.call.risk !== 'read') problems.push(`${check.tool}: a check may only read`);
      else {
        const { call } = resolution;
        const bound = {
          instance: call.instance,
          tool: call.tool,
          arguments: call.arguments,
          expect: check.expect,
          withinSeconds: check.withinSeconds,
          call,
        };
        checks.set(`${callFingerprint(call)} ${check.expect}`, bound);
      }
    }
  }
  return { checks: [...checks.values()], problems };
}
