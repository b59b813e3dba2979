import { z } from 'zod';
import { type Alert, fingerprintOf } from '../alert/index.ts';
import { problemsOf } from '../config/index.ts';
import { NightshiftError, type Problem } from '../errors.ts';

const VERSION = '4';
const PROBLEMS_MAX = 20;
const LABELS_MAX = 64;
const LABEL_LENGTH_MAX = 1024;
const ANNOTATION_LENGTH_MAX = 16 * 1024;
// Alertmanager writes Go's zero time for "not ended".
const ZERO_TIME = '0001-01-01T00:00:00Z';

const envelopeSchema = z.looseObject({ version: z.string(), alerts: z.array(z.unknown()) });

// Postgres can hold neither, and a failed commit would make Alertmanager send the same again for ever.
const storable = (value: string) => !value.includes('\0') && value.isWellFormed();
const text = (max: number) => {
  const piece = (longest: number) =>
    z.string().max(longest).refine(storable, 'holds NUL or half a surrogate pair, which cannot be stored');
  return z.record(piece(LABEL_LENGTH_MAX), piece(max));
};
// Only people and models read annotations: a long one is cut, because a refused alert would be lost.
const annotations = z
  .record(z.string().max(LABEL_LENGTH_MAX), z.string())
  .transform((all) =>
    Object.fromEntries(
      Object.entries(all).map(([name, value]) => [
        name,
        value.slice(0, ANNOTATION_LENGTH_MAX).toWellFormed().replaceAll('\0', '\uFFFD'),
      ]),
    ),
  );
const time = z.iso.datetime({ offset: true });

// Loose: a later Alertmanager may say more than we know.
const alertSchema = z.looseObject({
  status: z.enum(['firing', 'resolved']),
  labels: text(LABEL_LENGTH_MAX)
    .refine((labels) => Object.keys(labels).length > 0, 'has no labels, so nothing tells what it is about')
    .refine((labels) => Object.keys(labels).length <= LABELS_MAX, `has more than ${LABELS_MAX} labels`),
  annotations: annotations.default({}),
  startsAt: time.refine((value) => !(Date.parse(value) < 0), 'lies before 1970'),
  endsAt: time.optional(),
  generatorURL: z.string().max(8192).refine(storable, 'cannot be stored').optional(),
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional(),
});

export interface ParsedDelivery {
  readonly alerts: Alert[];
  /** What was wrong with the alerts that are not in `alerts`. */
  readonly problems: Problem[];
}

/**
 * Reads a webhook body of Alertmanager, format version 4; alerts that are in order are kept beside those that are not.
 * @throws NightshiftError `invalid_payload` when it is no such body, `unsupported_version` for another version.
 * @see https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
 */
export function parseAlertmanager(body: string): ParsedDelivery {
  let raw: unknown;
  try {
    raw = JSON.parse(body);
  } catch (cause) {
    const fix = "send the JSON body that Alertmanager's webhook_config sends";
    throw invalid([
      { field: 'body', value: body.slice(0, 40), message: `is not JSON: ${(cause as Error).message}`, fix },
    ]);
  }
  const version = (raw as { version?: unknown } | null)?.version;
  if (version !== undefined && version !== VERSION) {
    const fix = `use Alertmanager 0.16 or newer, whose webhook_config sends version "${VERSION}"`;
    const problem = {
      field: 'version',
      value: JSON.stringify(version)?.slice(0, 40) ?? '',
      message: 'is not a version that Nightshift reads',
      fix,
    };
    throw new NightshiftError(
      'unsupported_version',
      `version: ${problem.message} (found: ${problem.value}). Fix: ${fix}`,
      { problems: [problem] },
    );
  }
  const envelope = envelopeSchema.safeParse(raw);
  if (!envelope.success) throw invalid(problemsOf(envelope.error, raw).slice(0, PROBLEMS_MAX));

  const alerts: Alert[] = [];
  const problems: Problem[] = [];
  for (const [index, item] of envelope.data.alerts.entries()) {
    const parsed = alertSchema.safeParse(item);
    if (!parsed.success) {
      // A few mistakes tell what is wrong; the whole body is looked at anyway.
      if (problems.length < PROBLEMS_MAX)
        problems.push(...problemsOf(parsed.error, item, ['alerts', index]).slice(0, PROBLEMS_MAX));
      continue;
    }
    const { status, labels, annotations, startsAt, endsAt, generatorURL, fingerprint } = parsed.data;
    alerts.push({
      source: 'alertmanager',
      fingerprint: fingerprint ?? fingerprintOf(labels),
      status,
      labels,
      annotations,
      startsAt: new Date(startsAt),
      endsAt: endsAt === undefined || endsAt === ZERO_TIME ? null : new Date(endsAt),
      generatorUrl: generatorURL || null,
    });
  }
  return { alerts, problems };
}

function invalid(problems: Problem[]): NightshiftError {
  return new NightshiftError('invalid_payload', 'this is not a webhook body of Alertmanager, version 4', { problems });
}
