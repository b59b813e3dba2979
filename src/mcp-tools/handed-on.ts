/** The trace that a call belongs to, on its way through a toolset's process to servers that others wrote. Nothing is recorded here. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { parseTraceparent } from '../telemetry/traceparent.ts';

const handedOn = new AsyncLocalStorage<string>();

/** Runs what a request asks for, so that whatever it asks of others can say for which trace. What is not a traceparent goes no further. */
export function handOnTrace<T>(meta: Readonly<Record<string, unknown>> | undefined, run: () => T): T {
  const traceparent = meta?.traceparent;
  return typeof traceparent === 'string' && parseTraceparent(traceparent) ? handedOn.run(traceparent, run) : run();
}

/** Gives the `traceparent` of the request that is being worked on; undefined where its sender gave none. */
export function traceparentHandedOn(): string | undefined {
  return handedOn.getStore();
}
