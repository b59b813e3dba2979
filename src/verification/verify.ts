import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import {
  type Context,
  escalate,
  type Incident,
  isFiring,
  type NewEvent,
  type Outcome,
  type Stage,
} from '../incident/index.ts';
import { askSource, type Catalogue, type CheckResult, type Look, runChecks } from '../mcp-tools/index.ts';
import { currentChecks } from '../planning/index.ts';

export interface VerifyDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'verification'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  /** Called in the transaction that resolves an incident, so that the next one like it finds it. */
  readonly remember: (incident: Incident) => Promise<void>;
}

type Verification = NonNullable<Context['verification']>;

/**
 * Makes the stage that finds out whether it worked. The runbook's check decides; the alert's own state confirms it. A missing
 * `resolved` alone never causes another attempt, and a `resolved` with a failing check never closes.
 */
export function createVerify(dependencies: VerifyDependencies): Stage {
  const { db, config, catalogue, look, remember } = dependencies;
  return async ({ incident, alerts, signals, abort }) => {
    const { checks, unbound, unchecked } = await currentChecks(db, alerts, catalogue);
    const heard = signals.filter(({ kind }) => kind === 'close' || kind === 'resolved');
    const closing = signals.find(({ kind }) => kind === 'close');
    const verification = withCloser(incident.context.verification ?? freshVerification(), closing?.by);
    const now = new Date();

    if (checks.length + unbound.length === 0) {
      if (verification.closedBy !== null) return resolve(verification, []);
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

    if (unchecked.length > 0 && verification.closedBy === null) {
      return handOver(
        `no check is declared for ${unchecked.join(', ')}, so only a person can say that it is over`,
        results,
      );
    }
    const passed = { ...verification, checksPassedAt: verification.checksPassedAt ?? now.toISOString() };
    const source = await askSource(alerts, { catalogue, look, abort });
    // A person who says that it is over outweighs an alert that has not resolved yet, never a check that fails.
    if (source === 'quiet' || passed.closedBy !== null) return resolve(passed, results);
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
        write: () => remember(incident),
      };
    }

    function notRecovered(failed: Verification, seen: readonly CheckResult[]): Outcome {
      const event: NewEvent = {
        type: 'verification.unchanged',
        actor: 'nightshift',
        data: { checks: seen, after: failed.after },
      };
      if (failed.after === 'action' && !failed.outcomeUnknown)
        return { state: 'diagnosed', context: { verification: null }, events: [event], heard };
      // It fires still or again, so it is not over: it is healed, and not looked at once more beforehand.
      if (failed.after === 'alert' && isFiring(alerts))
        return { state: 'diagnosed', context: { verification: failed }, events: [event], heard };
      const reason =
        failed.after === 'person'
          ? 'it was said to be over, but the checks fail'
          : failed.outcomeUnknown
            ? 'nobody knows whether the last action ran, and the checks fail'
            : 'the alert resolved, but the checks fail';
      return { ...handOver(reason, seen), events: [event] };
    }

    function handOver(reason: string, seen: readonly CheckResult[] = []): Outcome {
      const { state, context } = escalate(reason);
      const events: NewEvent[] =
        seen.length > 0
          ? [{ type: 'verification.unconfirmed', actor: 'nightshift', data: { checks: seen, reason } }]
          : [];
      return { state, context: { ...context, verification: null }, events, heard };
    }
  };
}

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
