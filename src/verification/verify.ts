import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import {
  BY_HAND,
  type Context,
  escalate,
  type Incident,
  incidentName,
  isFiring,
  type NewEvent,
  type Outcome,
  type Stage,
} from '../incident/index.ts';
import { askSource, type Catalogue, type CheckResult, type Look, runChecks } from '../mcp-tools/index.ts';
import { type Action, actionsOf, currentChecks, setEffect } from '../planning/index.ts';
import type { Policy, RunEffect } from '../policy/index.ts';

export interface VerifyDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'verification'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly policy: Policy;
  /** Called in the transaction that resolves an incident, so that the next one like it finds it. */
  readonly remember: (incident: Incident) => Promise<void>;
}

type Verification = NonNullable<Context['verification']>;

/**
 * Makes the stage that finds out whether it worked. The runbook's check decides; the alert's own state confirms it. A missing
 * `resolved` alone never causes another attempt, and a `resolved` with a failing check never closes.
 */
export function createVerify(dependencies: VerifyDependencies): Stage {
  const { db, config, catalogue, look, policy, remember } = dependencies;
  return async ({ incident, alerts, signals, abort }) => {
    const { checks, unbound, unchecked } = await currentChecks(db, alerts, catalogue);
    const heard = signals.filter(({ kind }) => kind === 'close' || kind === 'resolved');
    const closing = signals.find(({ kind }) => kind === 'close');
    const verification = withCloser(incident.context.verification ?? freshVerification(), closing?.by);
    const now = new Date();

    const byHand = alerts.every(({ source }) => source === BY_HAND);
    if (checks.length + unbound.length === 0) {
      const isDone = byHand && verification.after === 'action' && verification.patient && !verification.outcomeUnknown;
      if (verification.closedBy !== null || isDone) return resolve(verification, []);
      return handOver('no check is declared for this alert, so only a person can say that it is over');
    }
    const notMade = unbound.map((check) => ({ check, passed: false, saw: 'it cannot be made for this alert' }));
    const results = [...(await runChecks(checks, alerts, { catalogue, look, abort })), ...notMade];
    if (!results.every(({ passed }) => passed)) {
      const elapsedSeconds = (now.getTime() - new Date(verification.startedAt).getTime()) / 1000;
      const patient = verification.patient && unbound.length === 0;
      const patience = patient ? Math.max(...checks.map(({ withinSeconds }) => withinSeconds)) : 0;
      if (elapsedSeconds < patience) return lookAgain({ ...verification, checksPassedAt: null });
      return notRecovered(verification, results);
    }

    if (unchecked.length > 0 && verification.closedBy === null && !byHand) {
      return handOver(
        `no check is declared for ${unchecked.join(', ')}, so only a person can say that it is over`,
        results,
      );
    }
    const passed = { ...verification, checksPassedAt: verification.checksPassedAt ?? now.toISOString() };
    const source = await askSource(alerts, { catalogue, look, abort });
    // A person who says that it is over outweighs an alert that has not resolved yet, never a check that fails.
    if (source === 'quiet' || passed.closedBy !== null || byHand) return resolve(passed, results);
    const waitedSeconds = (now.getTime() - new Date(passed.checksPassedAt).getTime()) / 1000;
    if (waitedSeconds < config.verification.confirmWithinSeconds) {
      const first = verification.checksPassedAt === null;
      const event: NewEvent = {
        type: 'verification.passed',
        actor: 'nightshift',
        data: { checks: results, source, waitingFor: 'the alert to resolve' },
      };
      return { ...lookAgain(passed), events: first ? [event] : [] };
    }
    return handOver(
      `the checks pass, but the alert is ${source === 'firing' ? 'still firing at its source' : 'not reported as resolved'}`,
      results,
    );

    function lookAgain(next: Verification): Outcome {
      const until = new Date(now.getTime() + config.verification.intervalSeconds * 1000);
      return { state: 'verifying', context: { verification: next }, wait: { until }, heard };
    }

    function resolve(verified: Verification, seen: readonly CheckResult[]): Outcome {
      const events: NewEvent[] = [
        {
          type: 'verification.recovered',
          actor: verified.closedBy ?? 'nightshift',
          data: { checks: seen, after: verified.after },
        },
      ];
      return {
        state: 'resolved',
        context: { verification: verified, escalation: null },
        events,
        write: async () => {
          if (verified.after === 'action') await setEffect(db, incident, seen.length > 0 ? 'healed' : 'unknown');
          await remember(incident);
        },
      };
    }

    async function notRecovered(failed: Verification, seen: readonly CheckResult[]): Promise<Outcome> {
      const effect = failed.after === 'action' ? effectOf(failed, seen) : null;
      const event: NewEvent = {
        type: effect === 'worse' ? 'verification.worse' : 'verification.unchanged',
        actor: 'nightshift',
        data: { checks: seen, after: failed.after },
      };
      const write = async () => {
        if (effect !== null) await setEffect(db, incident, effect);
      };
      if (effect === 'worse') {
        const text = worseText(incident, await actionsOf(db, incident.id, incident.cycle), policy);
        return {
          ...handOver('the last remedy made it worse', seen),
          events: [event],
          messages: [{ kind: 'worse', text }],
          write,
        };
      }
      if (failed.after === 'action' && !failed.outcomeUnknown)
        return { state: 'diagnosed', context: { verification: null }, events: [event], heard, write };
      // It fires still or again, so it is not over: it is healed, and not looked at once more beforehand.
      if (failed.after === 'alert' && isFiring(alerts))
        return { state: 'diagnosed', context: { verification: failed }, events: [event], heard };
      const reason =
        failed.after === 'person'
          ? 'it was said to be over, but the checks fail'
          : failed.outcomeUnknown
            ? 'nobody knows whether the last action ran, and the checks fail'
            : 'the alert resolved, but the checks fail';
      return { ...handOver(reason, seen), events: [event], write };
    }

    /** Worse: more checks fail than before, or alerts joined that began to fire after the remedy. */
    function effectOf(failed: Verification, seen: readonly CheckResult[]): RunEffect {
      const { failingBefore } = incident.context;
      const failing = seen.filter(({ passed }) => !passed).length;
      const startedAt = new Date(failed.startedAt);
      const joined = alerts.some((alert) => alert.status === 'firing' && alert.startsAt > startedAt);
      if (joined || (failingBefore !== null && failing > failingBefore)) return 'worse';
      return failed.outcomeUnknown ? 'unknown' : 'unchanged';
    }

    function handOver(reason: string, seen: readonly CheckResult[] = []): Outcome {
      const { state, context } = escalate(reason);
      const events: NewEvent[] =
        seen.length > 0
          ? [{ type: 'verification.unconfirmed', actor: 'nightshift', data: { checks: seen, reason } }]
          : [];
      const write = async () => {
        if (verification.after === 'action') await setEffect(db, incident, 'unknown');
      };
      return { state, context: { ...context, verification: null }, events, heard, write };
    }
  };
}

