/** The webhook front: authenticates a sender, reads its alerts and commits them before it answers. Never investigates or acts. */
export { type Accepted, acceptDelivery, type Delivery, type Wake } from './accept.ts';
export { type ParsedDelivery, parseAlertmanager } from './alertmanager.ts';
export { bearerMatches, createWebhooks, type WebhookDependencies } from './webhook.ts';
