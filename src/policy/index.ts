/** Judges one call by operator-declared facts, and mints the clearance without which no change runs. Never sends anything. */
export { type Decision, judge, modeFor, type Question, strictest, type Verdict } from './judge.ts';
export { createMint, type Mint } from './mint.ts';
export { loadPolicy, type Policy, type PolicyRule, parsePolicy } from './rules.ts';
