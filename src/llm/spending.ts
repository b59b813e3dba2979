/** What models have cost against what they may: ceilings of an incident, of a day, and of one kind of question for a day. */
import { sql } from 'kysely';
import { inDollars, type ModelRole, type SpendingConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { describeProblems, NightshiftError } from '../errors.ts';

/** Today, as the database's clock and UTC have it. */
export const TODAY = sql<string>`(clock_timestamp() at time zone 'UTC')::date`;

/** Whose costs a question adds to. */
export interface Spender {
  readonly role: ModelRole;
  readonly incidentId: number | null;
}

/** A ceiling, and what was spent of it, in US dollars. */
export interface Ceiling {
  readonly scope: string;
  /** Where the configuration sets it. */
  readonly field: string;
  readonly ceilingUsd: number;
  readonly spentUsd: number;
}

/** Gives the scopes that a question counts in, always in the same order, so that two writers never wait for each other crosswise. */
export function scopesOf(spender: Spender): string[] {
  return ['day', `role:${spender.role}`, ...incidentScopes(spender)];
}

/**
 * Tells whether a ceiling is so near that only the cheapest models are to be asked.
 * @throws NightshiftError `spending_ceiling` naming the ceiling that is reached. What is under way is not counted, so that calls at the
 *   same time may go beyond it by what they cost themselves.
 */
export async function isCeilingNear(db: Database, config: SpendingConfig, spender: Spender): Promise<boolean> {
  const ceilings = await ceilingsOf(db, config, spender);
  const reached = ceilings.find(({ spentUsd, ceilingUsd }) => spentUsd >= ceilingUsd);
  if (reached) throw ceilingReached(reached);
  return ceilings.some(({ spentUsd, ceilingUsd }) => spentUsd >= ceilingUsd * config.cheaperFrom);
}

/** What people ask about an incident, and who judges it afterwards, must not take from what it may cost itself. */
const BESIDE: readonly (ModelRole | null)[] = ['answer', 'judge'];

function incidentScopes({ role, incidentId }: { readonly role: ModelRole | null; readonly incidentId: number | null }) {
  return incidentId === null || BESIDE.includes(role) ? [] : [`incident:${incidentId}`];
}

/** Gives the ceilings that hold for a question, each with what was spent of it: of an incident ever, of the others today. */
export async function ceilingsOf(
  db: Database,
  { incidentUsd, dayUsd, roleUsd }: SpendingConfig,
  { role, incidentId }: { readonly role: ModelRole | null; readonly incidentId: number | null },
): Promise<Ceiling[]> {
  const ofRole = role === null ? undefined : roleUsd[role];
  const ceilings = [
    { scope: 'day', field: 'spending.dayUsd', ceilingUsd: dayUsd },
    ...(ofRole === undefined ? [] : [{ scope: `role:${role}`, field: `spending.roleUsd.${role}`, ceilingUsd: ofRole }]),
    ...incidentScopes({ role, incidentId }).map((scope) => ({
      scope,
      field: 'spending.incidentUsd',
      ceilingUsd: incidentUsd,
    })),
  ];
  const scopes = ceilings.map(({ scope }) => scope);
  // An incident may last beyond midnight.
  const { rows } = await sql<{ scope: string; usd: number }>`
    select scope, sum(usd)::float8 as usd from model_spending
    where scope in (${sql.join(scopes)}) and (day = ${TODAY} or scope like 'incident:%') group by scope
  `.execute(db.q);
  const spent = new Map(rows.map(({ scope, usd }) => [scope, usd]));
  return ceilings.map((one) => ({ ...one, spentUsd: spent.get(one.scope) ?? 0 }));
}

/** Gives what the models have cost for an incident so far, in US dollars, without what people asked about it and its judge. */
export async function spentOnIncident(db: Database, incidentId: number): Promise<number> {
  const { rows } = await sql<{ usd: number }>`
    select coalesce(sum(usd), 0)::float8 as usd from model_spending where scope = ${`incident:${incidentId}`}
  `.execute(db.q);
  return rows[0]?.usd ?? 0;
}

function ceilingReached({ scope, field, ceilingUsd, spentUsd }: Ceiling): NightshiftError {
  const of = scope.startsWith('incident:') ? 'this incident' : 'today';
  const problem = {
    field,
    value: `${inDollars(spentUsd)} of ${inDollars(ceilingUsd)}`,
    message: `the models have cost what they may for ${of}${scope.startsWith('role:') ? ` as ${scope.slice(5)}` : ''}`,
    fix: of === 'today' ? `raise ${field}, or wait for the next day (UTC)` : `raise ${field}`,
  };
  return new NightshiftError('spending_ceiling', describeProblems([problem]), { problems: [problem] });
}
