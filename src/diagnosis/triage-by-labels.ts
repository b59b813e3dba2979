import { type Alert, commonLabels, type Labels } from '../alert/index.ts';
import type { Services } from '../config/index.ts';
import type { Triage } from '../incident/index.ts';
import type { PastIncident } from '../rag/index.ts';
import { carries, GENERAL, type Specialists } from './specialists.ts';

/** Below this, of 0 to 1, nobody is sure: then the next one is asked, and at last the general specialist takes it. */
export const SURE = 0.6;
const TARGETS_MAX = 20;
const SAME_ALERT = 0.9;
const OTHER_ALERT = 0.5;

export const CATEGORIES = ['availability', 'errors', 'latency', 'saturation', 'data', 'expiry', 'other'] as const;
export type Category = (typeof CATEGORIES)[number];

/** Words in the name of an alert, the most telling first. */
const CATEGORY_WORDS: readonly (readonly [Category, RegExp])[] = [
  ['expiry', /cert|expir|expiry/i],
  ['data', /replica(?!s)|replication|backup|corrupt|checksum|wal|slot/i],
  [
    'saturation',
    /full|memory|cpu|disk|space|inode|pressure|saturat|queue|lag|stuck|connections|quota|throttl|load|oom/i,
  ],
  ['latency', /latency|slow|duration|timeout/i],
  ['errors', /error|fail|5xx|exception/i],
  ['availability', /down|unreach|absent|crash|notready|not_ready|unavailable|restart|probe|mismatch/i],
];

export type SpecialistGuess = Triage['specialist'];

/** Says which specialist the labels of an alert tell, how sure that is, and by which of them; pure. */
export function specialistByLabels(labels: Labels, specialists: Specialists): SpecialistGuess {
  const found = [...specialists.values()]
    .map(({ name, labels: telling, hints }) => {
      const told = telling.filter((sign) => carries(labels, sign));
      const hinted = hints.filter((sign) => carries(labels, sign));
      return { name, signs: told.length > 0 ? told : hinted, confidence: confidenceOf(told, hinted) };
    })
    .filter(({ confidence }) => confidence > 0)
    .sort((a, b) => b.confidence - a.confidence);
  const [best, rival] = found;
  if (!best) return { value: GENERAL, confidence: 0, why: 'no label tells which kind of system it is', by: 'nobody' };
  const why = `label ${best.signs.map(({ text }) => text).join(', ')}`;
  if (rival && rival.confidence === best.confidence) {
    const both = `${why}; as much speaks for ${rival.name}`;
    return { value: best.name, confidence: Math.min(best.confidence, SURE - 0.05), why: both, by: 'labels' };
  }
  return { value: best.name, confidence: best.confidence, why, by: 'labels' };
}

function confidenceOf(told: readonly { matchers: unknown }[], hinted: readonly unknown[]): number {
  if (told.length === 0) return hinted.length > 0 ? 0.5 : 0;
  const named = told.some(({ matchers }) => matchers !== null) ? 0.05 : 0;
  return (told.length > 1 ? 0.9 : 0.8) + named;
}

/** What is known of how a past incident was taken. */
export interface PastTriage {
  readonly specialist: string;
  readonly conclusive: boolean;
}

/**
 * Says which specialist was right for incidents like this one; one counts only where it was healed or its diagnosis held, the healed ones
 * more. Pure.
 */
export function specialistByPast(
  past: readonly Pick<PastIncident, 'incidentId' | 'labels' | 'outcomes' | 'score'>[],
  taken: ReadonlyMap<number, PastTriage>,
  { labels, specialists }: { labels: Labels; specialists: Specialists },
): SpecialistGuess {
  const weights = new Map<string, { weight: number; names: string[]; same: boolean }>();
  let total = 0;
  for (const { incidentId, labels: then, outcomes, score } of past) {
    const triage = taken.get(incidentId);
    const healed = outcomes.some(({ outcome }) => outcome === 'healed');
    if (!triage || triage.specialist === GENERAL || !specialists.has(triage.specialist)) continue;
    if (!healed && !triage.conclusive) continue;
    const weight = score * (healed ? 1 : 0.6);
    const one = weights.get(triage.specialist) ?? { weight: 0, names: [], same: false };
    one.weight += weight;
    one.names.push(`INC-${incidentId}`);
    one.same ||= then.alertname !== undefined && then.alertname === labels.alertname;
    weights.set(triage.specialist, one);
    total += weight;
  }
  const [best] = [...weights].sort(([, a], [, b]) => b.weight - a.weight);
  if (!best) return { value: GENERAL, confidence: 0, why: 'no past incident like it tells', by: 'nobody' };
  const [value, { weight, names, same }] = best;
  const confidence = (weight / total) * (same ? SAME_ALERT : OTHER_ALERT);
  return {
    value,
    confidence,
    why: `${names.join(', ')} ${same ? 'had the same alert' : 'read alike'}`,
    by: 'past incidents',
  };
}

/** Says what kind of trouble the name of the alert tells. */
export function categoryOf(labels: Labels): Triage['category'] {
  const name = labels.alertname ?? '';
  const found = CATEGORY_WORDS.find(([, words]) => words.test(name));
  return found
    ? { value: found[0], confidence: 0.7, why: 'a word in the name of the alert' }
    : { value: 'other', confidence: 0.2, why: 'no word in the name of the alert tells' };
}

/** Counts what else is concerned: alerts, what they are about, and the services that depend on this one. */
export function blastOf(alerts: readonly Pick<Alert, 'labels'>[], services: Services): Triage['blast'] {
  const targets = new Set(
    alerts.map(
      ({ labels }) => labels.pod ?? labels.instance ?? labels.process ?? labels.service ?? labels.alertname ?? '',
    ),
  );
  targets.delete('');
  const own = services.serviceOf(commonLabels(alerts.map(({ labels }) => labels)));
  const dependents = services.all
    .filter(({ name }) => own !== null && name !== own.name && services.pathBetween(name, own.name) !== null)
    .map(({ name }) => name);
  return {
    alerts: alerts.length,
    targets: [...targets].slice(0, TARGETS_MAX),
    dependents,
    confidence: own ? 0.9 : 0.5,
    why: own ? `services.yaml has ${own.name}` : 'no service of services.yaml is for it',
  };
}

/** Gives the specialist who takes an incident: a pure function of the record of triage, and the general one wherever that is not sure. */
export function route(triage: Triage | null, specialists: Specialists): string {
  if (!triage || triage.specialist.confidence < SURE) return GENERAL;
  return specialists.has(triage.specialist.value) ? triage.specialist.value : GENERAL;
}
