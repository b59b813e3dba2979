/** Finds out what is the matter: triage, evidence, a diagnosis that cites it, and a check of the citations. Only ever reads. */
export { type Answer, createAnswer } from './answer.ts';
export { critique } from './critique.ts';
export { createDiagnose, describeCase, fromRunbook } from './diagnose.ts';
export { createGather } from './gather.ts';
export { type Evidence, evidenceOf } from './store.ts';
export { createTriage, type Specialist, specialistFor } from './triage.ts';
