import { z } from 'zod';
import { problemsOf } from '../config/index.ts';
import { NightshiftError } from '../errors.ts';
import { flawsByAlert, type ParsedDelivery, readAlerts, refuseBody } from './read-alerts.ts';
import { type ReadOptions, readJson } from './read-json.ts';

const GROUP_KEY_LENGTH_MAX = 4096;

const envelopeSchema = z.looseObject({
  version: z.string(),
  alerts: z.array(z.unknown()),
  truncatedAlerts: z.number().int().nonnegative().catch(0),
  // Only for people to read: what belongs together is decided by labels.
  groupKey: z.string().max(GROUP_KEY_LENGTH_MAX).optional().catch(undefined),
});

/**
 * Reads a webhook body of Alertmanager, format version 4; alerts that are in order are kept beside those that are not.
 * @throws NightshiftError `invalid_payload` when it is no such body, `unsupported_version` for another version.
 * @see https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 */
export function parseAlertmanager(body: string, source = 'alertmanager'): ParsedDelivery {
  return parseNotification(body, {
    source,
    sender: 'Alertmanager',
    versions: ['4'],
    fix: "send the JSON body that Alertmanager's webhook_config sends",
    upgrade: 'use Alertmanager 0.16 or newer, whose webhook_config sends version "4"',
    bigIntegers: 'flaw',
  });
}

/**
 * Reads a webhook body of Grafana Alerting, which has the shape of Alertmanager's.
 * @throws NightshiftError as `parseAlertmanager`.
 * @see https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
 */
export function parseGrafana(body: string, source = 'grafana'): ParsedDelivery {
  return parseNotification(body, {
    source,
    sender: 'Grafana Alerting',
    versions: ['1', '4'],
    fix: "send the JSON body that Grafana's webhook contact point sends",
    upgrade: 'use Grafana 9 or newer, and its own payload without a template',
    // `values` holds measurements as they are, nanoseconds among them; nothing reads them.
    bigIntegers: 'text',
  });
}

interface Format extends ReadOptions {
  readonly source: string;
  readonly sender: string;
  readonly versions: readonly string[];
  /** What helps against another version. */
  readonly upgrade: string;
}

function parseNotification(body: string, { source, sender, versions, upgrade, ...options }: Format): ParsedDelivery {
  const { value: raw, flaws } = readJson(body, options);
  // Before anything looks at the rest: what is nested too deeply cannot even be shown.
  const flawed = flawsByAlert(flaws);
  const version = (raw as { version?: unknown } | null)?.version;
  if (version !== undefined && !versions.includes(version as string)) {
    const value = (JSON.stringify(version) ?? '').slice(0, 40).toWellFormed();
    const problem = { field: 'version', value, message: 'is not a version that Nightshift reads', fix: upgrade };
    const message = `version: ${problem.message} (found: ${value}). Fix: ${upgrade}`;
    throw new NightshiftError('unsupported_version', message, { problems: [problem] });
  }
  const envelope = envelopeSchema.safeParse(raw);
  if (!envelope.success) return refuseBody(`a webhook body of ${sender}`, problemsOf(envelope.error, raw));
  const { alerts, truncatedAlerts, groupKey } = envelope.data;
  const read = { ...readAlerts(alerts, { source, form: 'exact', flawed }), ...(groupKey ? { groupKey } : {}) };
  return truncatedAlerts > 0
    ? { ...read, notes: [`${sender} left out ${truncatedAlerts} more alerts of this group, by its own limit`] }
    : read;
}
