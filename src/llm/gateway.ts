/** The way to whichever model answers: first choice, then the others, then an answer that was given before. */
import { type Config, KEY_VARIABLES, MODEL_ROLES, type ModelRole, modelNameProblems } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import type { Logger, Metrics } from '../telemetry/index.ts';
import { answerOf } from './answer.ts';
import { BREAKER_STATES, type BreakerState } from './breaker.ts';
import { type Clock, SYSTEM_CLOCK } from './clock.ts';
import { type Asked, askEndpoint, createEndpoint, type Endpoint } from './endpoint.ts';
import type { Degraded, ModelAnswer, ModelRequest, Models } from './model.ts';
import { modelIdOf } from './prices.ts';
import type { Question } from './provider.ts';
import { needOf, questionOf } from './question.ts';
import { recordAttempt, storedAnswer } from './record.ts';
import { createRoom, type Place, type Room } from './room.ts';
import { createRouter, type Router } from './route.ts';
import { isCeilingNear } from './spending.ts';
import { type ModelsState, stateOf } from './state.ts';
import { type AskedFirst, traceQuestion } from './trace-question.ts';

/** For all models together, unless the first one's own time is longer. */
const ASK_SECONDS_MAX = 50;
/** Of that, what one model leaves to those after it. */
const SECONDS_LEFT = 10;
/** How long a question waits for room, all its waits together. */
const WAIT_MS_MAX = 10_000;

/** The models, and what an operator wants to know of them. */
export interface Gateway extends Models {
  /** Gives what is known of each model now, and what was spent today of which ceiling. */
  state(): Promise<ModelsState>;
}

export interface GatewayDependencies {
  readonly db: Database;
  readonly metrics: Metrics;
  readonly log?: Logger;
  /** What limits and waits go by; the machine's own time unless it is given. */
  readonly clock?: Clock;
}

interface Parts extends Required<Omit<GatewayDependencies, 'log'>> {
  readonly config: Pick<Config, 'models' | 'routing' | 'spending'>;
  readonly endpoints: readonly Endpoint[];
  readonly router: Router<Endpoint>;
  readonly room: Room<Endpoint>;
}

/**
 * Makes the models from their configuration; without any, `names` is empty and `ask` fails.
 * @throws NightshiftError `invalid_config` for a model with neither an apiKey nor a baseUrl, two of one name, or a route to no model.
 */
export function createModels(
  config: Pick<Config, 'models' | 'routing' | 'spending'>,
  { db, metrics, log, clock = SYSTEM_CLOCK }: GatewayDependencies,
): Gateway {
  const problems = [...keysMissing(config.models), ...modelNameProblems(config.models, config.routing)];
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  const endpoints = config.models.map((model, index) => {
    const onBreaker = (state: BreakerState) => {
      const { name, host } = endpoints[index] ?? { name: '', host: '' };
      metrics.modelBreakers.set({ model: name }, BREAKER_STATES.indexOf(state));
      log?.[state === 'open' ? 'warn' : 'info']({ model: name, host, state }, 'the circuit breaker of a model changed');
    };
    return createEndpoint(model, { clock, onBreaker });
  });
  for (const { name, price } of endpoints) {
    metrics.modelBreakers.set({ model: name }, 0);
    const fix = 'set its price under models';
    if (!price) log?.info({ model: name, fix }, 'nobody knows what a model costs, so it counts toward no ceiling');
    else if (price.assumed)
      log?.warn({ model: name, fix }, 'nobody knows what a model costs; the dearest price is assumed');
  }
  const router = createRouter(endpoints, config.routing);
  const parts: Parts = { config, db, metrics, clock, endpoints, router, room: createRoom(clock) };
  return {
    names: endpoints.map(({ name }) => name),
    namesFor(role, notModels = []) {
      const not = sameAs(endpoints, notModels);
      return router.candidates(role).flatMap(({ name }) => (not.includes(name) ? [] : [name]));
    },
    contextTokensFor(role) {
      const tokens = router.candidates(role).map(({ contextTokens }) => contextTokens);
      return tokens.length > 0 ? Math.min(...tokens) : 0;
    },
    ask: (request) => traceQuestion(request, endpoints, (askedFirst) => ask(parts, request, askedFirst)),
    state: () => stateOf({ db, spending: config.spending, endpoints, router, roles: MODEL_ROLES }),
  };
}

