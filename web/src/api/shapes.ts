/** What the API answers, in the form that the console reads it. Moments are ISO strings. */

export type Role = 'viewer' | 'approver' | 'admin';

export interface Session {
  readonly person: string;
  readonly role: Role;
  readonly via: 'token' | 'oidc';
  readonly id: string;
  readonly createdAt: string;
  readonly expiresAt: string;
}

export interface ListedSession extends Session {
  readonly lastSeenAt: string;
  readonly client: string;
  readonly current: boolean;
}

export interface SignInOptions {
  readonly oidc: { readonly name: string } | null;
  readonly token: true;
}

/** RFC 9457, as every failed request is answered. */
export interface ProblemDocument {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly problems?: readonly {
    readonly field: string;
    readonly value?: string;
    readonly message: string;
    readonly fix?: string;
  }[];
}

export type State =
  | 'received'
  | 'triaged'
  | 'investigated'
  | 'diagnosed'
  | 'planned'
  | 'awaiting_approval'
  | 'acting'
  | 'verifying'
  | 'resolved'
  | 'escalated'
  | 'stopped';

export type Labels = Readonly<Record<string, string>>;

export interface Incident {
  readonly id: string;
  readonly state: State;
  readonly title: string;
  readonly severity: string;
  readonly labels: Labels;
  readonly service: string | null;
  readonly team: string | null;
  readonly cycle: number;
  readonly attempt: number;
  readonly foldedUnder: string | null;
  readonly held: string | null;
  readonly flapping: boolean;
  readonly needs: string | null;
  readonly traceId: string;
  readonly openedAt: string;
  readonly updatedAt: string;
  readonly closedAt: string | null;
}

export interface NowIncident extends Incident {
  readonly doing: {
    readonly type: string;
    readonly at: string;
    readonly actor: string;
    readonly words: string;
  } | null;
  readonly alerts: number;
  readonly target: string | null;
  readonly action: { readonly tool: string; readonly target: string; readonly status: string } | null;
}

export interface KillSwitch {
  readonly engaged: boolean;
  readonly why: string;
  readonly by: string | null;
  readonly at: string | null;
  readonly releaseVotes: readonly string[];
}

/** The answer to a word about the kill switch; `needs` says who else must ask for its release. */
export interface KillSwitchAnswer extends KillSwitch {
  readonly released?: boolean;
  readonly needs?: string;
}

export interface Vote {
  readonly principal: string;
  readonly decision: 'approve' | 'deny';
  readonly reason: string;
  readonly via: string;
  readonly at: string;
}

export interface Approval {
  readonly id: string;
  readonly incident: string;
  readonly action: string;
  readonly digest: string;
  readonly required: number;
  readonly status: 'pending' | 'approved' | 'denied' | 'expired' | 'superseded';
  readonly expiresAt: string;
  readonly createdAt: string;
  readonly decidedAt: string | null;
  readonly votes: readonly Vote[];
  readonly secrets: readonly unknown[];
  /** The words that people decide by, the same as in Slack and at the command line. */
  readonly card: readonly string[];
  /** Why an answer of whoever asks would be refused; null where it would count. */
  readonly refused: Readonly<Record<'approve' | 'deny', string | null>>;
}

export interface Now {
  readonly mode: string;
  readonly killSwitch: KillSwitch;
  readonly burning: readonly NowIncident[];
  readonly people: readonly NowIncident[];
  readonly recent: readonly NowIncident[];
  readonly approvals: readonly Approval[];
  readonly queue: {
    readonly waiting: readonly { readonly kind: string; readonly waiting: number; readonly oldestSeconds: number }[];
  };
  readonly counts: Readonly<Record<string, number>>;
}

export interface Alert {
  readonly source: string;
  readonly fingerprint: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: string;
  readonly endsAt: string | null;
  readonly generatorUrl: string | null;
  readonly receivedAt: string;
}

export interface Evidence {
  readonly ref: string;
  readonly kind: 'runbook' | 'past_incident' | 'tool';
  readonly title: string;
  readonly content: string;
  readonly origin: Readonly<Record<string, unknown>>;
  /** The whole text where `content` is cut. */
  readonly full?: string;
}

export interface Citation {
  readonly evidence: string;
  readonly quote: string;
}

export interface Diagnosis {
  readonly mode: 'runbook' | 'model';
  readonly model: string | null;
  readonly rootCause: string;
  readonly confidence: 'high' | 'medium' | 'low';
  readonly inconclusive: boolean;
  readonly citations: readonly Citation[];
  readonly ruledOut: readonly { readonly hypothesis: string; readonly why: string }[];
  readonly unknowns: readonly string[];
  readonly components?: readonly { readonly kind: string; readonly name: string; readonly evidence: string | null }[];
  readonly review?: 'passed' | 'rejected' | 'unavailable' | 'none';
}

export type Decision = 'allow' | 'ask' | 'deny';

