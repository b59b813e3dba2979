import { createHash } from 'node:crypto';
import { z } from 'zod';
import { fingerprintOf, type Labels } from '../alert/index.ts';
import { problemsOf } from '../config/index.ts';
import { NightshiftError, type Problem } from '../errors.ts';
import type { ReadAlert } from './delivery.ts';
import type { Flaw } from './read-json.ts';

/** More alerts of one delivery than this are named and left out. */
export const ALERTS_MAX = 500;
const PROBLEMS_MAX = 20;
const LABELS_MAX = 64;
const LABEL_LENGTH_MAX = 1024;
const ANNOTATIONS_MAX = 64;
const ANNOTATION_LENGTH_MAX = 16 * 1024;
// Go writes its zero time for "not ended".
const ZERO_TIME = '0001-01-01T00:00:00Z';

/** What was read of one delivery. */
export interface ParsedDelivery {
  readonly alerts: readonly ReadAlert[];
  /** What was wrong with the alerts that are not in `alerts`. */
  readonly problems: readonly Problem[];
  /** What the sender should know though it is no mistake. */
  readonly notes?: readonly string[];
  /** What its sender calls the group of these alerts. */
  readonly groupKey?: string;
  /** The signed id of the event, where its sender signs one. */
  readonly eventId?: string;
  /** When the sender says that it happened, which is before it was sent. */
  readonly occurredAt?: Date;
}

// Postgres can hold neither, and a failed commit would make the sender send the same again for ever.
const storable = (value: string) => !value.includes('\0') && value.isWellFormed();
const UNSTORABLE = 'holds NUL or half a surrogate pair, which cannot be stored';

// By hand, because z.record takes seconds for what a body can hold, and says all that is wrong with it.
const labels = z
  .unknown()
  .optional()
  .transform((value, context): Labels => {
    const names = namesOf(value, context);
    if (names?.length === 0) refuse(context, value, 'has no labels, so nothing tells what it is about');
    if (names && names.length > LABELS_MAX) refuse(context, undefined, `has more than ${LABELS_MAX} labels`);
    for (const name of names?.slice(0, LABELS_MAX) ?? []) {
      const text = (value as Record<string, unknown>)[name];
      const why = whyNoLabel(name, 'name') ?? whyNoLabel(text, 'value');
      if (why !== null) refuse(context, text, why, name);
    }
    return value as Labels;
  });

// Only people and models read annotations: what is too long or too many is cut, because a refused alert would be lost.
const annotations = z
  .unknown()
  .optional()
  .transform((value, context): Labels => {
    if (value === undefined) return {};
    const kept: [string, string][] = [];
    for (const name of namesOf(value, context)?.slice(0, ANNOTATIONS_MAX) ?? []) {
      const text = (value as Record<string, unknown>)[name];
      if (typeof text === 'string') kept.push([cutText(name, LABEL_LENGTH_MAX), cutText(text, ANNOTATION_LENGTH_MAX)]);
      else refuse(context, text, 'is no text', name);
    }
    return Object.fromEntries(kept);
  });

function namesOf(value: unknown, context: z.RefinementCtx): string[] | null {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return Object.keys(value);
  refuse(context, value, 'is no object of names and texts');
  return null;
}

function whyNoLabel(text: unknown, part: string): string | null {
  if (typeof text !== 'string') return `its ${part} is no text`;
  if (text.length > LABEL_LENGTH_MAX) return `its ${part} is longer than ${LABEL_LENGTH_MAX} characters`;
  return storable(text) ? null : `its ${part} ${UNSTORABLE}`;
}

function refuse(context: z.RefinementCtx, input: unknown, message: string, name?: string): void {
  context.addIssue({ code: 'custom', input, message, path: name === undefined ? [] : [name] });
}

const time = z.iso.datetime({ offset: true, abort: true });

/** A date and time with an offset (RFC 3339), not before 1970. */
export const timeSchema = time.refine((value) => !(Date.parse(value) < 0), 'lies before 1970');

// Loose: a later sender may say more than we know.
const alertSchema = z.looseObject({
  status: z.enum(['firing', 'resolved']),
  labels,
  annotations,
  startsAt: timeSchema,
  endsAt: time.optional(),
  generatorURL: z.string().max(8192).refine(storable, UNSTORABLE).optional(),
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{1,64}$/)
    .optional(),
});
/** For senders that name their alerts in their own way, or do not say when one began. */
const mappedAlertSchema = alertSchema.extend({
  startsAt: timeSchema.optional(),
  fingerprint: z.string().min(1).max(1024).optional(),
});

