import { z } from 'zod';
import { problemsOf } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import type { ReadAlert } from './delivery.ts';
import { cutText, flawsByAlert, labelText, type ParsedDelivery, refuseBody, timeSchema } from './read-alerts.ts';
import { readJson } from './read-json.ts';

/**
 * PagerDuty retries for up to 48 h; what is older than this is no retry. The ids of events must be remembered for at least as long,
 * or else an old delivery could be played again.
 */
export const EVENT_AGE_MS_MAX = 72 * 60 * 60_000;

const STATUS_OF: Readonly<Record<string, ReadAlert['status']>> = {
  'incident.triggered': 'firing',
  'incident.reopened': 'firing',
  'incident.unacknowledged': 'firing',
  'incident.resolved': 'resolved',
};

const id = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'is no id of PagerDuty');
const eventSchema = z.looseObject({
  event: z.looseObject({
    id,
    event_type: z.string().min(1).max(200),
    occurred_at: timeSchema,
    data: z.unknown(),
  }),
});
const reference = z.looseObject({ summary: z.string().nullish() }).nullish();
const incidentSchema = z.looseObject({
  id,
  title: z.string().nullish(),
  html_url: z.string().nullish(),
  number: z.number().int().nullish(),
  urgency: z.string().nullish(),
  created_at: timeSchema.nullish(),
  service: reference,
  priority: reference,
});

/**
 * Reads a V3 webhook of PagerDuty. Of its events only those that start or end an incident become an alert, whose fingerprint is the
 * incident's id; all others have none.
 * @throws NightshiftError `invalid_payload` when it is no such event, or one that happened over 72 h ago.
 * @see https://developer.pagerduty.com/docs/webhooks-overview
 */
export function parsePagerDuty(body: string, source: string, now: Date): ParsedDelivery {
  const { value: raw, flaws } = readJson(body, {
    bigIntegers: 'flaw',
    fix: 'send the JSON body of a V3 webhook subscription',
  });
  flawsByAlert(flaws);
  const envelope = eventSchema.safeParse(raw);
  if (!envelope.success) return refuseBody('a V3 webhook of PagerDuty', problemsOf(envelope.error, raw));
  const { id: eventId, event_type: type, occurred_at, data } = envelope.data.event;
  const happened = new Date(occurred_at);
  // A clock that is ahead must not make an alert younger than it is.
  const occurredAt = happened < now ? happened : now;
  if (now.getTime() - occurredAt.getTime() > EVENT_AGE_MS_MAX) throw tooOld(occurred_at);
  const signed = { problems: [], eventId, occurredAt };
  const status = Object.hasOwn(STATUS_OF, type) ? STATUS_OF[type] : undefined;
  if (!status) return { ...signed, alerts: [], notes: [`${type.slice(0, 60)} opens and ends nothing here`] };
  const incident = incidentSchema.safeParse(data);
  if (!incident.success)
    return refuseBody('an incident of PagerDuty', problemsOf(incident.error, data, { prefix: ['event', 'data'] }));
  return { ...signed, alerts: [alertOf(source, status, incident.data)] };
}

function alertOf(source: string, status: ReadAlert['status'], incident: z.infer<typeof incidentSchema>): ReadAlert {
  const title = incident.title || 'PagerDuty incident';
  const labels = {
    alertname: title,
    service: incident.service?.summary,
    urgency: incident.urgency,
    priority: incident.priority?.summary,
    pagerduty_incident: incident.number?.toString(),
  };
  const url = incident.html_url ? cutText(incident.html_url, 8192) : null;
  return {
    source,
    status,
    fingerprint: incident.id,
    labels: Object.fromEntries(
      Object.entries(labels).flatMap(([name, text]) => (text ? [[name, labelText(text)]] : [])),
    ),
    annotations: { summary: cutText(title, 16 * 1024), ...(url ? { html_url: url } : {}) },
    startsAt: incident.created_at ? new Date(incident.created_at) : null,
    endsAt: null,
    generatorUrl: url,
  };
}

function tooOld(occurredAt: string): NightshiftError {
  const fix = 'check the clocks of both sides; if they are right, somebody plays old events again';
  const problem = {
    field: 'event.occurred_at',
    value: occurredAt,
    message: 'is longer ago than PagerDuty retries',
    fix,
  };
  return new NightshiftError(
    'invalid_payload',
    `event.occurred_at: ${problem.message} (found: ${occurredAt}). Fix: ${fix}`,
    {
      problems: [problem],
    },
  );
}
