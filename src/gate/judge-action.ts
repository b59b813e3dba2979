import type { AutonomyMode, Config, Service } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Identity } from '../identity/index.ts';
import { ABOUT_ITSELF, type StoredAlert } from '../incident/index.ts';
import type { Call, Catalogue, Inspection, ToolClient } from '../mcp-tools/index.ts';
import type { Action } from '../planning/index.ts';
import {
  judge,
  modeFor,
  type Policy,
  type PolicyRule,
  type Question,
  serviceApprovers,
  strictest,
  type Verdict,
} from '../policy/index.ts';
import type { PinOf } from '../rag/index.ts';
import { declarationOf, undoDeclarationOf } from './declaration.ts';
import { blockOf, describeBlock } from './ineffective.ts';
import type { KillSwitch } from './kill-switch.ts';
import { countRuns, countsOf } from './recent-runs.ts';
import type { Standing, StandingAction } from './standing.ts';

export interface GateDependencies {
  readonly db: Database;
  readonly config: Pick<Config, 'mode' | 'limits' | 'approval' | 'services'>;
  readonly autonomy: readonly { readonly matchers: PolicyRule['matchers']; readonly mode: AutonomyMode }[];
  readonly policy: Policy;
  readonly catalogue: Catalogue;
  readonly client: ToolClient;
  readonly pinOf: PinOf;
  readonly killSwitch: KillSwitch;
  readonly identity: Pick<Identity, 'personByEmail' | 'mayDecide'>;
}

/** How an action was judged, and everything that it was judged by. */
export type Judged = Judgement | Denied;

interface Judgement {
  readonly call: Call;
  readonly verdict: Verdict;
  readonly questions: readonly Question[];
  readonly inspection: Inspection;
  /** Who may not approve it: who asked for it, and who changed its runbook last. */
  readonly barred: readonly string[];
  readonly obsolete: false;
}

interface Denied {
  readonly call: null;
  readonly verdict: Verdict;
  readonly questions: readonly Question[];
  readonly obsolete: boolean;
}

/**
 * Judges a planned action as things stand, by what was read anew for it (`readStanding`): its call is bound anew (tool, instance, arguments,
 * risk), its target is looked at, who vouches for its runbooks is read anew, and runs are counted from our own intents. It is judged for every firing
 * alert that it is for, and the most restrictive verdict holds. An action whose tool or target changed since it was planned is
 * denied; one whose alerts all resolved is obsolete.
 */
export async function judgeAction(
  action: StandingAction,
  alerts: readonly StoredAlert[],
  { standing, ...dependencies }: GateDependencies & { readonly standing: Standing },
): Promise<Judged> {
  const { db, config, autonomy, policy, catalogue, client, killSwitch } = dependencies;
  const firing = alerts.filter((alert) => alert.status === 'firing');
  const stop = await killSwitch.stateBy(standing.stop);
  if (stop.engaged) return denied('kill-switch', `everything is stopped: ${stop.why}`);
  const declared =
    action.undoOf === null
      ? await declarationOf(action, firing, { ...standing, ...dependencies })
      : undoDeclarationOf(action, firing, { ...standing, ...dependencies });
  if (declared === null)
    return denied(
      'undo-changed',
      'what it takes back is not taken back like this any more, as its tool is declared now',
    );
  const isForAnAlert = action.undoOf !== null || action.origin.startsWith('runbook:');
  if (isForAnAlert && declared.by.length === 0) {
    return {
      ...denied('alert-resolved', 'the alert that this is for has resolved, or its runbook no longer says so'),
      obsolete: true,
    };
  }
  // What no runbook declares is for the whole incident.
  const concerned = declared.by.length > 0 ? declared.by : firing;
  const calls: { call: Call; alert: StoredAlert }[] = [];
  for (const alert of concerned) {
    const resolution = catalogue.resolve(action.tool, action.arguments, alert.labels);
    if (!resolution.ok) return denied(resolution.why.replaceAll('_', '-'), resolution.message);
    const { call } = resolution;
    if (call.instance !== action.instance || call.target !== action.target)
      return denied('target-changed', `${action.tool} would now work on ${call.target}, not on ${action.target}`);
    if (call.definitionSha256 !== action.definitionSha256)
      return denied('tool-changed', `${action.tool} is not declared as it was when this was planned`);
    calls.push({ call, alert });
  }
  const [first] = calls;
  if (!first) return { ...denied('alert-resolved', 'no alert that this is for is firing'), obsolete: true };
  const block = isRemedy(action) ? blockOf(action.seenRuns, config.limits.ineffectiveSeconds, standing.at) : null;
  if (block !== null) return denied('did-not-help', describeBlock(action, block));
  const inspected = await client.inspect(first.call, { signal: AbortSignal.timeout(INSPECT_MS_MAX) });
  if (!inspected.ok && inspected.refused) return denied('tool-refused', inspected.error);
  const inspection = inspected.ok ? inspected.inspection : { uid: null, population: null, preview: null };

  const labelSets = calls.map(({ alert }) => alert.labels);
  const counted = { call: first.call, labelSets, population: inspection.population, undoOf: action.undoOf };
  const { at, recent, recordFor } = await countsOf(db, { ...standing, records: action.records }, counted);
  const questions = calls.map(({ call, alert }): Question => {
    const { labels, receivedAt } = alert;
    const { tool, instance, target, risk } = call;
    return {
      call: { tool, instance, target, arguments: call.arguments, risk },
      labels,
      mode: modeFor(labels, config.mode, autonomy),
      origin: declared.origin,
      requestedBy: action.requestedBy,
      at,
      receivedAt,
      population: inspection.population,
      serviceApprovers: approversOf(config.services.serviceOf(labels)),
      recent,
      record: recordFor(labels),
      limits: config.limits,
    };
  });
  return {
    call: first.call,
    verdict: strictest([
      ...questions.map((question) => judge(question, policy)),
      ...(inspected.ok
        ? []
        : asking('cannot-be-inspected', questions, `${action.target} cannot be looked at: ${inspected.error}`)),
      ...(declared.contradictions.length > 0
        ? asking('runbooks-contradict', questions, declared.contradictions.join('; '))
        : []),
      ...(declared.flagged.length > 0 ? asking('instruction-like-text', questions, declared.flagged.join('; ')) : []),
      ...(alerts.some(({ source }) => source === ABOUT_ITSELF)
        ? asking('about-itself', questions, 'it is about Nightshift itself, which mends nothing of its own unasked')
        : []),
      ...(action.wasDenied ? asking('denied-before', questions, 'a person said no to it before') : []),
    ]),
    questions,
    inspection,
    barred: [...new Set([action.requestedBy, ...declared.editors].filter((name) => name !== null))],
    obsolete: false,
  };
}

