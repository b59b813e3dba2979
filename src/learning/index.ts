/** Turns a closed incident into a past incident that retrieval finds. Never changes what happened. */

export { rate } from './rate.ts';
export { createRemember } from './remember.ts';
