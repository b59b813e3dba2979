/** What is measured of Nightshift itself, and when it deviates. */
import type { SelfWatchConfig } from '../config/index.ts';

export const SIGNALS = ['latency_p95', 'error_ratio', 'queue_depth', 'escalation_ratio'] as const;
export type Signal = (typeof SIGNALS)[number];

/** The agent of what is not one agent's alone. */
export const ALL = 'all';

/** How many standard deviations above the mean are too many. */
const SIGMAS = 2;
/** Fewer samples of the past than a day has, or fewer observations in an hour, say nothing; each sample is about an hour, so those of one hour are alike. */
const SAMPLES_MIN = 288;
export const OBSERVATIONS_MIN = 5;

/** One signal of one agent, named by both. */
export interface Subject {
  readonly signal: Signal;
  readonly agent: string;
}

/** What was measured just now: seconds, ratios from 0 to 1, or incidents. */
export interface Measured extends Subject {
  readonly value: number;
  /** How much happened in the hour before; null for what is counted at one moment. */
  readonly observations: number | null;
}

/** What the samples of the past are like. */
export interface Baseline extends Subject {
  readonly samples: number;
  readonly mean: number;
  readonly stddev: number;
}

/** A measurement beside what was usual; `usual` is null where too little is known of the past. */
export interface Sample extends Measured {
  readonly usual: { readonly mean: number; readonly stddev: number } | null;
  readonly deviates: boolean;
}

/** Names a subject by one string. */
export function keyOf({ signal, agent }: Subject): string {
  return `${signal} ${agent}`;
}

/**
 * Compares a measurement with the past. It deviates above the mean and two standard deviations of at least 288 samples (a day of them), where at least
 * 5 things were observed, and above the floor of its signal.
 */
export function compare(measured: Measured, baseline: Baseline | undefined, floors: SelfWatchConfig['floors']): Sample {
  const { signal, value, observations } = measured;
  if (!baseline || baseline.samples < SAMPLES_MIN) return { ...measured, usual: null, deviates: false };
  const { mean, stddev } = baseline;
  const isEnough = observations === null || observations >= OBSERVATIONS_MIN;
  const deviates = isEnough && value > floorOf(signal, floors) && value > mean + SIGMAS * stddev;
  return { ...measured, usual: { mean, stddev }, deviates };
}

/** Gives how many standard deviations above the mean a sample is, below it negative; null where nothing is known of the past. */
export function sigmasOf({ value, usual }: Pick<Sample, 'value' | 'usual'>): number | null {
  if (usual === null) return null;
  const above = value - usual.mean;
  return above === 0 ? 0 : above / usual.stddev;
}

/**
 * Says what is to be raised and what is over: what deviates twice in a row and is not raised, and what is raised and does not deviate
 * twice in a row. A subject without a sample, because nothing happened, does not deviate. Where there is no round before, nothing is.
 */
export function changes(
  now: readonly Sample[],
  before: ReadonlySet<string> | null,
  raised: readonly Subject[],
): { readonly raise: readonly Sample[]; readonly over: readonly Subject[] } {
  if (before === null) return { raise: [], over: [] };
  const deviating = new Set(now.filter(({ deviates }) => deviates).map(keyOf));
  const known = new Set(raised.map(keyOf));
  return {
    raise: now.filter((sample) => sample.deviates && before.has(keyOf(sample)) && !known.has(keyOf(sample))),
    over: raised.filter((subject) => !deviating.has(keyOf(subject)) && !before.has(keyOf(subject))),
  };
}

function floorOf(signal: Signal, floors: SelfWatchConfig['floors']): number {
  switch (signal) {
    case 'latency_p95':
      return floors.latencySeconds;
    case 'error_ratio':
      return floors.errorRatio;
    case 'queue_depth':
      return floors.queueDepth;
    case 'escalation_ratio':
      return floors.escalationRatio;
  }
}
