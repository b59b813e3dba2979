/** Turns a closed incident into a past incident that retrieval finds, and has its handling scored. Never changes what happened. */
export { type Agreement, agreementOf, countAgreement, foundGood, type Scored, scoredIncidents } from './agreement.ts';
export { createJudge, type Judge } from './judge.ts';
export { resultOf } from './outcomes.ts';
export { rate } from './rate.ts';
export { createRemember } from './remember.ts';
