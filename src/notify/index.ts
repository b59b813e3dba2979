/** Messages to people, from an outbox that was committed with what they are about, on every channel that is set. Never decides who must be told what. */

export type { Channel } from './channel.ts';
export { createChannels, installationOf, placeholderKeyOf } from './channels.ts';
export { createDeadMan, type DeadMan } from './dead-man.ts';
export { startLoop } from './loop.ts';
export { createOutbox, type Outbox } from './outbox.ts';
export { createPinWatch, type PinWatch } from './pin-watch.ts';
export { SendFailed, sendRequest } from './request.ts';
export { tellPeople } from './store.ts';
