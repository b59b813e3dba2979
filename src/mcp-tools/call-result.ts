import type { Inspection } from './tool.ts';

/**
 * How a call ended. `failed`: the tool itself says that it did not do it. `unknown`: nobody can say, because no answer came that
 * can be used.
 */
export type CallResult =
  | { readonly outcome: 'succeeded'; readonly result: Record<string, unknown> }
  | { readonly outcome: 'failed' | 'unknown'; readonly error: string };

export type InspectResult =
  | { readonly ok: true; readonly inspection: Inspection }
  /** `refused`: the toolset itself says that this tool may not be used as things stand. */
  | { readonly ok: false; readonly error: string; readonly refused?: true };