export interface Spoke {
  readonly rule: string;
  readonly decision: Decision;
  readonly why: string;
}

export interface Verdict {
  readonly decision: Decision;
  readonly risk: string;
  readonly approvals: number;
  readonly approvers: readonly string[] | null;
  readonly expirySeconds: number | null;
  readonly spoke: readonly Spoke[];
}

export interface Action {
  readonly id: string;
  readonly cycle: number;
  readonly attempt: number;
  readonly ordinal: number;
  readonly instance: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly target: string;
  readonly risk: string;
  readonly undo: string;
  readonly origin: string;
  readonly reason: string;
  readonly expectedEffect: string;
  readonly status: string;
  readonly decision: Verdict | null;
  readonly result: unknown;
  readonly requestedBy: string | null;
  readonly inspection: { readonly preview?: readonly string[] | null; readonly before?: unknown } | null;
  readonly undoOf: string | null;
  readonly effect: string | null;
  readonly createdAt: string;
  readonly sentAt: string | null;
}

export interface TimelineEvent {
  readonly id: number;
  readonly incident: string | null;
  readonly at: string;
  readonly type: string;
  readonly actor: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** One sentence, as the command line's timeline says it. */
  readonly words: string;
}

export interface WholeIncident extends Incident {
  readonly incidents: readonly string[];
  readonly alerts: readonly Alert[];
  readonly diagnosis: Diagnosis | null;
  readonly checks: readonly unknown[];
  readonly costUsd: number;
  readonly evidence: readonly Evidence[];
  readonly actions: readonly Action[];
  readonly approvals: readonly Approval[];
  readonly events: readonly TimelineEvent[];
}

export interface ModelCall {
  readonly id: number | string;
  readonly at: string;
  readonly role: string;
  readonly model: string;
  readonly outcome: string;
  readonly error: string | null;
  readonly degraded: string | null;
  readonly inputTokens: number | null;
  readonly cachedTokens: number | null;
  readonly outputTokens: number | null;
  readonly costUsd: number | null;
  readonly latencyMs: number;
  readonly prompts: readonly string[];
  readonly request: unknown;
  readonly answer: unknown;
}

export interface Marker {
  readonly at: string;
  readonly label: string;
  readonly kind: 'fired' | 'resolved' | 'action' | 'verified' | 'approval';
}

export interface Chart {
  readonly title: string;
  readonly expr: string;
  /** With what it compares; null where that is no single number. */
  readonly threshold?: number | null;
  readonly source: string;
  readonly from: string;
  readonly to: string;
  readonly stepSeconds: number;
  /** Points are seconds since 1970 with a value, or null where there is none. */
  readonly series: readonly {
    readonly labels: Labels;
    readonly points: readonly (readonly [number, number | null])[];
  }[];
  readonly markers: readonly Marker[];
  readonly problem: string | null;
}

export interface Runbook {
  readonly path: string;
  readonly title: string;
  readonly service: string | null;
  readonly severity?: string | null;
  readonly steps: number;
  readonly matches: readonly string[];
  readonly pinned: boolean;
  readonly problems: readonly string[];
  readonly used: number;
  readonly healed: number;
  readonly failed: number;
  readonly lastUsed: string | null;
  /** Why it is thought to be out of date, or null. */
  readonly stale: string | null;
  readonly failing: boolean;
}

export interface LintFinding {
  readonly severity: string;
  readonly line: number | null;
  readonly message: string;
  readonly fix: string | null;
}

interface DeclaredCall {
  readonly tool: string;
  readonly with: Readonly<Record<string, unknown>>;
}

/** What a runbook says in its front matter that may be done. */
export interface Declaration {
  readonly remedies: readonly {
    readonly name: string;
    readonly when: readonly (DeclaredCall & { readonly expect: string })[];
    readonly steps: readonly (DeclaredCall & { readonly why: string })[];
  }[];
  readonly verify: readonly (DeclaredCall & { readonly expect: string; readonly withinSeconds: number })[];
  readonly escalateTo: string | null;
}

export interface RunbookFile extends Runbook {
  readonly body: string;
  /** Null where it declares nothing. */
  readonly frontMatter: Declaration | null;
  readonly lint: readonly LintFinding[];
  readonly passages: readonly { readonly breadcrumb: string; readonly startLine: number; readonly endLine: number }[];
}

/** Every signal that a runbook was found by; null where it said nothing. */
export interface Why {
  readonly matched: boolean;
  readonly linked: boolean;
  readonly named: boolean;
  readonly service: boolean;
  readonly words: number | null;
  readonly vector: number | null;
  readonly name: number | null;
  readonly nameSaid: number;
  readonly similarity: number | null;
  readonly record: Readonly<Record<string, unknown>> | null;
}

export interface FoundPassage {
  readonly path: string;
  readonly title: string;
  readonly breadcrumb: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly content: string;
  readonly score: number;
  readonly fits: boolean;
  readonly cite: string;
  readonly flags: readonly { readonly line: number; readonly reason: string }[];
  readonly why: Why;
}