function keysMissing(models: Config['models']): Problem[] {
  return models.flatMap(({ apiKey, baseUrl }, index) => {
    const fix = 'set apiKey, or baseUrl for a server that wants no key';
    return apiKey || baseUrl ? [] : [{ field: `models.${index}.apiKey`, message: 'is missing', fix }];
  });
}

/** The ladder. */
async function ask(parts: Parts, request: ModelRequest, askedFirst: AskedFirst): Promise<ModelAnswer> {
  const { db, config, router, metrics } = parts;
  const { role } = request;
  const not = sameAs(parts.endpoints, request.notModels ?? []);
  if (router.candidates(role).length === 0) throw nobody(parts, role);
  const near = isCeilingNear(db, config.spending, request);
  // It is awaited only after the question is ready, which may fail.
  near.catch(() => undefined);
  const question = questionOf(request);
  const cheapest = await near;
  const preferred = router.order(role, { not });
  // A critic is there for safety, which no shortage makes less.
  const order = cheapest && role !== 'critique' ? router.order(role, { not, cheapest }) : preferred;
  askedFirst(order[0]);

  const failed = new Map<string, string>();
  const answer = await askInTurn(parts, question, { order, preferred, failed });
  if (answer) return answer;

  // A judgement of another time is no judgement.
  const stored = role === 'judge' || request.signal.aborted ? null : await storedAnswer(db, question, not);
  const failedOver = [...failed].map(([name, reason]) => `${name}: ${reason}`);
  if (stored) {
    metrics.modelsDegraded.inc({ role, how: 'stored_answer' });
    return answerOf(stored.model, stored.reply, {
      ...{ json: stored.json, durationMs: 0, costUsd: 0, degraded: 'stored_answer', failedOver },
      promptSha256: question.systemSha256,
    });
  }
  const reasons = failedOver.length > 0 ? failedOver.join('; ') : `none but ${not.join(', ')}, which may not`;
  throw new NightshiftError('llm_failed', `no model answered the ${role} question: ${reasons}`);
}

/** Gives these names, and those of the same models under another name or at another address: nobody reviews or judges their own work. */
function sameAs(endpoints: readonly Endpoint[], names: readonly string[]): string[] {
  const own = new Set(
    endpoints.filter(({ name }) => names.includes(name)).map(({ config }) => modelIdOf(config.model)),
  );
  const others = endpoints.filter(({ name, config }) => own.has(modelIdOf(config.model)) && !names.includes(name));
  return [...names, ...others.map(({ name }) => name)];
}

function nobody({ endpoints }: Parts, role: ModelRole): NightshiftError {
  const fix =
    endpoints.length > 0
      ? `name some under routing.${role}`
      : `add one under models, or set ${KEY_VARIABLES.join(' or ')}`;
  return new NightshiftError('llm_failed', `no model is configured for the ${role} question. Fix: ${fix}`);
}

/**
 * Asks one endpoint after the other, whichever has room first, and each once; again only after the pause that it asked for itself.
 * Gives null when none answered, with the reasons in `failed`.
 */
