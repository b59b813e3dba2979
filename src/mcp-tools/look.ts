import { NightshiftError } from '../errors.ts';
import type { CallResult } from './call-result.ts';
import type { Call } from './catalogue.ts';
import type { ToolClient } from './client.ts';

/** Calls a tool that only reads; all that diagnosis and verification are ever given. */
export type Look = (call: Call, abort: AbortSignal) => Promise<CallResult>;

/** Makes the read-only door to the tools: a call that is not `read` is refused before anything is sent. */
export function createLook(client: ToolClient): Look {
  return async (call, abort) => {
    if (call.risk !== 'read')
      throw new NightshiftError(
        'tool_refused',
        `${call.tool} changes things (${call.risk}); only reading is allowed here`,
      );
    return client.call(call, { signal: abort });
  };
}
