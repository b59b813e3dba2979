import { sql } from 'kysely';
import type { Database } from '../database/index.ts';

/** How two raters judged the same incidents, each as helpful or not. */
export interface Counts {
  readonly bothGood: number;
  readonly judgeGood: number;
  readonly peopleGood: number;
  readonly bothBad: number;
}

/** How far the judge agrees with people beyond what chance would give. */
export interface Agreement extends Counts {
  readonly incidents: number;
  /** From 0 to 1; null without any incident that both judged. */
  readonly share: number | null;
  /** Cohen's kappa, from -1 to 1: 0 is what chance gives. Null where it means nothing: no incidents, or all of one kind. */
  readonly kappa: number | null;
}

/** A judge's scores of one incident, beside what people said of it. */
export interface Scored {
  readonly incidentId: number;
  readonly cycle: number;
  readonly status: string;
  readonly model: string | null;
  readonly cause: number | null;
  readonly grounded: number | null;
  readonly outcome: number | null;
  readonly reason: string;
  readonly scoredAt: Date | null;
  readonly helpful: number;
  readonly unhelpful: number;
}

/** From this mean of the three scores on, the judge counts as having found the handling helpful. */
export const GOOD_FROM = 0.5;

/** Measures agreement (Cohen, Educational and Psychological Measurement 20, 1960) of two raters who each said yes or no. */
export function agreementOf(counts: Counts): Agreement {
  const { bothGood, judgeGood, peopleGood, bothBad } = counts;
  const incidents = bothGood + judgeGood + peopleGood + bothBad;
  if (incidents === 0) return { ...counts, incidents, share: null, kappa: null };
  const share = (bothGood + bothBad) / incidents;
  const byJudge = (bothGood + judgeGood) / incidents;
  const byPeople = (bothGood + peopleGood) / incidents;
  const chance = byJudge * byPeople + (1 - byJudge) * (1 - byPeople);
  return { ...counts, incidents, share, kappa: chance === 1 ? null : (share - chance) / (1 - chance) };
}

/** Tells whether the judge found the handling helpful, by the mean of its scores; null where it gave none. */
export function foundGood({
  cause,
  grounded,
  outcome,
}: Pick<Scored, 'cause' | 'grounded' | 'outcome'>): boolean | null {
  if (cause === null || grounded === null || outcome === null) return null;
  return (cause + grounded + outcome) / 3 >= GOOD_FROM;
}

/** Counts over all incidents that a model scored and people voted on; where as many said yes as no, people said nothing. */
export function countAgreement(scored: readonly Scored[]): Counts {
  const counts = { bothGood: 0, judgeGood: 0, peopleGood: 0, bothBad: 0 };
  for (const one of scored) {
    const judge = foundGood(one);
    if (judge === null || one.helpful === one.unhelpful) continue;
    const people = one.helpful > one.unhelpful;
    counts[judge ? (people ? 'bothGood' : 'judgeGood') : people ? 'peopleGood' : 'bothBad'] += 1;
  }
  return counts;
}

/** Reads the scores of the newest incidents, at most `limit`, each with the latest vote of every person about the same time. */
export async function scoredIncidents(db: Database, limit: number): Promise<Scored[]> {
  const { rows } = await sql<Scored>`
    select s.incident_id::integer as "incidentId", s.cycle, s.status, s.model, s.cause, s.grounded, s.outcome, s.reason,
      s.scored_at as "scoredAt", coalesce(v.helpful, 0)::integer as helpful, coalesce(v.unhelpful, 0)::integer as unhelpful
    from model_score s left join lateral (
      select count(*) filter (where said) as helpful, count(*) filter (where not said) as unhelpful from (
        select distinct on (e.actor) (e.data ->> 'helpful')::boolean as said from event e
        where e.incident_id = s.incident_id and e.type = 'person.rated' and e.data ->> 'cycle' = s.cycle::text
        order by e.actor, e.id desc) as latest) as v on true
    order by s.incident_id desc, s.cycle desc limit ${limit}`.execute(db.q);
  return rows;
}
