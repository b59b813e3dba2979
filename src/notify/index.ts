/** Messages to people, from an outbox that was committed with what they are about. Never decides who must be told what. */
export { createOutbox, type Outbox } from './outbox.ts';
