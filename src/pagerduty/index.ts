/** PagerDuty as a projection of the rows: what came from there is acknowledged, noted, escalated and resolved there. Never decides anything, and never runs anything. */

export { createWriteBack, type PagerDutyAccount, type WriteBack } from './write-back.ts';
