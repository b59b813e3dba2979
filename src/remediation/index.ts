/** The incident workflow: its stages on one page, the driver that advances them durably, and people's words to it. The only room that knows the job queue. */
export { createDriver, type Driver } from './driver.ts';
export { createGrouping, type Grouping } from './grouping.ts';
export type { Investigation } from './investigate.ts';
export { CHANNEL } from './jobs.ts';
export { parseRun, type Runnable, type RunWish, typeArguments } from './parse-run.ts';
export { createPeople, PERSON_DID, type People } from './people.ts';
export { createPressure, type Pressure, type PressureState } from './pressure.ts';
export { type Queue, startQueue } from './queue.ts';
export type { ByHand } from './run-by-hand.ts';
export { createStages } from './stages.ts';
