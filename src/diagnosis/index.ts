/** Finds out what is the matter: triage, evidence, a diagnosis that cites it, and a check of the citations. Only ever reads. */
export { type Answer, createAnswer } from './answer.ts';
export { type FittedCase, fitCase, type Room, tokensOf } from './context.ts';
export { critique } from './critique.ts';
export { describeCase, fence } from './describe.ts';
export { createDiagnose } from './diagnose.ts';
export { fromRunbook } from './from-runbook.ts';
export { createGather } from './gather.ts';
export { loadSpecialists, type Specialist, type Specialists } from './specialists.ts';
export { type Evidence, evidenceOf, fullEvidenceOf } from './store.ts';
export { createTriage } from './triage.ts';
