import type { Score } from '../../../src/evaluation/score.ts';

/** A run in which all was right, but for what is said. */
export function makeScore(scenario: string, change: Partial<Score> = {}): Score {
  return {
    scenario,
    repeat: 0,
    cause: true,
    citations: { grounded: 2, all: 2 },
    unsupported: false,
    plan: true,
    violations: [],
    outcome: true,
    ended: 'resolved',
    costUsd: 0,
    diagnosedMs: 100,
    endedMs: 1000,
    unrecorded: [],
    failure: null,
    ...change,
  };
}
