/** What a remedy did to the world, as far as the checks and the alerts tell; a tool's own word counts for nothing. */
import { sql } from 'kysely';
import type { Database } from '../database/index.ts';
import { type Incident, incidentName } from '../incident/index.ts';
import type { Action } from '../planning/index.ts';
import type { Policy, RunEffect } from '../policy/index.ts';

const SENT: ReadonlySet<Action['status']> = new Set(['succeeded', 'failed', 'unknown']);

/**
 * Tells the effect of the last attempt, whose checks fail: `worse` where of the checks made before, more fail now, or an alert joined that
 * began after it was sent; null where nothing was sent. `failing` counts those that were made before and fail now.
 */
export async function effectOf(
  db: Database,
  incident: Incident,
  { attempt, failing, outcomeUnknown }: { attempt: readonly Action[]; failing: number; outcomeUnknown: boolean },
): Promise<RunEffect | null> {
  const [sentAt] = attempt.flatMap((action) => action.sentAt ?? []).toSorted((a, b) => Number(a) - Number(b));
  if (sentAt === undefined) return null;
  const { failingBefore } = incident.context;
  if (failingBefore !== null && failing > failingBefore) return 'worse';
  if (await hasJoinedSince(db, incident, sentAt)) return 'worse';
  return outcomeUnknown ? 'unknown' : 'unchanged';
}

/** One that only came back is not new. */
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
export function worseText(incident: Incident, attempt: readonly Action[], policy: Policy): string {
  const sent = attempt.filter(({ status, undoOf }) => SENT.has(status) && undoOf === null);
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
