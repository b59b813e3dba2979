import type { Alert } from '../alert/index.ts';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Failpoint } from '../failpoints.ts';
import {
  BY_HAND,
  type Check,
  type Context,
  escalate,
  type Incident,
  isFiring,
  type Message,
  type NewEvent,
  type Outcome,
  type Stage,
  timeOf,
} from '../incident/index.ts';
import {
  askSource,
  type Catalogue,
  type CheckResult,
  canonicalSha256,
  type Look,
  runChecks,
} from '../mcp-tools/index.ts';
import {
  type Action,
  actionsAndRunbooks,
  addActions,
  decidingChecks,
  setEffect,
  toolChecksOf,
  undoOf,
} from '../planning/index.ts';
import type { Policy, RunEffect } from '../policy/index.ts';
import { effectOf, worseText } from './effect.ts';

export interface VerifyDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'verification'>;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly policy: Policy;
  readonly failpoint: Failpoint;
  /** Called in the transaction that resolves an incident, so that the next one like it finds it. */
  readonly remember: (
    incident: Incident,
    of: { alerts: readonly Alert[]; planned: readonly Action[] },
  ) => Promise<void>;
}

type Verification = NonNullable<Context['verification']>;

/**
 * Makes the stage that finds out whether it worked. The runbook's check decides; the alert's own state confirms it. A missing
 * `resolved` alone never causes another attempt, and a `resolved` with a failing check never closes.
 */
