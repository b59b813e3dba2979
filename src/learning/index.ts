/** Turns a closed incident into a past incident that retrieval finds. Never changes what happened. */

export { resultOf } from './outcomes.ts';
export { rate } from './rate.ts';
export { createRemember } from './remember.ts';
