import { createAwaitDecision, createJudgePlan } from '../approval/index.ts';
import type { Config } from '../config/index.ts';
import { createDiagnose, createGather, createTriage, type Specialists } from '../diagnosis/index.ts';
import { createExecute, knowSentSecrets } from '../execution/index.ts';
import type { Failpoint } from '../failpoints.ts';
import type { GateDependencies } from '../gate/index.ts';
import type { Stage, State } from '../incident/index.ts';
import { createRemember } from '../learning/index.ts';
import type { Models } from '../llm/index.ts';
import type { Look } from '../mcp-tools/index.ts';
import { createPlan } from '../planning/index.ts';
import type { Mint, Policy } from '../policy/index.ts';
import type { Embedder } from '../rag/index.ts';
import type { Metrics } from '../telemetry/index.ts';
import { createVerify } from '../verification/index.ts';
import { withHold } from './hold.ts';
import { createAwaitPerson, createReopen, withStop } from './waiting.ts';

export type Stages = Readonly<Record<State, Stage>>;

export interface StageDependencies extends Omit<GateDependencies, 'policy'> {
  /** The policy in force now. */
  readonly currentPolicy: () => Policy;
  readonly config: Config;
  readonly models: Models;
  readonly specialists: Specialists;
  readonly embedder: Embedder;
  readonly look: Look;
  readonly mint: Mint;
  readonly metrics: Metrics;
  readonly failpoint: Failpoint;
}

/**
 * The workflow. Each stage is a function from the committed incident to its next state; the driver runs them one after
 * another until the incident waits or ends, and commits each one's result, timeline and messages in one transaction.
 */
export function createStages(dependencies: StageDependencies): Stages {
  const triage = createTriage(dependencies);
  const gatherEvidence = createGather(dependencies);
  const diagnose = createDiagnose(dependencies);
  const remember = createRemember(dependencies);
  // Made anew each time, by the policy of that moment: what is judged is judged by one from its beginning to its end, whatever is reloaded meanwhile.
  const underPolicy =
    (make: (judging: Omit<StageDependencies, 'currentPolicy'> & GateDependencies) => Stage): Stage =>
    (work) =>
      make({ ...dependencies, policy: dependencies.currentPolicy() })(work);
  const plan = underPolicy(createPlan);
  const judge = underPolicy(createJudgePlan);
  const awaitDecision = createAwaitDecision(dependencies);
  const execute = underPolicy(createExecute);
  const verify = underPolicy((judging) => createVerify({ ...judging, remember }));
  const awaitPerson = createAwaitPerson({
    db: dependencies.db,
    quietSeconds: dependencies.config.correlation.flapping.quietSeconds,
  });
  const reopen = createReopen();

  // These look at what may show a secret that another process has sent.
  const knowing =
    (stage: Stage): Stage =>
    async (work) => {
      if (work.incident.glimpse?.sentSecret !== false) await knowSentSecrets(dependencies.db, work.incident.id);
      return stage(work);
    };

  const { flapping } = dependencies.config.correlation;
  const awake = withHold(
    { db: dependencies.db, flapping },
    {
      received: triage,
      triaged: gatherEvidence,
      investigated: diagnose,
      diagnosed: plan,
      planned: knowing(judge),
      awaiting_approval: awaitDecision,
      acting: knowing(execute),
      verifying: knowing(verify),
      escalated: awaitPerson,
      resolved: reopen,
      stopped: reopen,
    },
  );
  return withStop(dependencies, awake);
}
