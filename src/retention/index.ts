/** Deletes what is over and older than the configuration keeps it, in small batches beside the work. Never touches what is open, and gives up no part of the audit without a word in it. */
export { createRetention, type Retention } from './retention.ts';
export { RULES } from './rules.ts';
