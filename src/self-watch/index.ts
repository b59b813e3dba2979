/** Nightshift's own service levels, sampled and compared with those of the week before; what deviates becomes an alert about itself. Never mends anything. */
export { createSelfWatch, type SelfWatch } from './self-watch.ts';
export { sigmasOf } from './signal.ts';
export { newestSamples } from './store.ts';
