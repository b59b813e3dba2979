import type { Config } from '../config/index.ts';
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

/** Shows the rules that are always there: when each speaks, with the numbers of nightshift.yaml, what it says and why. */
export function shownBuiltInRules(limits: Config['limits']) {
  const young = (seconds: number) => `younger than ${seconds} s`;
  const shown: Readonly<Record<(typeof BUILT_IN_NAMES)[number], readonly [Spoken['decision'], string, string]>> = {
    'reads-are-free': ['allow', 'the class is read; no other rule speaks then', 'it changes nothing'],
    'risk-forbidden': ['deny', 'the class is forbidden', ABOUT_RISK.forbidden[0]?.why ?? ''],
    'risk-destructive': ['ask', 'the class is destructive', ABOUT_RISK.destructive[0]?.why ?? ''],
    'risk-critical': ['ask', 'the class is critical', ABOUT_RISK.critical[0]?.why ?? ''],
    'mode-observe': ['deny', 'the mode is observe', ABOUT_MODE.observe[0]?.why ?? ''],
    'mode-ask': ['ask', 'the mode is ask', ABOUT_MODE.ask[0]?.why ?? ''],
    'not-in-a-runbook': ['ask', 'no matching runbook declares the step', ABOUT_ORIGIN.undeclared[0]?.why ?? ''],
    'runbook-not-pinned': [
      'ask',
      'the runbook that declares it is not vouched for',
      ABOUT_ORIGIN.unpinned[0]?.why ?? '',
    ],
    'asked-by-hand': ['ask', 'a person asked for it by hand', 'whoever asks does not decide'],
    'alert-too-old': [
      'ask',
      `the alert was last reported ${limits.alertAgeSeconds} s ago or longer`,
      'it may be over by now',
    ],
    'limit-ten-minutes': [
      'ask',
      `${limits.perTargetTenMinutes} run(s) of the same target, ${young(600)}`,
      'it was just tried',
    ],
    'limit-day': ['ask', `${limits.perTargetDay} run(s) of the same target, ${young(86_400)}`, 'it does not last'],
    'limit-namespace-hour': [
      'ask',
      `${limits.perNamespaceHour} run(s) in the same namespace, ${young(3600)}`,
      'too much happens there',
    ],
    'limit-share': [
      'ask',
      `over ${limits.replicaShare} of a group's members would be affected within 600 s`,
      'the others must carry the load',
    ],
    'nothing-allows': ['ask', 'no rule that spoke says allow', NOTHING_ALLOWS.why],
    'service-approvers': [
      'ask',
      'something is asked about a service of services.yaml that names approvers',
      'only they may approve',
    ],
    'nobody-can-approve': ['deny', 'more people must approve than may', 'it could never be approved'],
  };
  return BUILT_IN_NAMES.map((id) => {
    const [decision, when, why] = shown[id];
    return { id, origin: 'built in', decision, when, why };
  });
}
