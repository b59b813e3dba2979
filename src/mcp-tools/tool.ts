import type { z } from 'zod';
import { NightshiftError } from '../errors.ts';

/**
 * How much harm a tool call can do, least first: `read` changes nothing; `safe` is reversible or self-healing, repeatable
 * and bounded; `destructive` needs one approval; `critical` needs two; `forbidden` never runs.
 */
export const RISK_CLASSES = ['read', 'safe', 'destructive', 'critical', 'forbidden'] as const;
export type RiskClass = (typeof RISK_CLASSES)[number];

export interface ToolContext<Settings> {
  /** The instance's settings, credentials included; only the toolset's own process holds them. */
  readonly settings: Settings;
  /** Aborts when the call's time is up or the caller goes away. */
  readonly signal: AbortSignal;
}

/** How much of a group of replicas one call affects; counted from a look of our own, never from what the tool says it did. */
export interface Population {
  /** Names the group within its instance, for example `group web`. */
  readonly group: string;
  readonly members: number;
  readonly affects: number;
}

/** What a remedy would meet if it ran now; found by reading only. */
export interface Inspection {
  /** Changes when the target is replaced by another one of the same name; null where targets have no such identity. */
  readonly uid: string | null;
  readonly population: Population | null;
  /** What exactly it would do, in lines that a person reads before answering; null where the tool cannot say. */
  readonly preview: readonly string[] | null;
  /** The state that the call would change, as far as taking it back needs it; absent or null where nothing is to be recorded. */
  readonly before?: Readonly<Record<string, unknown>> | null | undefined;
}

/** How a call is taken back: another call, its arguments filled from this one's and from the state recorded before it. */
export interface Inverse {
  readonly tool: string;
  readonly with: Readonly<Record<string, unknown>>;
}

/** How one knows that a call worked: a look, what it must show, and how long that may take. */
export interface ToolCheck extends Inverse {
  readonly expect: string;
  /** For example `60s` or `2m`. */
  readonly within: string;
}

/** One look or one remedy, declared in full: what it takes, what it touches, what it risks and how it is undone. */
export interface Tool<Settings = unknown, Input extends z.ZodObject = z.ZodObject> {
  /** Toolset and verb, for example `supervisor.restart`. */
  readonly name: string;
  readonly description: string;
  /** A closed schema (`z.strictObject`); nothing is coerced. */
  readonly input: Input;
  /** Decided from the declaration and the arguments, never by a model. */
  readonly risk: RiskClass | ((input: z.infer<Input>, settings: Settings) => RiskClass);
  /**
   * Arguments that may only say what the alert is about, each with the name of the alert's label that it must equal: `{ namespace:
   * 'namespace' }`. An alert without that label, or a call without that argument, has nothing in scope.
   */
  readonly scope?: Readonly<Record<string, string>>;
  /** Names what the call works on, as people would, for example `process checkout`. */
  readonly target: (input: z.infer<Input>) => string;
  /** How a person would take it back; `nothing to undo` for a read. */
  readonly undo: string;
  readonly timeoutSeconds: number;
  /** What it was made from, where it is data: whatever it says is part of what an approval is bound to. */
  readonly manifest?: unknown;
  /** Null, or absent for a read, where only the runbook or the alert can tell. */
  readonly check?: ToolCheck | null;
  /** Null, or absent for a read, where no call takes it back. */
  readonly inverse?: Inverse | null;
  /** Looks, without changing anything, at what the call would meet. Approvals are bound to the uid that it gives. */
  readonly inspect?: (input: z.infer<Input>, context: ToolContext<Settings>) => Promise<Inspection>;
  /** Does the work and returns a JSON object. @throws NightshiftError `tool_failed` in words of our own. */
  readonly run: (input: z.infer<Input>, context: ToolContext<Settings>) => Promise<Record<string, unknown>>;
}

/** The tools of one kind of system, and the settings one instance of it needs. */
export interface Toolset<Settings = unknown> {
  readonly name: string;
  readonly description: string;
  readonly settings: z.ZodType<Settings>;
  /** What its instances declare for themselves: manifests of the operator's, where nothing is said, or pins of what others declare. */
  readonly declaredBy?: 'manifests' | 'pins';
  /** What every instance has. */
  readonly tools: readonly Tool<Settings>[];
  /**
   * Makes the tools that one instance has besides, from what its operator declared; each is named `INSTANCE.VERB`. Left out where a
   * toolset takes no declarations. @throws NightshiftError `invalid_config` naming every mistake in them.
   */
  readonly own?: (declarations: readonly unknown[], instance: OwnedBy<Settings>) => readonly Tool<Settings>[];
  /**
   * Writes what the account of one instance needs in that system for these tools and nothing more, to be applied there by a person, with
   * comments where something cannot be narrowed.
   */
  readonly privileges?: (wanted: PrivilegesFor<Settings>) => string;
}

/** For whom privileges are written: the instance, those of its tools that are to work, and the name of its account where no setting has it. */
export interface PrivilegesFor<Settings> extends OwnedBy<Settings> {
  readonly tools: readonly Tool[];
  /** Those of them that the operator declared; what they need, the toolset cannot know for sure. */
  readonly own: readonly Tool[];
  readonly account: string;
}

/** The instance whose own tools are made. */
export interface OwnedBy<Settings> {
  readonly name: string;
  readonly settings: Settings;
}

/** Declares a tool with its input type inferred from the schema. */
export function defineTool<Settings, Input extends z.ZodObject>(tool: Tool<Settings, Input>): Tool<Settings> {
  return tool as unknown as Tool<Settings>;
}

/** Declares a toolset with its settings type inferred from the schema. */
export function defineToolset<Settings>(toolset: Toolset<Settings>): Toolset {
  return toolset as unknown as Toolset;
}

/** Gives every tool of one instance: its toolset's, and its own. @throws NightshiftError `invalid_config` as {@link Toolset.own} does. */
export function toolsOf(
  { tools, own }: Toolset,
  instance: OwnedBy<unknown> & { readonly declarations: readonly unknown[] },
): readonly Tool[] {
  return own === undefined ? tools : [...tools, ...own(instance.declarations, instance)];
}

/** Gives the risk class of one call with these arguments. */
export function riskOf(tool: Tool, input: unknown, settings: unknown): RiskClass {
  return typeof tool.risk === 'function' ? tool.risk(input as Record<string, unknown>, settings) : tool.risk;
}

/** A change was sent, and nobody can say whether it happened: it is looked at and not repeated. */
export class OutcomeUnknown extends Error {}

/** Makes the failure that a tool reports in its own words; `fix` says what the operator can do. */
export function toolFailed(message: string, options: { cause?: unknown; fix?: string } = {}): NightshiftError {
  return new NightshiftError('tool_failed', options.fix ? `${message}. Fix: ${options.fix}` : message, {
    cause: options.cause,
  });
}

/**
 * Makes what is thrown where a call was cut short: what was to change something (`isChange`) may have done so, or a part of it; what only
 * looked has failed.
 */
export function cutShort(
  why: string,
  isChange: boolean,
  options: { cause?: unknown; fix?: string } = {},
): OutcomeUnknown | NightshiftError {
  if (!isChange) return toolFailed(why, options);
  return new OutcomeUnknown(`${why}, so it is not known what it did`, { cause: options.cause });
}
