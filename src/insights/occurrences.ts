import { type RawBuilder, sql } from 'kysely';
import { ACTING_TYPES } from './outcome.ts';

/** What is read of the timelines; everything else is left alone. */
const MARKS = [
  'alert.firing',
  'alert.resolved',
  'action.started',
  'action.succeeded',
  'approval.requested',
  'incident.escalated',
  'incident.resolved',
  'incident.shed',
  'incident.flapping',
];

/**
 * Common table expressions about what began within a span. `mark` has the events that count, of every incident that anything happened to since
 * it began. `occurrence` has one row for each time that an incident fired until it was over: `incident_id`, `alertname`, `service`, `began`, `acted`
 * (null: not yet), `resolved` (null: not yet), `handed` (whether it was handed to a person at all) and `outcome`. What people asked for by hand is no
 * occurrence, nor is what was folded under another incident. It says of every incident what `courseOf` says of one.
 */
export function occurrencesWithin(from: Date, to: Date): RawBuilder<unknown> {
  return sql`
    concerned as materialized (
      select id, state, labels, service, parent_id is null and correlation_key not like 'manual-%' as counts from incident
      where updated_at >= ${from} and opened_at < ${to}
    ), mark as materialized (
      select e.incident_id, e.id, e.at, e.type, e.actor, e.type = 'action.started' and e.data ? 'approval' as asked,
        -- Whatever comes after its end belongs to the next time that it fires.
        count(*) filter (where e.type = 'incident.resolved') over (
          partition by e.incident_id order by e.id rows between unbounded preceding and 1 preceding) as n
      from concerned c join event e on e.incident_id = c.id where e.type in (${sql.join(MARKS)})
    ), course as materialized (
      select incident_id, n,
        min(at) filter (where type = 'alert.firing') as began,
        min(at) filter (where type in (${sql.join([...ACTING_TYPES])})) as acted,
        min(at) filter (where type = 'incident.resolved') as resolved,
        min(actor) filter (where type = 'incident.resolved') as closed_by,
        max(id) filter (where type = 'action.succeeded') as succeeded,
        max(id) filter (where type = 'incident.escalated') as escalated,
        bool_or(asked) as asked
      from mark group by incident_id, n
    ), occurrence as materialized (
      select o.incident_id, coalesce(c.labels ->> 'alertname', '') as alertname, coalesce(c.service, c.labels ->> 'service') as service,
        o.began, o.acted, o.resolved, o.escalated is not null as handed,
        case
          when o.resolved is null then case when c.state in ('stopped', 'escalated') then c.state else 'open' end
          when o.closed_by <> 'nightshift' or coalesce(o.escalated, 0) > coalesce(o.succeeded, 0) then 'healedByPeople'
          when o.succeeded is null then 'resolvedByItself'
          when o.asked then 'healedAfterApproval'
          else 'healedAlone'
        end as outcome
      from course o join concerned c on c.id = o.incident_id
      where c.counts and o.began >= ${from} and o.began < ${to}
    )`;
}
