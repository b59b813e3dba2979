import { createHash } from 'node:crypto';
import type { Labels } from '../alert/index.ts';

/**
 * Gives the key under which alerts belong to one incident: the values of the labels `by`, missing ones as empty.
 * Two alerts with equal keys are one incident, whoever sent them.
 */
export function correlationKey(labels: Labels, by: readonly string[]): string {
  return JSON.stringify(by.map((name) => [name, labels[name] ?? '']));
}

/** Gives the fixed-length form of a key that is stored and indexed; a label may be longer than an index entry. */
export function keySha256(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** Says in words why alerts with this key belong together, for the timeline. */
export function describeKey(key: string): string {
  const pairs = (JSON.parse(key) as [string, string][]).filter(([, value]) => value !== '');
  return pairs.map(([name, value]) => `${name}="${value}"`).join(', ') || 'no grouping label at all';
}
