/** The seam between asking and the providers' protocols: each provider turns a prepared question into a reply, or fails. */
import type { ModelConfig } from '../config/index.ts';
import type { ModelRequest, StopReason, TokenUsage, ToolCall } from './model.ts';
import type { ToolNames } from './tool-names.ts';

/** A request with everything worked out that is the same for every provider. */
export interface Question {
  readonly request: ModelRequest;
  readonly toolNames: ToolNames;
  readonly output: { readonly name: string; readonly schema: Record<string, unknown> } | null;
}

export interface Reply {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly stopReason: StopReason;
  readonly usage: TokenUsage;
  /** Why the model refused, as a short category, where it did. */
  readonly refusal?: string;
  /** The turn in the provider's own form, where it carries more than text and calls. */
  readonly original?: unknown;
}

/** Sends one question over the network; fails with whatever the SDK throws, or with a ZodError when the reply has a wrong form. */
export type Provider = (question: Question, signal: AbortSignal) => Promise<Reply>;

export type ProviderFactory = (config: ModelConfig) => Provider;

/** Stands in for the key of a compatible server that wants none, because the SDKs insist on having one. */
export const NO_KEY = 'no-key-configured';

/** Names a model as `provider/model`. */
export function nameOf(config: Pick<ModelConfig, 'provider' | 'model'>): string {
  return `${config.provider}/${config.model}`;
}
