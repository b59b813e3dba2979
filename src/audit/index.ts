/** Seals the events into a hash chain, batch after batch, and proves afterwards whether any was changed. Never stands in the way of an insert. */
export {
  type AuditPage,
  auditPageSchema,
  type EventRow,
  GENESIS,
  type Link,
  makeSeal,
  PRUNED_SEALS_MAX,
  type Problem,
  type SealRow,
  verifyPage,
} from './chain.ts';
export { headFileIn, readHeads } from './head-file.ts';
export { type AuditQuery, listEvents } from './list-events.ts';
export { readPage } from './read-page.ts';
export { renderReport } from './render-report.ts';
export { createSealer, type Sealer } from './sealer.ts';
export { type AuditReport, verifyAudit } from './verify-audit.ts';
