/** What the API answers, by the schemas that declare it; only their types come into the bundle's program. */
import type { z } from 'zod';
import type { problem } from '../../../src/api/answers/component.ts';
import type { insights } from '../../../src/api/answers/figures.ts';
import type * as incidents from '../../../src/api/answers/incident.ts';
import type * as installation from '../../../src/api/answers/installation.ts';
import type * as policies from '../../../src/api/answers/policy.ts';
import type * as runbooks from '../../../src/api/answers/runbook.ts';
import type { STATES } from '../../../src/incident/index.ts';

export type ProblemDocument = z.infer<typeof problem>;

export type Session = z.infer<typeof installation.session>;
export type Role = Session['role'];
export type ListedSession = z.infer<typeof installation.sessionPage>['sessions'][number];
export type SignInOptions = z.infer<typeof installation.signInOptions>;
export type KillSwitch = z.infer<typeof installation.killSwitch>;
export type KillSwitchAnswer = z.infer<typeof installation.killSwitchAnswer>;
export type Now = z.infer<typeof installation.now>;
export type AuditReport = z.infer<typeof installation.auditReport>;

export type Incident = z.infer<typeof incidents.incident>;
/** The states that this version knows; an incident may be in one that a newer version has set. */
export type State = (typeof STATES)[number];
export type Labels = Incident['labels'];
export type NowIncident = z.infer<typeof incidents.nowIncident>;
export type Approval = z.infer<typeof incidents.approval>;
export type TimelineEvent = z.infer<typeof incidents.event>;
export type AuditEvents = z.infer<typeof incidents.eventPage>;
export type WholeIncident = z.infer<typeof incidents.wholeIncident>;
export type Alert = WholeIncident['alerts'][number];
export type Evidence = WholeIncident['evidence'][number];
export type Diagnosis = NonNullable<WholeIncident['diagnosis']>;
export type Citation = Diagnosis['citations'][number];
export type Action = WholeIncident['actions'][number];
export type Verdict = NonNullable<Action['decision']>;
export type Decision = Verdict['decision'];
export type ModelCall = z.infer<typeof incidents.modelCalls>['calls'][number];
export type Chart = z.infer<typeof incidents.charts>['charts'][number];
export type Marker = Chart['markers'][number];

export type Runbook = z.infer<typeof runbooks.runbook>;
export type RunbookFile = z.infer<typeof runbooks.runbookFile>;
export type Declaration = NonNullable<RunbookFile['frontMatter']>;
export type FoundRunbooks = z.infer<typeof runbooks.foundRunbooks>;
export type FoundPassage = FoundRunbooks['found'][number];
export type Why = FoundPassage['why'];
export type UncoveredAlert = z.infer<typeof runbooks.uncoveredPage>['alerts'][number];
export type RunbookDraft = z.infer<typeof runbooks.draft>;

export type Policy = z.infer<typeof policies.policy>;
export type PolicyRule = Policy['rules'][number];
export type PolicyExplanation = z.infer<typeof policies.explanation>;
export type TrackRecord = z.infer<typeof policies.trackRecordPage>['records'][number];
export type Budgets = z.infer<typeof policies.budgets>;

export type Insights = z.infer<typeof insights>;
export type Outcomes = Insights['outcomes'];
export type Percentiles = Insights['mttr'];

export interface PolicyQuestion {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly labels: Labels;
}

/** One message of the stream: something was added to a timeline. */
export interface Change {
  readonly id: number;
  readonly incident: string | null;
  readonly type: string;
  readonly at: string;
}
