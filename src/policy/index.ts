/** Judges one call by operator-declared facts, explains the verdict, and mints the clearance without which no change runs. Never sends anything. */
export { serviceApprovers } from './built-in-rules.ts';
export { deniedWhatever, type Offer } from './could-allow.ts';
export { type Considered, considered, type Explanation, explain } from './explain.ts';
export { judge, strictest } from './judge.ts';
export { lintPolicy, locateLint } from './lint.ts';
export { createMint, type Mint, publicKeyOf, readSigningKey } from './mint.ts';
export { loadPolicyTests, type PolicyTest, parsePolicyTests } from './policy-tests.ts';
export {
  DECISIONS,
  type Decision,
  type Policy,
  type PolicyLimit,
  type PolicyRule,
  type Question,
  type Run,
  type RunEffect,
  type SecretArgument,
  type Verdict,
} from './question.ts';
export { wilsonLowerBound } from './record.ts';
export { combinePolicy, loadPolicy, type ParsedPolicy, parsePolicy, readPolicyFiles } from './rules.ts';
export { type PolicyTestResult, type ResolveCall, runPolicyTests } from './run-policy-tests.ts';
export { modeFor } from './scope.ts';
export { argumentsWithSecrets, mayHoldSecret } from './secrets.ts';
export { type ShownPolicy, showPolicy } from './show-policy.ts';