export interface FoundRunbooks {
  readonly found: readonly FoundPassage[];
  readonly others: readonly FoundPassage[];
}

export interface UncoveredAlert {
  readonly alertname: string;
  readonly service: string | null;
  readonly times: number;
  readonly incidents: readonly string[];
  readonly last: string;
}

export interface RunbookDraft {
  readonly fileName: string;
  readonly text: string;
}

export interface PolicyRule {
  readonly id: string;
  /** A file, or `built in`. */
  readonly origin: string;
  readonly decision: string;
  readonly when: string;
  readonly why: string;
}

export interface Policy {
  readonly mode: string;
  readonly autonomy: readonly { readonly match: string | readonly string[]; readonly mode: string }[];
  readonly rules: readonly PolicyRule[];
  readonly limits: Readonly<Record<string, number>>;
  /** Lines that give a call another risk class. */
  readonly risks?: readonly {
    readonly id: string;
    readonly origin: string;
    readonly risk: string;
    readonly when: string;
    readonly why: string;
  }[];
  readonly windows?: readonly { readonly id: string; readonly origin: string; readonly when: string }[];
}

export interface PolicyQuestion {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly labels: Labels;
}

export interface PolicyExplanation {
  readonly decision: Decision;
  readonly approvals: number;
  readonly spoke: readonly Spoke[];
  /** Why nothing is sent in any case; null while nothing is stopped. */
  readonly stopped?: string | null;
  readonly alsoConsidered?: readonly { readonly rule: string; readonly why: string | readonly string[] }[];
}

export interface TrackRecord {
  readonly alertname: string;
  readonly service: string;
  readonly tool: string;
  readonly risk: string;
  readonly proposed: number;
  readonly approved: number;
  readonly denied: number;
  readonly ran: number;
  readonly healed: number;
  readonly worse: number;
  readonly lowerBound: number;
  readonly askedBy: readonly string[];
  readonly suggestion: string | null;
}

export interface Budgets {
  readonly models: {
    readonly dayUsd: { readonly limit: number | null; readonly spent: number };
    readonly incidentUsd: number | null;
  };
  readonly actions: readonly {
    readonly scope: string;
    readonly limit: number;
    readonly used: number;
    readonly windowSeconds: number;
  }[];
}

export interface Percentiles {
  /** Seconds; null where there is nothing to measure. */
  readonly p50: number | null;
  readonly p95: number | null;
}

export interface Outcomes {
  readonly healedAlone: number;
  readonly healedAfterApproval: number;
  readonly healedByPeople: number;
  readonly resolvedByItself: number;
  readonly escalated: number;
  readonly stopped: number;
  readonly open: number;
}

export interface Insights {
  readonly from: string;
  readonly to: string;
  readonly incidents: number;
  readonly mtta: Percentiles;
  readonly mttr: Percentiles;
  readonly outcomes: Outcomes;
  readonly byAlert: readonly (Outcomes & {
    readonly alertname: string;
    readonly service: string | null;
    readonly incidents: number;
    readonly mttaP50: number | null;
    readonly mttrP50: number | null;
  })[];
  readonly approvalLatency: Percentiles & { readonly count: number };
  readonly cost: {
    readonly totalUsd: number;
    readonly perIncidentUsd: number | null;
    readonly byModel: readonly {
      readonly model: string;
      readonly calls: number;
      readonly usd: number | null;
      readonly tokens: number;
    }[];
    readonly byIncident: readonly {
      readonly incident: string;
      readonly title: string;
      readonly calls: number;
      readonly usd: number;
      readonly tokens: number;
    }[];
  };
  readonly noise: {
    readonly deliveries: number;
    readonly alerts: number;
    readonly repeated: number;
    readonly incidents: number;
    readonly folded: number;
    readonly shed: number;
    readonly flapping: number;
  };
  readonly trend: readonly {
    readonly day: string;
    readonly incidents: number;
    readonly healed: number;
    readonly escalated: number;
    readonly mttrP50: number | null;
    readonly approvalP50: number | null;
    readonly alerts: number;
    readonly repeated: number;
    readonly usd: number;
  }[];
}

/** A page of who did what, newest first; `next` is what to ask for the page after it. */
export interface AuditEvents {
  readonly events: readonly TimelineEvent[];
  readonly next: string | number | null;
}

export interface AuditReport {
  readonly problems: readonly { readonly kind: string; readonly seal?: string; readonly message: string }[];
  readonly late: readonly string[];
  readonly events: number;
  readonly seals: number;
  readonly head: string | null;
  readonly unsealed: number;
  readonly pruned: { readonly seal: string; readonly sealedAt: number; readonly at: number } | null;
}

/** One message of the stream: something was added to a timeline. */
export interface Change {
  readonly id: number;
  readonly incident: string | null;
  readonly type: string;
  readonly at: string;
}
