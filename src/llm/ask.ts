/** Asks the configured models in their order until one gives an answer that can be used. */
import type { ModelConfig } from '../config/index.ts';
import { describeProblems, NightshiftError, type Problem } from '../errors.ts';
import type { Metrics } from '../telemetry/index.ts';
import { anthropicProvider } from './anthropic.ts';
import { failureOf, ModelFailure } from './failure.ts';
import type { ModelAnswer, ModelRequest, Models, StopReason } from './model.ts';
import { openaiProvider } from './openai.ts';
import { portableSchema } from './output-schema.ts';
import { nameOf, type Provider, type ProviderFactory, type Question, type Reply } from './provider.ts';
import { toolNames } from './tool-names.ts';
import { withoutSecrets } from './without-secrets.ts';

const PROVIDERS: Record<ModelConfig['provider'], ProviderFactory> = {
  anthropic: anthropicProvider,
  openai: openaiProvider,
};

/** Models that hang must not hold up every incident anew: people are to hear of each within two minutes. */
const TIMEOUTS_MAX = 3;
const REST_MS = 60_000;
/** For all models together, but never less than the first one's own timeout. */
const ASK_SECONDS_MAX = 50;

interface Candidate {
  readonly config: ModelConfig;
  readonly name: string;
  readonly provider: Provider;
  readonly host: string;
  /** How often in a row it did not answer in time, and until when it is therefore not asked, in milliseconds since 1970. */
  timeouts: number;
  restsUntil: number;
}

/**
 * Makes the models from their configuration, the preferred one first; without any, `names` is empty and `ask` fails.
 * @throws NightshiftError `invalid_config` for a model with neither an apiKey nor a baseUrl.
 */
export function createModels(configs: readonly ModelConfig[], metrics: Metrics): Models {
  const problems = configs.flatMap(({ apiKey, baseUrl }, index) => (apiKey || baseUrl ? [] : [keyMissing(index)]));
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  const candidates = configs.map((config): Candidate => {
    const host = config.baseUrl ? new URL(config.baseUrl).host : `the ${config.provider} API`;
    return {
      config,
      name: nameOf(config),
      provider: PROVIDERS[config.provider](config),
      host,
      timeouts: 0,
      restsUntil: 0,
    };
  });
  return { names: candidates.map(({ name }) => name), ask: (request) => askInOrder(candidates, request, metrics) };
}

function keyMissing(index: number): Problem {
  const fix = 'set apiKey, or baseUrl for a server that wants no key';
  return { field: `models.${index}.apiKey`, message: 'is missing', fix };
}

async function askInOrder(
  candidates: readonly Candidate[],
  request: ModelRequest,
  metrics: Metrics,
): Promise<ModelAnswer> {
  const question = questionOf(request);
  const failedOver: string[] = [];
  const endsAt = Date.now() + Math.max(ASK_SECONDS_MAX, candidates[0]?.config.timeoutSeconds ?? 0) * 1000;
  for (const candidate of candidates) {
    if (candidate.restsUntil > Date.now()) {
      failedOver.push(`${candidate.name}: it did not answer a moment ago, so it is left alone for now`);
      continue;
    }
    const started = performance.now();
    const observe = (outcome: string) => {
      metrics.modelCalls.observe(
        { role: request.role, model: candidate.name, outcome },
        (performance.now() - started) / 1000,
      );
    };
    try {
      const { reply, json } = await askOne(candidate, question, endsAt);
      observe('ok');
      candidate.timeouts = 0;
      return answerOf(candidate, reply, { json, durationMs: performance.now() - started, failedOver });
    } catch (failure) {
      if (!(failure instanceof ModelFailure)) throw failure;
      observe(failure.outcome);
      failedOver.push(`${candidate.name}: ${withoutKey(failure.message, candidate.config)}`);
      candidate.timeouts = failure.outcome === 'timeout' ? candidate.timeouts + 1 : 0;
      if (candidate.timeouts >= TIMEOUTS_MAX)
        Object.assign(candidate, { timeouts: 0, restsUntil: Date.now() + REST_MS });
      if (failure.outcome === 'aborted') break;
    }
  }
  if (candidates.length === 0) {
    throw new NightshiftError(
      'llm_failed',
      `no model is configured for the ${request.role} question. Fix: add one under models, or set ANTHROPIC_API_KEY or OPENAI_API_KEY`,
    );
  }
  throw new NightshiftError('llm_failed', `no model answered the ${request.role} question: ${failedOver.join('; ')}`);
}

