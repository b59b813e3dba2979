import { createHash } from 'node:crypto';
import { z } from 'zod';

export const labelsSchema = z.record(z.string(), z.string());
export type Labels = z.infer<typeof labelsSchema>;

/** One notification item in Nightshift's own form, whoever sent it. Its text is untrusted wherever it goes. */
export interface Alert {
  readonly source: string;
  readonly fingerprint: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: Date;
  readonly endsAt: Date | null;
  readonly generatorUrl: string | null;
}

/** Gives a stable hexadecimal fingerprint of a label set, for senders that do not bring one. */
export function fingerprintOf(labels: Labels): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
}

/** Keeps the labels on which all the given label sets agree. */
export function commonLabels(sets: readonly Labels[]): Labels {
  const [first, ...others] = sets;
  if (!first) return {};
  return Object.fromEntries(Object.entries(first).filter(([name, value]) => others.every((o) => o[name] === value)));
}

/** Gives an alert a title a person recognises: its name and what it is about. */
export function titleOf(alert: Pick<Alert, 'labels' | 'annotations'>): string {
  const name = alert.labels.alertname ?? 'Alert';
  const about = alert.labels.service ?? alert.labels.instance ?? alert.labels.job;
  return about ? `${name} (${about})` : name;
}