/** Says what made things worse, and which rules stop allowing it on that account. */
function worseText(incident: Incident, actions: readonly Action[], policy: Policy): string {
  const sent = actions.filter(({ attempt, status }) => attempt === incident.context.attempt && SENT.has(status));
  const earned = new Set(policy.rules.filter(({ record }) => record !== null).map(({ name }) => name));
  const withdrawn = sent.flatMap(({ decision }) =>
    (decision?.spoke ?? []).filter(({ rule }) => earned.has(rule)).map(({ rule }) => rule),
  );
  const what = sent.map(({ tool, target }) => `${tool} on ${target}`).join(', ');
  const then =
    withdrawn.length > 0
      ? ` It is asked from now on: the record that ${[...new Set(withdrawn)].join(', ')} demands is lost.`
      : '';
  return `${incidentName(incident.id)} ${incident.title}: ${what} made it worse.${then}`;
}

const SENT: ReadonlySet<Action['status']> = new Set(['succeeded', 'failed', 'unknown']);

function freshVerification(): Verification {
  return {
    after: 'alert',
    startedAt: new Date().toISOString(),
    outcomeUnknown: false,
    patient: true,
    checksPassedAt: null,
    closedBy: null,
  };
}

function withCloser(verification: Verification, by: string | undefined): Verification {
  return by === undefined ? verification : { ...verification, after: 'person', closedBy: by };
}
