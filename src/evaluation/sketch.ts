/** Texts that are the same but for their times and ids are known again by their words. */
import { createHash } from 'node:crypto';

const SIZE = 64;
const WORD = /[a-z]{4,}/gi;

/**
 * Gives up to 64 short hashes that stand for the words of some messages, numbers left out: those with the smallest hashes, so that two
 * sketches share as much as their texts do (Broder, On the resemblance and containment of documents, 1997).
 */
export function sketchOf(messages: readonly unknown[]): string[] {
  const words = new Set(JSON.stringify(messages).match(WORD));
  return [...words].map(hashOf).sort().slice(0, SIZE);
}

/** Estimates which share of the words of two texts both have, from 0 to 1. */
export function likeness(a: readonly string[], b: readonly string[]): number {
  const smallest = [...new Set([...a, ...b])].sort().slice(0, SIZE);
  if (smallest.length === 0) return 1;
  return smallest.filter((one) => a.includes(one) && b.includes(one)).length / smallest.length;
}

function hashOf(word: string): string {
  return createHash('sha256').update(word).digest('hex').slice(0, 8);
}
