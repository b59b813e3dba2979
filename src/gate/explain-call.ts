import { sql } from 'kysely';
import type { Labels } from '../alert/index.ts';
import { NightshiftError } from '../errors.ts';
import type { StoredAlert } from '../incident/index.ts';
import type { Call, Catalogue, Resolution } from '../mcp-tools/index.ts';
import {
  type Considered,
  considered,
  judge,
  modeFor,
  type Question,
  strictest,
  type Verdict,
} from '../policy/index.ts';
import { callFingerprint, matchingRunbooks } from '../rag/index.ts';
import { declarationOf } from './declaration.ts';
import { blockOf, describeBlock, seenRuns } from './ineffective.ts';
import { approversOf, asking, denied, type GateDependencies } from './judge-action.ts';
import { countRuns } from './recent-runs.ts';

/** What would be said of a call now. */
export interface ExplainedCall {
  readonly call: Pick<Call, 'tool' | 'instance' | 'target' | 'arguments' | 'risk'>;
  readonly verdict: Verdict;
  readonly considered: readonly Considered[];
  readonly mode: Question['mode'];
  readonly origin: Question['origin'];
  /** Why nothing is sent in any case; null while nothing is stopped. */
  readonly stopped: string | null;
}

/**
 * Says what would be said of a call for a firing alert with these labels, as things stand now: by the runbooks that are indexed, the runs so far,
 * and the policy in force. Nobody asks for it by hand, and its target is not looked at, so that what a look would find counts for nothing.
 * @throws NightshiftError `invalid_payload` where the call cannot be bound to one instance.
 */
export async function explainCall(
  asked: { readonly tool: string; readonly arguments: Readonly<Record<string, unknown>>; readonly labels: Labels },
  dependencies: Omit<GateDependencies, 'client'>,
): Promise<ExplainedCall> {
  const { db, config, autonomy, policy, catalogue, killSwitch } = dependencies;
  const { labels } = asked;
  const resolution = catalogue.resolve(asked.tool, asked.arguments, labels);
  if (!resolution.ok) throw unbound(resolution, asked, catalogue);
  const { tool, instance, target, risk, arguments: args } = resolution.call;
  const call = { tool, instance, target, risk, arguments: args };
  const fingerprint = callFingerprint(resolution.call);
  const runbooks = await matchingRunbooks(db, [labels]);
  const { at, recent, recordFor } = await countRuns(db, { call, labelSets: [labels], population: null, undoOf: null });
  const alert: StoredAlert = {
    ...{ source: 'asked', fingerprint, status: 'firing', labels, annotations: {} },
    ...{ startsAt: at, endsAt: null, generatorUrl: null, receivedAt: at },
  };
  // As a person has chosen it: whether its remedy's conditions hold is for the plan to look at.
  const declared = await declarationOf({ fingerprint, origin: 'person:' }, [alert], { ...dependencies, runbooks });
  const question: Question = {
    call,
    labels,
    mode: modeFor(labels, config.mode, autonomy),
    origin: declared.origin,
    requestedBy: null,
    at,
    receivedAt: at,
    population: null,
    serviceApprovers: approversOf(config.services.serviceOf(labels)),
    recent,
    record: recordFor(labels),
    limits: config.limits,
  };
  const block = blockOf(await seenRuns(db, sql`${fingerprint}`).execute(), config.limits.ineffectiveSeconds, at);
  const stop = await killSwitch.state();
  return {
    call,
    verdict:
      block === null
        ? strictest([
            judge(question, policy),
            ...(declared.contradictions.length > 0
              ? asking('runbooks-contradict', [question], declared.contradictions.join('; '))
              : []),
            ...(declared.flagged.length > 0
              ? asking('instruction-like-text', [question], declared.flagged.join('; '))
              : []),
          ])
        : denied('did-not-help', describeBlock(call, block)).verdict,
    considered: considered(question, policy),
    mode: question.mode,
    origin: question.origin,
    stopped: stop.engaged ? stop.why : null,
  };
}

type Unbound = Extract<Resolution, { ok: false }>;

const FIELDS = {
  unknown_tool: 'tool',
  no_instance: 'labels',
  ambiguous_instance: 'labels',
  invalid_arguments: 'arguments',
  out_of_scope: 'arguments',
} as const satisfies Record<Unbound['why'], string>;

/** Why a call cannot be bound, as a mistake in what was asked. */
function unbound(
  { why, message }: Unbound,
  asked: { tool: string; arguments: unknown; labels: unknown },
  { tools }: Pick<Catalogue, 'tools'>,
): NightshiftError {
  const field = FIELDS[why];
  const takes = Object.keys(tools.get(asked.tool)?.input.shape ?? {}).join(', ') || 'nothing';
  const fix = {
    tool: 'name a tool of docs/tools.md, or one that an instance has of its own',
    arguments: `${asked.tool} takes ${takes}; what its scope names must be what the labels say`,
    labels: 'give the labels of an alert that exactly one instance is for',
  }[field];
  const value = (JSON.stringify(asked[field]) ?? '').slice(0, 200);
  return new NightshiftError('invalid_payload', `${field}: ${message}. Fix: ${fix}`, {
    problems: [{ field, value, message, fix }],
  });
}
