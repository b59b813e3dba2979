/** The webhook front: authenticates a sender, reads its alerts and commits them before it answers. Never investigates or acts. */
export type { Wake } from './accept.ts';
export { parseAlertmanager } from './alertmanager.ts';
export type { Accepted, Delivery } from './delivery.ts';
export { createIntake, type Intake } from './intake.ts';
export { loadMappings, type TestAlert, testBodyOf } from './mapping.ts';
export { createSilenceReader } from './silences.ts';
export { createWebhooks, type WebhookDependencies, type WebhookHandler } from './webhook.ts';