export interface ReadAlertsOptions {
  readonly source: string;
  /** `exact` as Alertmanager writes them, `mapped` where a mapping made them. */
  readonly form: 'exact' | 'mapped';
  /** What is wrong with the text of single alerts, by their index. */
  readonly flawed?: ReadonlyMap<number, Flaw>;
}

/** Reads the items of `alerts`; those that are in order are kept beside those that are not. */
export function readAlerts(
  items: readonly unknown[],
  { source, form, flawed }: ReadAlertsOptions,
): { alerts: ReadAlert[]; problems: Problem[] } {
  const schema = form === 'exact' ? alertSchema : mappedAlertSchema;
  const alerts: ReadAlert[] = [];
  const problems: Problem[] = [];
  // A few mistakes tell what is wrong; the whole body is looked at anyway.
  const tell = (found: readonly Problem[]) => problems.push(...found.slice(0, PROBLEMS_MAX - problems.length));
  for (const [index, item] of items.slice(0, ALERTS_MAX).entries()) {
    const flaw = flawed?.get(index);
    const parsed = flaw ? null : schema.safeParse(item);
    if (flaw) tell([problemOfFlaw(flaw)]);
    else if (parsed?.success) alerts.push(alertOf(source, parsed.data));
    else if (parsed) tell(problemsOf(parsed.error, item, { prefix: ['alerts', index] }));
  }
  if (items.length > ALERTS_MAX)
    problems.push({
      field: `alerts.${ALERTS_MAX}`,
      value: `${items.length} alerts`,
      message: `only the first ${ALERTS_MAX} alerts of a delivery are taken; ${items.length - ALERTS_MAX} were left out`,
      fix: `set max_alerts: ${ALERTS_MAX} in Alertmanager's webhook_config, or group the alerts more finely`,
    });
  return { alerts, problems };
}

/**
 * Refuses the whole body when something is wrong with it, naming at most twenty mistakes.
 * @throws NightshiftError `invalid_payload`, always.
 */
export function refuseBody(what: string, problems: readonly Problem[]): never {
  throw new NightshiftError('invalid_payload', `this is not ${what}`, { problems: problems.slice(0, PROBLEMS_MAX) });
}

/** Cuts a text that only people and models read, and replaces what Postgres cannot store. */
export function cutText(value: string, max: number): string {
  return value.slice(0, max).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Makes of any text a value that a label can have. */
export function labelText(value: string): string {
  return cutText(value, LABEL_LENGTH_MAX);
}

/**
 * Sorts flaws by the alert that they stand in.
 * @throws NightshiftError `invalid_payload` when one lies outside of the alerts, so that nothing can be believed.
 */
export function flawsByAlert(flaws: readonly Flaw[]): Map<number, Flaw> {
  const byAlert = new Map<number, Flaw>();
  const elsewhere: Flaw[] = [];
  for (const flaw of flaws) {
    const [list, index] = flaw.path;
    if (list === 'alerts' && typeof index === 'number') byAlert.set(index, flaw);
    else elsewhere.push(flaw);
  }
  if (elsewhere.length > 0) refuseBody('a body that can be trusted', elsewhere.map(problemOfFlaw));
  return byAlert;
}

function problemOfFlaw({ path, message }: Flaw): Problem {
  const field = cutText(path.join('.'), 200) || 'body';
  return { field, message, fix: 'mend what writes this body' };
}

function alertOf(source: string, data: z.infer<typeof mappedAlertSchema>): ReadAlert {
  const { status, labels, annotations, startsAt, endsAt, generatorURL, fingerprint } = data;
  return {
    source,
    fingerprint: fingerprint === undefined ? fingerprintOf(labels) : plainFingerprint(fingerprint),
    status,
    labels,
    annotations,
    startsAt: startsAt === undefined ? null : new Date(startsAt),
    endsAt: endsAt === undefined || endsAt === ZERO_TIME ? null : new Date(endsAt),
    generatorUrl: generatorURL || null,
  };
}

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/;

/** Senders name their alerts in any way; what is long or has odd characters goes by its hash. */
function plainFingerprint(fingerprint: string): string {
  return PLAIN.test(fingerprint) ? fingerprint : createHash('sha256').update(fingerprint).digest('hex');
}
