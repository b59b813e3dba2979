import type { Alert } from '../alert/index.ts';
import { messageOf } from '../errors.ts';
import type { Check } from '../incident/index.ts';
import type { Catalogue } from './catalogue.ts';
import { meetsExpectation } from './expectation.ts';
import type { Look } from './look.ts';

export interface CheckResult {
  readonly check: string;
  readonly passed: boolean;
  /** What was seen, shortened. */
  readonly saw: string;
}

const SAW_MAX = 300;
/** Looks under way at once; an incident may have hundreds of alerts. */
const AT_ONCE = 10;

interface CheckDependencies {
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly abort: AbortSignal;
}

/** Makes each look that a check asks for, ten at a time, and tells which are as expected; one that cannot be made has not passed. */
export async function runChecks(
  checks: readonly Check[],
  alerts: readonly Alert[],
  dependencies: CheckDependencies,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (let start = 0; start < checks.length; start += AT_ONCE) {
    const some = checks.slice(start, start + AT_ONCE);
    results.push(...(await Promise.all(some.map((check) => runCheck(check, alerts, dependencies)))));
  }
  return results;
}

async function runCheck(
  check: Check,
  alerts: readonly Alert[],
  { catalogue, look, abort }: CheckDependencies,
): Promise<CheckResult> {
  const name = `${check.tool} ${JSON.stringify(check.arguments)}: ${check.expect}`;
  const resolution = alerts
    .map((alert) => catalogue.resolve(check.tool, check.arguments, alert.labels))
    .find((one) => one.ok && one.call.instance === check.instance);
  if (!resolution?.ok)
    return { check: name, passed: false, saw: `there is no instance ${check.instance} for this any more` };
  try {
    const seen = await look(resolution.call, abort);
    if (seen.outcome !== 'succeeded') return { check: name, passed: false, saw: seen.error.slice(0, SAW_MAX) };
    const saw = JSON.stringify(seen.result).slice(0, SAW_MAX);
    return { check: name, passed: meetsExpectation(check.expect, seen.result), saw };
  } catch (error) {
    abort.throwIfAborted();
    return { check: name, passed: false, saw: messageOf(error) };
  }
}

/** What the monitoring that raised the alerts says of them. */
export type SourceState = 'firing' | 'quiet' | 'not asked';

/**
 * Asks Prometheus, where an instance of it is for these alerts, whether any of them still fires or is about to.
 * What cannot be asked is `not asked`, never `quiet`.
 */
export async function askSource(
  alerts: readonly Alert[],
  { catalogue, look, abort }: CheckDependencies,
): Promise<SourceState> {
  const firing = alerts.filter((alert) => alert.status === 'firing');
  if (firing.length === 0) return 'quiet';
  const states = await Promise.all(
    firing.map(async ({ labels }): Promise<SourceState> => {
      const resolution = catalogue.resolve(
        'prometheus.alerts',
        labels.alertname ? { labels: { alertname: labels.alertname } } : {},
        labels,
      );
      if (!resolution.ok) return 'not asked';
      const seen = await look(resolution.call, abort);
      if (seen.outcome !== 'succeeded' || !Array.isArray(seen.result.alerts)) return 'not asked';
      if (seen.result.alerts.some((alert: unknown) => isSameAlert(alert, labels))) return 'firing';
      // A Prometheus that has no such rule, or that listed only a part, cannot say that the alert is over.
      const knows = Number(seen.result.rules) > 0 && seen.result.alertsLeftOut === 0;
      return knows ? 'quiet' : 'not asked';
    }),
  );
  if (states.includes('firing')) return 'firing';
  return states.includes('not asked') ? 'not asked' : 'quiet';
}

/** Alertmanager may see more labels than Prometheus shows (external labels), never other values of the same label. */
function isSameAlert(alert: unknown, labels: Readonly<Record<string, string>>): boolean {
  const own = (alert as { labels?: Record<string, string> }).labels ?? {};
  return Object.entries(own).every(([name, value]) => labels[name] === value);
}
