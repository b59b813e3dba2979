/** The seam between asking and the providers' protocols: each provider turns a prepared question into a reply, or fails. */
import type { ModelConfig } from '../config/index.ts';
import type { ModelRequest, StopReason, TokenUsage, ToolCall } from './model.ts';
import type { ToolNames } from './tool-names.ts';
import type { OnHeaders } from './transport.ts';

/** A request with everything worked out that is the same for every provider. */
export interface Question {
  readonly request: ModelRequest;
  /** The prompts as one text. */
  readonly system: string;
  readonly systemSha256: string;
  readonly toolNames: ToolNames;
  readonly output: { readonly name: string; readonly schema: Record<string, unknown> } | null;
  /** Of all that decides what is asked; the same for the identical question. */
  readonly sha256: string;
  /** Of all that is sent, about. */
  readonly characters: number;
}

export interface Reply {
  readonly text: string;
  readonly toolCalls: readonly ToolCall[];
  readonly stopReason: StopReason;
  readonly usage: TokenUsage;
  /** Those of `usage.inputTokens` that the provider wrote to its cache, which costs more. */
  readonly cacheWriteTokens?: number;
  /** Why the model refused, as a short category, where it did. */
  readonly refusal?: string;
  /** The turn in the provider's own form, where it carries more than text and calls. */
  readonly original?: unknown;
}

export interface AskOptions {
  readonly signal: AbortSignal;
  /** Told of the headers of an answer that is no error. */
  readonly onHeaders: OnHeaders;
}

/** Sends one question over the network; fails with whatever the SDK throws, or with a ZodError when the reply has a wrong form. */
export type Provider = (question: Question, options: AskOptions) => Promise<Reply>;

export type ProviderFactory = (config: ModelConfig) => Provider;

/** Stands in for the key of a compatible server that wants none, because the SDKs insist on having one. */
export const NO_KEY = 'no-key-configured';
