import type { RiskClass } from '../mcp-tools/index.ts';
import { isYounger, measure } from './limits.ts';
import type { PolicyLimit, Question, Verdict } from './question.ts';

/** One rule that spoke, with its decision and why. */
export type Spoken = Verdict['spoke'][number];

/** The names of the rules that are always there; no rule of a file may take one. */
export const BUILT_IN_NAMES = [
  'reads-are-free',
  'risk-forbidden',
  'risk-destructive',
  'risk-critical',
  'mode-observe',
  'mode-ask',
  'not-in-a-runbook',
  'runbook-not-pinned',
  'asked-by-hand',
  'alert-too-old',
  'limit-ten-minutes',
  'limit-day',
  'limit-namespace-hour',
  'limit-share',
  'nothing-allows',
  'service-approvers',
  'nobody-can-approve',
] as const;

const spoken = (rule: (typeof BUILT_IN_NAMES)[number], decision: Spoken['decision'], why: string): Spoken => ({
  rule,
  decision,
  why,
});

const ABOUT_RISK: Readonly<Record<RiskClass, readonly Spoken[]>> = {
  read: [spoken('reads-are-free', 'allow', 'it changes nothing')],
  safe: [],
  destructive: [spoken('risk-destructive', 'ask', 'it changes or deletes what cannot be brought back')],
  critical: [spoken('risk-critical', 'ask', 'two people must agree')],
  forbidden: [spoken('risk-forbidden', 'deny', 'this tool never runs with these arguments')],
};

const ABOUT_MODE: Readonly<Record<Question['mode'], readonly Spoken[]>> = {
  auto: [],
  ask: [spoken('mode-ask', 'ask', 'every change needs a person here')],
  observe: [spoken('mode-observe', 'deny', 'Nightshift only observes here')],
};

const ABOUT_ORIGIN: Readonly<Record<Question['origin'], readonly Spoken[]>> = {
  pinned: [],
  unpinned: [spoken('runbook-not-pinned', 'ask', 'the runbook file is not the committed or pinned one')],
  undeclared: [spoken('not-in-a-runbook', 'ask', 'no matching runbook declares this step')],
};

export const NOTHING_ALLOWS = spoken('nothing-allows', 'ask', 'no rule allows this call, so a person is asked');

/** Makes what `service-approvers` says where something is asked about a service that names who may approve. */
export function serviceApprovers(approvers: readonly string[]): Spoken {
  return spoken(
    'service-approvers',
    'ask',
    `only ${approvers.join(', ')} may approve what is asked about this service`,
  );
}

/** Makes what `nobody-can-approve` says where fewer people may approve than must. */
export function nobodyCanApprove(approvals: number, approvers: readonly string[]): Spoken {
  const who = approvers.length === 0 ? 'nobody is named by every rule that asks' : `only ${approvers.join(', ')} may`;
  return spoken('nobody-can-approve', 'deny', `${approvals} must approve, and ${who}`);
}

/** Gives the rules that are always there and speak about this call, judged by its effective class; no file can silence one. */
export function builtInRules(question: Question, risk: RiskClass): Spoken[] {
  if (risk === 'read') return [...ABOUT_RISK.read];
  const { mode, origin, requestedBy, receivedAt, at, limits } = question;
  const spoke = [...ABOUT_RISK[risk], ...ABOUT_MODE[mode], ...ABOUT_ORIGIN[origin]];
  if (requestedBy !== null) spoke.push(spoken('asked-by-hand', 'ask', `${requestedBy} asked for it by hand`));
  if (!isYounger(receivedAt, at, limits.alertAgeSeconds)) {
    const age = Math.floor((at.getTime() - receivedAt.getTime()) / 1000);
    spoke.push(
      spoken('alert-too-old', 'ask', `the alert was last reported ${age} s ago (limit ${limits.alertAgeSeconds})`),
    );
  }
  const limit = (
    name: (typeof BUILT_IN_NAMES)[number],
    per: PolicyLimit['per'],
    withinSeconds: number,
    rate: { runs: number; share: null } | { runs: null; share: number },
  ) => {
    const { reached, says } = measure({ per, withinSeconds, ...rate }, question);
    if (reached) spoke.push(spoken(name, 'ask', says));
  };
  limit('limit-ten-minutes', 'target', 600, { runs: limits.perTargetTenMinutes, share: null });
  limit('limit-day', 'target', 86_400, { runs: limits.perTargetDay, share: null });
  limit('limit-namespace-hour', 'namespace', 3600, { runs: limits.perNamespaceHour, share: null });
  limit('limit-share', 'all', 600, { runs: null, share: limits.replicaShare });
  return spoke;
}
