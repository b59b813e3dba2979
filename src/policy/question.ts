import type { Labels, Matcher } from '../alert/index.ts';
import type { AutonomyMode, Config } from '../config/index.ts';
import type { Call, Population, RiskClass } from '../mcp-tools/index.ts';

export const DECISIONS = ['allow', 'ask', 'deny'] as const;
export type Decision = (typeof DECISIONS)[number];

/** How a run ended as far as the checks of the world say; a tool's own word counts for nothing. */
export type RunEffect = 'healed' | 'unchanged' | 'worse' | 'unknown';

/** A call that was sent, whatever came of it. */
export interface Run {
  readonly tool: string;
  readonly instance: string;
  readonly target: string;
  /** Empty where the alert that it was for has no such label. */
  readonly service: string;
  readonly namespace: string;
  /** What the tool counts as one group of replicas, or null. */
  readonly group: string | null;
  readonly affects: number;
  readonly at: Date;
}

/** Everything a decision depends on; nothing in it comes from a model except which call is asked about. */
export interface Question {
  readonly call: Pick<Call, 'tool' | 'instance' | 'target' | 'arguments' | 'risk'>;
  /** Labels of the alert that the call is for. */
  readonly labels: Labels;
  readonly mode: AutonomyMode;
  /** `pinned`: a matching runbook declares the step and its file is the committed or pinned one. */
  readonly origin: 'pinned' | 'unpinned' | 'undeclared';
  /** Who asked for it by hand. */
  readonly requestedBy: string | null;
  readonly at: Date;
  /** When the sender last said that the alert fires. */
  readonly receivedAt: Date;
  readonly population: Population | null;
  /** Who may approve what is asked about the service of these labels, as services.yaml says; null where it names nobody. */
  readonly serviceApprovers: readonly string[] | null;
  /** What was sent in the last seven days, read from our own intents. */
  readonly recent: readonly Run[];
  /** How earlier runs of this tool for this alert name and service ended, newest first. */
  readonly record: readonly RunEffect[];
  readonly limits: Pick<
    Config['limits'],
    'perTargetTenMinutes' | 'perTargetDay' | 'perNamespaceHour' | 'replicaShare' | 'alertAgeSeconds'
  >;
}

export interface Verdict {
  readonly decision: Decision;
  /** The risk class after the operator's overrides. */
  readonly risk: RiskClass;
  /** How many different people must approve: 0 unless the decision is `ask`. */
  readonly approvals: number;
  /** Who may approve; null means everyone who is an approver. */
  readonly approvers: readonly string[] | null;
  /** How long a card is good for; null means the setting `approval.ttlSeconds`. */
  readonly expirySeconds: number | null;
  /** Every rule that spoke, with what it said. */
  readonly spoke: readonly { readonly rule: string; readonly decision: Decision; readonly why: string }[];
}

interface Scope {
  /** Tool names or `toolset.*`; empty means all. */
  readonly tools: readonly string[];
  /** On the labels of the alert. */
  readonly matchers: readonly Matcher[];
  /** On `tool`, `instance`, `target` and the arguments. */
  readonly callMatchers: readonly Matcher[];
}

export interface PolicyRule extends Scope {
  readonly name: string;
  /** Empty means every class but `read`. */
  readonly risks: readonly RiskClass[];
  readonly during: readonly string[];
  readonly outside: readonly string[];
  readonly record: { readonly runs: number; readonly healed: number } | null;
  readonly decision: Decision;
  readonly approvers: readonly string[] | null;
  readonly quorum: number | null;
  readonly expirySeconds: number | null;
  readonly reason: string;
}

export type Weekday = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun';

export type TimeWindow =
  | { readonly name: string; readonly kind: 'dates'; readonly from: Date; readonly to: Date }
  | {
      readonly name: string;
      readonly kind: 'weekly';
      readonly days: readonly Weekday[];
      /** Minutes after midnight by the clock on the wall. */
      readonly fromMinute: number;
      readonly toMinute: number;
      readonly timezone: string;
    };

export interface RiskOverride {
  readonly name: string;
  readonly tool: string;
  readonly target: string;
  readonly risk: Exclude<RiskClass, 'read'>;
  readonly limit: { readonly runs: number; readonly withinSeconds: number } | null;
  readonly reason: string;
}

export interface PolicyLimit extends Scope {
  readonly name: string;
  readonly per: 'target' | 'instance' | 'tool' | 'service' | 'namespace' | 'all';
  /** Exactly one of `runs` and `share` is not null; `per` means nothing with `share`. */
  readonly runs: number | null;
  readonly share: number | null;
  readonly withinSeconds: number;
  readonly decision: 'ask' | 'deny';
  readonly reason: string;
}

/** An argument of a tool into which a secret of the incident's own alerts may be put back. */
export interface SecretArgument {
  readonly name: string;
  readonly tool: string;
  readonly argument: string;
  readonly reason: string;
}

export interface Policy {
  readonly rules: readonly PolicyRule[];
  readonly windows: readonly TimeWindow[];
  readonly overrides: readonly RiskOverride[];
  readonly limits: readonly PolicyLimit[];
  readonly secrets: readonly SecretArgument[];
  /** In which file each name stands. */
  readonly origins: ReadonlyMap<string, string>;
  /** Changes whenever anything in it changes; approvals are bound to it. */
  readonly sha256: string;
}
