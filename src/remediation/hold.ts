import { sql } from 'kysely';
import type { CorrelationConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import {
  BY_HAND,
  beginVerification,
  escalate,
  heldBy,
  type Incident,
  incidentName,
  isClosed,
  isFiring,
  isFoldable,
  listMaintenance,
  loadIncident,
  type Outcome,
  type Stage,
  type State,
  timeOf,
  type Work,
} from '../incident/index.ts';

/**
 * Lets an incident wait, before anything is done about it, while it is folded under another, and while each of its alerts lies within
 * a maintenance or a silence; what resolves meanwhile is over. What flaps goes to a person instead of being remedied again.
 */
export function withHold(
  { db, flapping }: { db: Database; flapping: CorrelationConfig['flapping'] },
  stages: Readonly<Record<State, Stage>>,
): Readonly<Record<State, Stage>> {
  const guard =
    (stage: Stage): Stage =>
    async (work): Promise<Outcome> => {
      const { incident, alerts, signals } = work;
      const reason = await reasonToWait(work);
      if (reason !== null) {
        const heard = signals.filter(({ kind }) => kind === 'resolved');
        if (!isFiring(alerts)) return { ...beginVerification('alert'), heard };
        const isNew = incident.context.held !== reason.because;
        const data = { because: reason.because, until: reason.until?.toISOString() ?? null };
        return {
          state: incident.state,
          context: { held: reason.because },
          events: isNew ? [{ type: 'incident.held', actor: 'nightshift', data }] : [],
          wait: { until: reason.until },
          heard,
        };
      }
      if (incident.state === 'received') {
        const times = await timesFired(db, incident, flapping.withinSeconds);
        if (times > flapping.times) return giveUpOn(times);
      }
      const outcome = await stage(work);
      return incident.context.held === null ? outcome : { ...outcome, context: { ...outcome.context, held: null } };
    };

  async function reasonToWait({ incident, alerts }: Work): Promise<{ because: string; until: Date | null } | null> {
    const { parentId } = incident;
    if (parentId !== null && !isClosed((await loadIncident(db, parentId)).state))
      return { because: `it is folded under ${incidentName(parentId)}`, until: null };
    // What a person asked for is not held back by what holds for alerts.
    const firing = alerts.filter(({ status, source }) => status === 'firing' && source !== BY_HAND);
    if (firing.length < alerts.filter(({ status }) => status === 'firing').length) return null;
    if (incident.glimpse?.maintenance === false) return null;
    const held = heldBy(firing, await listMaintenance(db), await timeOf(db, incident));
    return held === null || (await hasSent(incident)) ? null : held;
  }

  /** What was begun is brought to its end. */
  async function hasSent({ id, cycle }: Incident): Promise<boolean> {
    const { rows } = await sql`
      select from action a join intent n on n.action_id = a.id where a.incident_id = ${id} and a.cycle = ${cycle} limit 1`.execute(
      db.q,
    );
    return rows.length > 0;
  }

  function giveUpOn(times: number): Outcome {
    const within = Math.round(flapping.withinSeconds / 60);
    const { state, context } = escalate(
      `it is flapping: it fired ${times} times within ${within} min, so it is not remedied again until it has been quiet for ${Math.round(flapping.quietSeconds / 60)} min`,
    );
    const event = {
      type: 'incident.flapping',
      actor: 'nightshift',
      data: { times, withinSeconds: flapping.withinSeconds },
    };
    return { state, context: { ...context, flapping: true }, events: [event] };
  }

  return Object.fromEntries(
    Object.entries(stages).map(([state, stage]) => [state, isFoldable(state as State) ? guard(stage) : stage]),
  ) as Record<State, Stage>;
}

/** Counts how often the alert of an incident that fired most often did so within the time, whether its start changed or not. */
async function timesFired(db: Database, { id }: Pick<Incident, 'id'>, withinSeconds: number): Promise<number> {
  const { rows } = await sql<{ times: number }>`
    select count(*)::int as times from event
    where incident_id = ${id} and type = 'alert.firing' and at >= clock_timestamp() - ${withinSeconds} * interval '1 second'
    group by actor, data->>'fingerprint' order by 1 desc limit 1`.execute(db.q);
  return rows[0]?.times ?? 0;
}