function questionOf(request: ModelRequest): Question {
  const names = toolNames(request.tools ?? []);
  const output = request.output
    ? { name: names.toWire(request.output.name), schema: portableSchema(request.output.schema) }
    : null;
  return { request: withoutSecrets(request), toolNames: names, output };
}

/** Asks one model. @throws ModelFailure for everything that goes wrong on the way or with the answer. */
async function askOne(
  { config, provider, host }: Candidate,
  question: Question,
  endsAt: number,
): Promise<{ reply: Reply; json: unknown }> {
  const { signal } = question.request;
  const timeoutSeconds = Math.min(config.timeoutSeconds, Math.max(1, Math.round((endsAt - Date.now()) / 1000)));
  // The SDKs' own timeout ends with the headers; this one covers the body as well.
  const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
  try {
    signal.throwIfAborted();
    const reply = await provider(question, AbortSignal.any([signal, deadline]));
    return { reply, json: usable(reply, question) };
  } catch (error) {
    throw failureOf(error, { callerAborted: signal.aborted, deadlinePassed: deadline.aborted, timeoutSeconds, host });
  }
}

/** Gives the parsed JSON of an answer that can be used, null where none was asked for. @throws ModelFailure otherwise. */
function usable(reply: Reply, { request, output }: Question): unknown {
  const { text, toolCalls, stopReason, refusal } = reply;
  if (stopReason === 'refusal') {
    const category = refusal && /^\w{1,40}$/.test(refusal) ? ` (${refusal})` : '';
    throw new ModelFailure('refused', `it refused to answer${category}`);
  }
  const cutOff = stopReason === 'length' ? `, cut off at the limit of ${request.maxTokens} tokens (maxTokens)` : '';
  // A call cut short can look whole and lack the argument that made it harmless.
  if (toolCalls.length > 0 && cutOff) throw new ModelFailure('invalid', `its tool calls may be incomplete${cutOff}`);
  if (toolCalls.length > 0) return null;
  if (request.toolChoice === 'required' && request.tools?.length) {
    throw new ModelFailure('empty', `it called no tool though it had to${cutOff}`);
  }
  if (text.trim() === '') throw new ModelFailure('empty', `its answer is empty${cutOff}`);
  if (!output) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new ModelFailure('invalid', `its answer is not the JSON asked for${cutOff}`);
  }
}

function answerOf(
  candidate: Candidate,
  reply: Reply,
  rest: Pick<ModelAnswer, 'json' | 'durationMs' | 'failedOver'>,
): ModelAnswer {
  const { text, toolCalls, usage, original } = reply;
  // Some servers say that they simply stopped when they stopped to call a tool.
  const stopReason: StopReason = toolCalls.length > 0 ? 'tool_calls' : reply.stopReason;
  return {
    provider: candidate.config.provider,
    model: candidate.config.model,
    text,
    toolCalls,
    stopReason,
    usage,
    ...rest,
    turn: {
      role: 'assistant',
      content: text,
      ...(toolCalls.length > 0 ? { toolCalls } : {}),
      ...(original === undefined ? {} : { original: { model: candidate.name, content: original } }),
    },
  };
}

/** A server may send the key back inside an identifier that we would pass on. Anything shorter than 8 characters is no secret. */
function withoutKey(text: string, { apiKey = '' }: ModelConfig): string {
  return apiKey.length >= 8 ? text.replaceAll(apiKey, '[key]') : text;
}
