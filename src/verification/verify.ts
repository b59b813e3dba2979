import { sql } from 'kysely';
import type { Config } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import {
  BY_HAND,
  type Check,
  type Context,
  escalate,
  type Incident,
  incidentName,
  isFiring,
  type NewEvent,
  type Outcome,
  type Stage,
} from '../incident/index.ts';
import {
  askSource,
  type Catalogue,
  type CheckResult,
  canonicalSha256,
  type Look,
  runChecks,
} from '../mcp-tools/index.ts';
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
    // What was run by hand is over when it ran; what was to be looked into is over when something shows it.
    const ranByHand = byHand && incident.context.investigatedFor === null;
    if (checks.length + unbound.length === 0) {
      const isDone =
        ranByHand && verification.after === 'action' && verification.patient && !verification.outcomeUnknown;
      if (verification.closedBy !== null || isDone || (await isOverByItself(verification)))
        return resolve(verification, []);
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

    if (unchecked.length > 0 && verification.closedBy === null && !ranByHand) {
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

    /** Where nothing was done, nothing is claimed either: the sender's word that it is over is enough. */
    async function isOverByItself({ after }: Verification): Promise<boolean> {
      if (after !== 'alert' || isFiring(alerts)) return false;
      const actions = await actionsOf(db, incident.id, incident.cycle);
      return !actions.some(({ status }) => ['running', 'succeeded', 'failed', 'unknown'].includes(status));
    }

    function sayerOf({ after }: Verification): string {
      return (after === 'alert' ? alerts[0]?.source : undefined) ?? 'nightshift';
    }

    function lookAgain(next: Verification): Outcome {
      const until = new Date(now.getTime() + config.verification.intervalSeconds * 1000);
      return { state: 'verifying', context: { verification: next }, wait: { until }, heard };
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
        context: { verification: verified, escalation: null },
        events,
        write: async () => {
          // Who closed it may have mended it, so the remedy gets no credit.
          if (verified.after === 'action' && verified.closedBy === null)
            await setEffect(db, incident, seen.length > 0 ? 'healed' : 'unknown');
          await remember(incident);
        },
      };
    }

    async function notRecovered(failed: Verification, seen: readonly CheckResult[]): Promise<Outcome> {
      const failing = (some: readonly Check[]) => {
        const asked = new Set(some.map((check) => canonicalSha256('check', check)));
        return checks.filter((check, index) => !seen[index]?.passed && asked.has(canonicalSha256('check', check)))
          .length;
      };
      const effect = failed.after === 'action' ? await effectOf(failed, failing(incident.context.checks)) : null;
      const event: NewEvent = {
        type: effect === 'worse' ? 'verification.worse' : 'verification.unchanged',
        actor: 'nightshift',
        data: { checks: seen, after: failed.closedBy === null ? failed.after : 'person' },
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
      // The next remedy is measured by what fails now.
      const next = { failingBefore: failing(checks) };
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

    /** Worse: of the checks made before, more fail now, or an alert joined that began after the remedy was sent; null where nothing was sent. */
    async function effectOf({ outcomeUnknown }: Verification, failing: number): Promise<RunEffect | null> {
      const sentAt = await firstSentAt(db, incident);
      if (sentAt === null) return null;
      const { failingBefore } = incident.context;
      if (failingBefore !== null && failing > failingBefore) return 'worse';
      if (await hasJoinedSince(db, incident, sentAt)) return 'worse';
      return outcomeUnknown ? 'unknown' : 'unchanged';
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

/** Gives when the first action of the last attempt was sent; null where none was. */
async function firstSentAt(db: Database, { id, cycle, context }: Incident): Promise<Date | null> {
  const row = await db.q
    .selectFrom('intent as i')
    .innerJoin('action as a', 'a.id', 'i.action_id')
    .select('i.sent_at')
    .where('a.incident_id', '=', id)
    .where('a.cycle', '=', cycle)
    .where('a.attempt', '=', context.attempt)
    .orderBy('i.sent_at')
    .limit(1)
    .executeTakeFirst();
  return row?.sent_at ?? null;
}

/** Tells whether an alert fires that began since and had not been there before; one that only came back is not new. */
async function hasJoinedSince(db: Database, { id, cycle }: Incident, since: Date): Promise<boolean> {
  const { rows } = await sql`
    select from alert as a
    where a.incident_id = ${id} and a.cycle = ${cycle} and a.status = 'firing' and a.starts_at > ${since}
      and not exists (select from alert as b where b.incident_id = a.incident_id and b.cycle = a.cycle
        and b.source = a.source and b.fingerprint = a.fingerprint and b.starts_at <= ${since})
    limit 1`.execute(db.q);
  return rows.length > 0;
}

/** Says what made things worse, and which rules stop allowing it on that account. */
function worseText(incident: Incident, actions: readonly Action[], policy: Policy): string {
  const sent = actions.filter(({ attempt, status }) => attempt === incident.context.attempt && SENT.has(status));
  const earned = new Set(policy.rules.filter(({ record }) => record !== null).map(({ name }) => name));
  const allowing = sent.flatMap(({ decision }) => (decision?.spoke ?? []).filter((one) => one.decision === 'allow'));
  const lost = allowing.filter(({ rule }) => earned.has(rule)).map(({ rule }) => rule);
  const others = allowing.filter(({ rule }) => !earned.has(rule)).map(({ rule }) => rule);
  const what = sent.map(({ tool, target }) => `${tool} on ${target}`).join(', ');
  const withdrawn = lost.length > 0 ? ` The record that ${unique(lost)} demands is lost` : '';
  const then =
    withdrawn === ''
      ? ''
      : others.length > 0
        ? `${withdrawn}, but ${unique(others)} allows it still.`
        : `${withdrawn}: it is asked from now on.`;
  return `${incidentName(incident.id)} ${incident.title}: ${what} made it worse.${then}`;
}

function unique(names: readonly string[]): string {
  return [...new Set(names)].join(', ');
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

/** What came before stays, so that a remedy that made things worse is found out whoever closes. */
function withCloser(verification: Verification, by: string | undefined): Verification {
  return by === undefined ? verification : { ...verification, closedBy: by };
}