export function createVerify(dependencies: VerifyDependencies): Stage {
  const { db, config, catalogue, look, policy, failpoint, remember } = dependencies;
  return async ({ incident, alerts, signals, abort }) => {
    const { actions, runbooks } = await actionsAndRunbooks(db, incident, alerts);
    const deciding = decidingChecks(runbooks, alerts, catalogue);
    const { unbound, unchecked } = deciding;
    const heard = signals.filter(({ kind }) => kind === 'close' || kind === 'resolved');
    const closing = signals.find(({ kind }) => kind === 'close');
    const now = await timeOf(db, incident);
    const begun = incident.context.verification ?? freshVerification();
    const startedAt = begun.startedAt ?? now.toISOString();
    const verification = withCloser({ ...begun, startedAt }, closing?.by);
    const { undoing } = incident.context;
    const attempt = actions.filter((action) => action.attempt === incident.context.attempt);
    // What was done must have done what it should; whether all is well is for the runbook's checks to say.
    const own = verification.after === 'action' && undoing === null ? toolChecksOf(attempt, catalogue) : [];
    const checks = [...deciding.checks, ...own];

    const byHand = alerts.every(({ source }) => source === BY_HAND);
    // What was run by hand is over when it ran; what was to be looked into is over when something shows it.
    const ranByHand = byHand && incident.context.investigatedFor === null;
    if (deciding.checks.length + unbound.length === 0) {
      const isDone =
        ranByHand && verification.after === 'action' && verification.patient && !verification.outcomeUnknown;
      if (verification.closedBy !== null || isDone || isOverByItself(verification)) return resolve(verification, []);
      const failed = verification.after === 'action' ? attempt.find(({ status }) => status === 'failed') : undefined;
      return handOver(
        `${failed ? `${failed.tool} on ${failed.target} failed, and ` : ''}no check is declared for this alert, so only a person can say that it is over`,
      );
    }
    const notMade = unbound.map((check) => ({ check, passed: false, saw: 'it cannot be made for this alert' }));
    const results = [...(await runChecks(checks, alerts, { catalogue, look, abort })), ...notMade];
    failpoint('verify.after-look');
    if (!results.every(({ passed }) => passed)) {
      const elapsedSeconds = (now.getTime() - new Date(startedAt).getTime()) / 1000;
      const patient = verification.patient && unbound.length === 0;
      // Each check has its own time; one that passes gives the others none of its.
      const late = checks.filter((_, index) => !results[index]?.passed);
      const patience = patient ? Math.max(0, ...late.map(({ withinSeconds }) => withinSeconds)) : 0;
      if (elapsedSeconds < patience) return lookAgain({ ...verification, checksPassedAt: null });
      return notRecovered(verification, results);
    }

    if (unchecked.length > 0 && verification.closedBy === null && !ranByHand) {
      return handOver(
        `no check is declared for ${unchecked.join(', ')}, so only a person can say that it is over`,
        results,
      );
    }
    const passed = { ...verification, checksPassedAt: verification.checksPassedAt ?? now.toISOString() };
    const source = await askSource(alerts, { catalogue, look, abort });
    const waitedSeconds = (now.getTime() - new Date(passed.checksPassedAt).getTime()) / 1000;
    // What comes up for a moment and falls again was not mended.
    const isSettled = passed.after === 'alert' || waitedSeconds >= config.verification.settleSeconds;
    // A person who says that it is over outweighs an alert that has not resolved yet, never a check that fails.
    if (passed.closedBy !== null || (isSettled && (source === 'quiet' || byHand))) return resolve(passed, results);
    if (!isSettled || waitedSeconds < config.verification.confirmWithinSeconds) {
      const first = verification.checksPassedAt === null;
      const event: NewEvent = {
        type: 'verification.passed',
        actor: 'nightshift',
        data: {
          checks: results,
          source,
          waitingFor: isSettled
            ? 'the alert to resolve'
            : `it to hold for ${config.verification.settleSeconds} s, and the alert to resolve`,
        },
      };
      return { ...lookAgain(passed), events: first ? [event] : [] };
    }
    return handOver(
      `the checks pass, but the alert is ${source === 'firing' ? 'still firing at its source' : 'not reported as resolved'}`,
      results,
    );

    /** Where nothing was done, nothing is claimed either: the sender's word that it is over is enough. */
    function isOverByItself({ after }: Verification): boolean {
      if (after !== 'alert' || isFiring(alerts)) return false;
      return !actions.some(({ status }) => ['running', 'succeeded', 'failed', 'unknown'].includes(status));
    }

    function sayerOf({ after }: Verification): string {
      return (after === 'alert' ? alerts[0]?.source : undefined) ?? 'nightshift';
    }

    function lookAgain(next: Verification): Outcome {
      const wait = { seconds: config.verification.intervalSeconds };
      return { state: 'verifying', context: { verification: next }, wait, heard };
    }

    function resolve(verified: Verification, seen: readonly CheckResult[]): Outcome {
      const events: NewEvent[] = [
        {
          type: 'verification.recovered',
          actor: verified.closedBy ?? (seen.length === 0 ? sayerOf(verified) : 'nightshift'),
          data: { checks: seen, after: verified.closedBy === null ? verified.after : 'person' },
        },
      ];
      return {
        state: 'resolved',
        context: { verification: verified, escalation: null, undoing: null },
        events,
        write: async () => {
          // Who closed it may have mended it, so the remedy gets no credit.
          const isCredited = verified.after === 'action' && verified.closedBy === null && undoing === null;
          const effect: RunEffect = seen.length > 0 ? 'healed' : 'unknown';
          const credited = isCredited ? await setEffect(db, incident, effect) : [];
          const planned = actions.map((action) => (credited.includes(action.id) ? { ...action, effect } : action));
          await remember(incident, { alerts, planned });
        },
      };
    }

    async function notRecovered(failed: Verification, seen: readonly CheckResult[]): Promise<Outcome> {
      if (undoing !== null) return takenBack(undoing, seen);
      const failing = (some: readonly Check[]) => {
        const asked = new Set(some.map((check) => canonicalSha256('check', check)));
        return checks.filter((check, index) => !seen[index]?.passed && asked.has(canonicalSha256('check', check)))
          .length;
      };
      const { outcomeUnknown } = failed;
      const counted = { failing: failing(incident.context.checks), outcomeUnknown };
      const effect = failed.after === 'action' ? await effectOf(db, incident, { ...counted, attempt }) : null;
      const event: NewEvent = {
        type: effect === 'worse' ? 'verification.worse' : 'verification.unchanged',
        actor: 'nightshift',
        data: { checks: seen, after: failed.closedBy === null ? failed.after : 'person' },
      };
      const write = async () => {
        if (effect !== null) await setEffect(db, incident, effect);
      };
      const messages: Message[] =
        effect === 'worse' ? [{ kind: 'worse', text: worseText(incident, attempt, policy) }] : [];
      const undo =
        (effect === 'worse' || effect === 'unchanged') && failed.closedBy === null
          ? undoOf(attempt, effect, catalogue)
          : { drafts: [], problems: [] };
      if (undo.drafts.length > 0 && (effect === 'worse' || effect === 'unchanged')) {
        const place = { incidentId: incident.id, cycle: incident.cycle, attempt: incident.context.attempt };
        const after = Math.max(...attempt.map(({ ordinal }) => ordinal));
        const actions = undo.drafts.map(({ call: { tool, arguments: args, target, risk }, reason }) => {
          return { tool, arguments: args, target, risk, reason };
        });
        return {
          state: 'planned',
          context: { undoing: effect, verification: null, failingBefore: failing(deciding.checks) },
          events: [event, { type: 'undo.planned', actor: 'nightshift', data: { actions, problems: undo.problems } }],
          messages,
          heard,
          write: async () => {
            await write();
            await addActions(db, { ...place, after }, undo.drafts);
          },
        };
      }
      if (effect === 'worse') {
        const why = undo.problems.length > 0 ? `; ${undo.problems.join('; ')}` : '';
        return { ...handOver(`the last remedy made it worse${why}`, seen), events: [event], messages, write };
      }
      // The next remedy is measured by what fails now.
      const next = { failingBefore: failing(deciding.checks) };
      if (failed.closedBy === null && failed.after === 'action' && !failed.outcomeUnknown)
        return { state: 'diagnosed', context: { ...next, verification: null }, events: [event], heard, write };
      // It fires still or again, so it is not over: it is healed, and not looked at once more beforehand.
      if (failed.closedBy === null && failed.after === 'alert' && isFiring(alerts))
        return { state: 'diagnosed', context: { ...next, verification: failed }, events: [event], heard };
      const reason =
        failed.closedBy !== null
          ? 'it was said to be over, but the checks fail'
          : failed.outcomeUnknown
            ? 'nobody knows whether the last action ran, and the checks fail'
            : 'the alert resolved, but the checks fail';
      return { ...handOver(reason, seen), events: [event], write };
    }

    /** Taken back, and it is not over: what made it worse is a person's matter now, what did not help makes room for the next. */
    function takenBack(because: 'unchanged' | 'worse', seen: readonly CheckResult[]): Outcome {
      const undone = attempt.filter(({ undoOf: of, status }) => of !== null && status === 'succeeded');
      const what = undone.map(({ tool, target }) => `${tool} on ${target}`).join(', ');
      const event: NewEvent = {
        type: 'undo.finished',
        actor: 'nightshift',
        data: { because, checks: seen, actions: undone.map(({ id, tool, target }) => ({ action: id, tool, target })) },
      };
      const whole = attempt.every(({ undoOf: of, status }) => of === null || status === 'succeeded');
      if (because === 'worse' || !whole) {
        const how =
          what === ''
            ? 'and was not taken back'
            : whole
              ? `and was taken back (${what})`
              : `and only ${what} took it back`;
        return {
          ...handOver(`the last remedy ${because === 'worse' ? 'made it worse' : 'did not help'}, ${how}`, seen),
          events: [event],
        };
      }
      return { state: 'diagnosed', context: { verification: null, undoing: null }, events: [event], heard };
    }

    function handOver(reason: string, seen: readonly CheckResult[] = []): Outcome {
      const { state, context } = escalate(reason);
      const events: NewEvent[] =
        seen.length > 0
          ? [{ type: 'verification.unconfirmed', actor: 'nightshift', data: { checks: seen, reason } }]
          : [];
      const write = async () => {
        if (verification.after === 'action' && undoing === null) await setEffect(db, incident, 'unknown');
      };
      return { state, context: { ...context, verification: null, undoing: null }, events, heard, write };
    }
  };
}

function freshVerification(): Verification {
  return {
    after: 'alert',
    startedAt: null,
    outcomeUnknown: false,
    patient: true,
    checksPassedAt: null,
    closedBy: null,
  };
}

/** What came before stays, so that a remedy that made things worse is found out whoever closes. */
function withCloser(verification: Verification, by: string | undefined): Verification {
  return by === undefined ? verification : { ...verification, closedBy: by };
}
