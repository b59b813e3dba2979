/** What a model is asked and what it answers, in words that belong to no provider. */

/** What the question is for; routing, budgets and metrics go by it. */
export type ModelRole = 'rerank' | 'diagnose' | 'plan' | 'answer';

/** A function that the model may call; `inputSchema` is a JSON schema of type `object`. */
export interface ToolSpec {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

/** One call that the model wants made. Untrusted: neither the name nor the arguments were checked against what was offered. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** Parsed JSON; where the model's text was not JSON, that text as a string. */
  readonly arguments: unknown;
}

/** What came of a call, to be sent back under the call's id. */
export interface ToolResult {
  readonly id: string;
  readonly content: string;
  readonly isError?: boolean;
}

export interface UserMessage {
  readonly role: 'user';
  /** May be empty when there are tool results. */
  readonly content: string;
  /** Every call of the assistant message before must have its result here. */
  readonly toolResults?: readonly ToolResult[];
}

export interface AssistantMessage {
  readonly role: 'assistant';
  readonly content: string;
  readonly toolCalls?: readonly ToolCall[];
  /** The turn as its own model wrote it; only that model is shown it, others get `content` and `toolCalls`. */
  readonly original?: { readonly model: string; readonly content: unknown };
}

export type ModelMessage = UserMessage | AssistantMessage;

/**
 * A JSON schema that the answer must follow. Every property of every object must be required (nullable rather than optional),
 * because that is what all providers can enforce; the caller still validates the answer.
 */
export interface OutputSpec {
  readonly name: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly role: ModelRole;
  /** The part that stays the same from call to call, so that providers can cache it. */
  readonly system: string;
  readonly messages: readonly ModelMessage[];
  readonly tools?: readonly ToolSpec[];
  /** `auto` when absent. With `required`, an answer without a call counts as that model's failure. */
  readonly toolChoice?: 'auto' | 'required' | 'none';
  readonly output?: OutputSpec;
  /** Tokens the answer may take at most, the model's own thinking included. */
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

export type StopReason = 'end' | 'tool_calls' | 'length' | 'refusal' | 'other';

export interface TokenUsage {
  /** All tokens of the prompt, cached ones included. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Those of `inputTokens` that the provider read from its cache. */
  readonly cachedInputTokens: number;
}

export interface ModelAnswer {
  readonly provider: string;
  readonly model: string;
  readonly text: string;
  /** The answer parsed, when `output` was asked for and the model made no tool call; otherwise null. */
  readonly json: unknown;
  readonly toolCalls: readonly ToolCall[];
  readonly stopReason: StopReason;
  readonly usage: TokenUsage;
  readonly durationMs: number;
  /** The models that were tried before and why each failed, as `provider/model: reason`. */
  readonly failedOver: readonly string[];
  /** This answer as a message, to append before the tool results when the conversation goes on. Plain JSON. */
  readonly turn: AssistantMessage;
}

/** The configured models, in the order in which they are tried. */
export interface Models {
  /** `provider/model` of each; empty when none is configured. */
  readonly names: readonly string[];
  /**
   * Asks the first model, and the next one whenever a model fails.
   * @throws NightshiftError `llm_failed` naming every model tried, or when the caller's signal aborted; `invalid_config` or
   *   `internal` when no provider could be sent these tools or this schema.
   */
  ask(request: ModelRequest): Promise<ModelAnswer>;
}