const INSPECT_MS_MAX = 10_000;

/** Judges the same again by the runs and the record as they are now; call it where nothing else can be sent meanwhile. */
export async function judgeAgain(
  questions: readonly Question[],
  { undoOf }: Pick<Action, 'undoOf'>,
  { db, policy }: GateDependencies,
): Promise<Verdict> {
  const [first] = questions;
  if (!first) throw new Error('there is no question to judge again');
  const labelSets = questions.map(({ labels }) => labels);
  const { call, population } = first;
  const { at, recent, recordFor } = await countRuns(db, { call, labelSets, population, undoOf });
  return strictest(
    questions.map((question) => judge({ ...question, at, recent, record: recordFor(question.labels) }, policy)),
  );
}

/** What the gate itself asks about, beside the policy. */
export const GATE_RULES = [
  'cannot-be-inspected',
  'runbooks-contradict',
  'instruction-like-text',
  'about-itself',
  'denied-before',
] as const;

/**
 * Makes the verdicts with which the gate itself asks one person: about a target that nobody can describe to them, where runbooks
 * contradict each other or talk to a machine, about Nightshift itself, or after a no.
 * There is one for each question, because each may be about a service that names who may approve.
 */
export function asking(rule: (typeof GATE_RULES)[number], questions: readonly Question[], why: string): Verdict[] {
  return questions.map(({ call: { risk }, serviceApprovers: approvers }) => {
    const spoke = [
      { rule, decision: 'ask' as const, why },
      ...(approvers === null ? [] : [serviceApprovers(approvers)]),
    ];
    return { decision: 'ask', risk, approvals: 1, approvers, expirySeconds: null, spoke };
  });
}

/** What Nightshift planned to heal; what a person asked for, or what takes something back, is tried whatever happened before. */
function isRemedy({ requestedBy, undoOf }: Action): boolean {
  return requestedBy === null && undoOf === null;
}

/** Gives who may approve what is asked about a service; null where it names nobody. */
export function approversOf(service: Service | null): readonly string[] | null {
  return service === null || service.approvers.length === 0 ? null : service.approvers;
}

/** Makes the judgement of what the policy need not even be asked about. */
export function denied(rule: string, why: string): Denied {
  return {
    call: null,
    obsolete: false,
    questions: [],
    verdict: {
      decision: 'deny',
      risk: 'forbidden',
      approvals: 0,
      approvers: null,
      expirySeconds: null,
      spoke: [{ rule, decision: 'deny', why }],
    },
  };
}