async function askInTurn(
  parts: Parts,
  question: Question,
  {
    order,
    preferred,
    failed,
  }: { order: readonly Endpoint[]; preferred: readonly Endpoint[]; failed: Map<string, string> },
): Promise<ModelAnswer | null> {
  const { room, clock, metrics } = parts;
  const { role, signal } = question.request;
  const need = needOf(question);
  const endsAt = clock.now() + Math.max(ASK_SECONDS_MAX, order[0]?.config.timeoutSeconds ?? 0) * 1000;
  let waitMs = WAIT_MS_MAX;
  let left = [...order];
  const askedAgain = new Set<Endpoint>();
  while (left.length > 0 && clock.now() < endsAt) {
    for (const { name, breaker } of left)
      if (!breaker.admits()) failed.set(name, 'it kept failing, so it is left alone for now');
    left = left.filter(({ breaker }) => breaker.admits());
    const place = await room.take(left, need, { waitMs: Math.min(waitMs, endsAt - clock.now()), signal });
    if (!place) {
      const why = signal.aborted
        ? 'the caller gave the question up'
        : 'its limits leave no room for this question soon enough';
      for (const { name } of left) if (!failed.has(name)) failed.set(name, why);
      break;
    }
    const { endpoint, waitedMs } = place;
    waitMs -= waitedMs;
    if (!endpoint.breaker.admits()) {
      // It began to fail for others while this one waited.
      endpoint.budget.settle(place.reservation, null);
      room.look();
      continue;
    }
    metrics.modelRoomWaits.observe({ role }, waitedMs / 1000);
    for (const { name } of left.slice(0, left.indexOf(endpoint)))
      if (!failed.has(name)) failed.set(name, 'its limits leave no room for now');
    left = left.filter((one) => one !== endpoint);
    const secondsLeft = (endsAt - clock.now()) / 1000;
    const seconds = left.length > 0 ? Math.max(secondsLeft - SECONDS_LEFT, secondsLeft / 2) : secondsLeft;
    const timeoutSeconds = Math.min(endpoint.config.timeoutSeconds, Math.max(1, Math.round(seconds)));
    const asked = await askAndRecord(parts, question, place, {
      timeoutSeconds,
      degraded: degradedBy(endpoint, order, preferred),
    });
    if (!asked.failure && asked.reply) {
      failed.delete(endpoint.name);
      if (failed.size > 0) metrics.modelFailovers.inc({ role, model: endpoint.name });
      return answerOf(endpoint.name, asked.reply, {
        json: asked.json,
        durationMs: asked.latencyMs,
        costUsd: asked.costUsd,
        degraded: degradedBy(endpoint, order, preferred),
        failedOver: [...failed].map(([name, reason]) => `${name}: ${reason}`),
        promptSha256: question.systemSha256,
      });
    }
    if (asked.failure) failed.set(endpoint.name, asked.failure.message);
    if (asked.failure?.outcome === 'aborted') break;
    if (asked.askAgainAt !== null && asked.askAgainAt - clock.now() <= waitMs && !askedAgain.has(endpoint)) {
      askedAgain.add(endpoint);
      left.push(endpoint);
    }
  }
  return null;
}

async function askAndRecord(
  { db, metrics, clock, room }: Parts,
  question: Question,
  { endpoint, reservation }: Place<Endpoint>,
  { timeoutSeconds, degraded }: { timeoutSeconds: number; degraded: Degraded | null },
): Promise<Asked> {
  const { role } = question.request;
  const asked = await askEndpoint(endpoint, question, { reservation, timeoutSeconds, clock });
  room.look();
  const { failure, reply, costUsd, latencyMs } = asked;
  const model = endpoint.name;
  const outcome = failure?.outcome ?? 'ok';
  metrics.modelCalls.observe({ role, model, outcome }, latencyMs / 1000);
  if (costUsd) metrics.modelCost.inc({ role, model }, costUsd);
  if (reply) {
    const { inputTokens, outputTokens, cachedInputTokens } = reply.usage;
    metrics.modelTokens.inc({ role, model, kind: 'input' }, Math.max(0, inputTokens - cachedInputTokens));
    metrics.modelTokens.inc({ role, model, kind: 'cached' }, cachedInputTokens);
    metrics.modelTokens.inc({ role, model, kind: 'output' }, outputTokens);
  }
  if (!failure && degraded) metrics.modelsDegraded.inc({ role, how: degraded });
  const { price } = endpoint;
  const error = failure?.message ?? null;
  await recordAttempt(db, question, { model, outcome, error, degraded, reply, costUsd, price, latencyMs });
  return asked;
}

/** Near a ceiling the first choice may be the cheapest anyway. */
function degradedBy(endpoint: Endpoint, order: readonly Endpoint[], preferred: readonly Endpoint[]): Degraded | null {
  return order !== preferred && endpoint !== preferred[0] ? 'cheaper_model' : null;
}
