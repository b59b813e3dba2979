import { z } from 'zod';
import { severityOf } from '../alert/index.ts';
import type { PagerDutyEventsConfig } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { loadIncident } from '../incident/index.ts';
import { redact, redactValue } from '../telemetry/index.ts';
import type { Channel, Outgoing } from './channel.ts';
import { SendFailed, sendRequest } from './request.ts';

/** Kinds of messages for which somebody is paged, and those that end it. */
const PAGING = new Set(['escalated', 'worse', 'unpaged', 'watchdog_gone', 'overloaded']);
const ENDING = new Set(['resolved', 'watchdog_back', 'overload_over']);
/** What is about no incident, and is one alert there all the same, with what ends it. */
const MATTERS = [
  { name: 'watchdog', begins: 'watchdog_gone', ends: 'watchdog_back' },
  { name: 'overload', begins: 'overloaded', ends: 'overload_over' },
] as const;
/** What PagerDuty is told of another way already, where the alert came from it. */
const WRITTEN_BACK = new Set(['escalated', 'worse']);
const SUMMARY_MAX = 1024;

const answerSchema = z.looseObject({ status: z.literal('success') });

export interface PagerDutyChannelDependencies {
  readonly db: Database;
  /** Part of each key, because several Nightshifts may share an integration. */
  readonly installation: string;
  /** Sources whose incidents are written back to PagerDuty, where nobody must be paged a second time. */
  readonly writtenBack: readonly string[];
  readonly publicUrl?: string | undefined;
}

/**
 * Makes the channel that pages through PagerDuty's Events API v2 (https://developer.pagerduty.com/docs/send-alert-event; its schema:
 * https://github.com/PagerDuty/api-schema/blob/main/reference/events-v2/openapiv3.json). One incident has one `dedup_key`, so an event
 * that is sent twice is one alert there. What PagerDuty answers 4xx other than 429 is not sent again, as it asks.
 */
export function createPagerDutyChannel(
  config: PagerDutyEventsConfig,
  dependencies: PagerDutyChannelDependencies,
): Channel {
  const { db, installation, writtenBack, publicUrl } = dependencies;

  /** A page for what is over already would wake somebody for nothing. */
  async function isOver({ id, incidentId, kind }: Outgoing): Promise<boolean> {
    const ends = matterOf(incidentId, kind)?.ends ?? 'resolved';
    const row = await db.q
      .selectFrom('outbox')
      .select('id')
      .where('id', '>', id)
      .where('incident_id', 'is not distinct from', incidentId)
      .where('kind', '=', ends)
      .executeTakeFirst();
    return row !== undefined;
  }

  async function hasPaged({ id, incidentId, kind }: Outgoing): Promise<boolean> {
    const begins = matterOf(incidentId, kind)?.begins;
    const row = await db.q
      .selectFrom('outbox_delivery as d')
      .innerJoin('outbox as o', 'o.id', 'd.outbox_id')
      .select('o.id')
      .where('o.id', '<', id)
      .where('o.incident_id', 'is not distinct from', incidentId)
      .where('o.kind', 'in', begins === undefined ? [...PAGING] : [begins])
      .where('d.channel', '=', 'pagerduty')
      .where('d.outcome', '=', 'sent')
      .executeTakeFirst();
    return row !== undefined;
  }

  async function isWrittenBack(incidentId: number | null): Promise<boolean> {
    if (incidentId === null || writtenBack.length === 0) return false;
    const row = await db.q
      .selectFrom('alert')
      .select('id')
      .where('incident_id', '=', incidentId)
      .where('source', 'in', writtenBack)
      .executeTakeFirst();
    return row !== undefined;
  }

  async function send(event: Readonly<Record<string, unknown>>): Promise<void> {
    const text = await sendRequest(config.url, { method: 'POST', body: { routing_key: config.routingKey, ...event } });
    if (!answerSchema.safeParse(parsed(text)).success)
      throw new SendFailed('its answer is not that of the Events API v2');
  }

  async function payloadOf({ id, incidentId, incident, kind, text, at }: Outgoing) {
    const about = incidentId === null ? null : await loadIncident(db, incidentId);
    const details = {
      incident,
      kind,
      message: id,
      reason: about?.context.escalation?.reason,
      diagnosis: about?.context.diagnosis?.rootCause,
      labels: about?.labels,
    };
    return redactValue({
      summary: redact(text).replace(/\s+/g, ' ').slice(0, SUMMARY_MAX),
      source: about?.labels.instance ?? about?.labels.service ?? 'nightshift',
      severity: about ? severityOf(about.severity) : 'critical',
      timestamp: at.toISOString(),
      component: about?.labels.service,
      class: about?.labels.alertname,
      custom_details: details,
    });
  }

  return {
    name: 'pagerduty',
    inOrder: true,
    async deliver(message) {
      const { incidentId, incident, kind, perhapsSent } = message;
      const dedupKey = `nightshift/${installation}/${matterOf(incidentId, kind)?.name ?? incident}`;
      if (ENDING.has(kind)) {
        if (!(await hasPaged(message))) return 'unneeded';
        await send({ event_action: 'resolve', dedup_key: dedupKey });
        return 'sent';
      }
      if (!PAGING.has(kind)) return 'unneeded';
      if (WRITTEN_BACK.has(kind) && (await isWrittenBack(incidentId))) return 'unneeded';
      // One that may have arrived is sent again, so that what ends it finds it there.
      if (!perhapsSent && (await isOver(message))) return 'unneeded';
      await send({
        event_action: 'trigger',
        dedup_key: dedupKey,
        payload: await payloadOf(message),
        client: 'Nightshift',
        ...(publicUrl === undefined ? {} : { client_url: publicUrl }),
      });
      return 'sent';
    },
  };
}

function matterOf(incidentId: number | null, kind: string): (typeof MATTERS)[number] | undefined {
  return incidentId === null ? MATTERS.find(({ begins, ends }) => kind === begins || kind === ends) : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
