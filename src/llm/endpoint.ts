/** One configured model: where it is asked, what it costs, what it may be sent, and whether it is well. */
import { type ModelConfig, modelName } from '../config/index.ts';
import { usable } from './answer.ts';
import { type Breaker, type BreakerState, createBreaker } from './breaker.ts';
import { Budget, type Need, type Reservation } from './budget.ts';
import type { Clock } from './clock.ts';
import { failureOf, isSdkError, ModelFailure } from './failure.ts';
import { loadProvider } from './load-provider.ts';
import { contextTokensOf, costOf, type PaidTokens, type Price, priceOf } from './prices.ts';
import type { Provider, Question, Reply } from './provider.ts';
import { tokensOf } from './question.ts';
import { retryAfterOf } from './rate-headers.ts';
import { Speed } from './route.ts';

/** How long an endpoint is left alone that says it had enough and not for how long. */
const LIMITED_MS = 2_000;

export interface Endpoint {
  readonly name: string;
  readonly config: ModelConfig;
  readonly host: string;
  readonly provider: Provider;
  readonly price: Price | null;
  /** How much it can read at once, in tokens. */
  readonly contextTokens: number;
  readonly budget: Budget;
  readonly breaker: Breaker;
  readonly speed: Speed;
}

/** How one question to one endpoint ended: with an answer that can be used, or a failure; what came back may be there with either. */
export interface Asked {
  readonly reply: Reply | null;
  readonly json: unknown;
  readonly failure: ModelFailure | null;
  readonly costUsd: number | null;
  readonly latencyMs: number;
  /** When the endpoint said that it may be asked again, in milliseconds since 1970; null where it did not. */
  readonly askAgainAt: number | null;
}

/** Makes the endpoint of one configured model; `onBreaker` is told whenever it is left alone or asked again. */
export function createEndpoint(
  config: ModelConfig,
  { clock, onBreaker }: { clock: Clock; onBreaker: (state: BreakerState) => void },
): Endpoint {
  return {
    name: modelName(config),
    config,
    host: config.baseUrl ? new URL(config.baseUrl).host : `the ${config.provider} API`,
    provider: providerOf(config),
    price: priceOf(config),
    contextTokens: contextTokensOf(config),
    budget: new Budget(config.limits, clock.now),
    breaker: createBreaker(onBreaker),
    speed: new Speed(clock.now),
  };
}

/** Asks one endpoint once, for at most `timeoutSeconds`, in the room that was reserved for it. */
export async function askEndpoint(
  { config, host, provider, price, budget, breaker, speed }: Endpoint,
  question: Question,
  { reservation, timeoutSeconds, clock }: { reservation: Reservation; timeoutSeconds: number; clock: Clock },
): Promise<Asked> {
  const { signal } = question.request;
  const started = performance.now();
  let reply: Reply | null = null;
  let askAgainAt: number | null = null;
  const onHeaders = (headers: Headers) => budget.hear(headers, reservation);
  const ask = async () => {
    // The SDKs' own timeout ends with the headers; this one covers the body as well.
    const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
    try {
      signal.throwIfAborted();
      reply = await provider(question, { signal: AbortSignal.any([signal, deadline]), onHeaders });
      return usable(reply, question);
    } catch (error) {
      const headers = isSdkError(error) ? error.headers : undefined;
      if (headers) {
        const wanted = retryAfterOf(headers, clock.now());
        if (wanted !== null) askAgainAt = clock.now() + wanted;
        budget.hear(headers, reservation, askAgainAt ?? undefined);
      }
      const isCutShort = timeoutSeconds < config.timeoutSeconds / 2;
      const about = {
        callerAborted: signal.aborted,
        deadlinePassed: deadline.aborted,
        timeoutSeconds,
        isCutShort,
        host,
      };
      throw failureOf(error, about);
    }
  };
  let json: unknown = null;
  let failure: ModelFailure | null = null;
  try {
    json = await breaker.run(ask);
  } catch (error) {
    if (!(error instanceof ModelFailure)) throw error;
    failure = error;
  }
  const latencyMs = performance.now() - started;
  if (askAgainAt !== null) budget.rest(askAgainAt);
  else if (failure?.outcome === 'limited') budget.rest(clock.now() + LIMITED_MS);
  if (!failure) speed.note(latencyMs);
  const estimate = reservation.need;
  budget.settle(reservation, tookOf(estimate, reply, failure));
  const costUsd = price && reply ? costOf(price, paidOf(reply, estimate)) : null;
  const reason = failure && new ModelFailure(failure.outcome, withoutKey(failure.message, config));
  return { reply, json, failure: reason, costUsd, latencyMs, askAgainAt };
}

/** Has a provider loaded from now on. */
function providerOf(config: ModelConfig): Provider {
  let loaded = loadProvider(config);
  // Whoever asks is told, and has it tried again.
  loaded.catch(() => {});
  return async (question, options) => {
    const provider = await loaded.catch(() => (loaded = loadProvider(config)));
    return provider(question, options);
  };
}

/** What a call took of the limits: what the provider counted, nothing where it refused, and the estimate where nobody knows. */
function tookOf(estimate: Need, reply: Reply | null, failure: ModelFailure | null): Need | null {
  const { inputTokens = 0, outputTokens = 0 } = reply?.usage ?? {};
  if (inputTokens + outputTokens > 0)
    return { requests: 1, tokens: inputTokens + outputTokens, inputTokens, outputTokens };
  if (failure?.outcome === 'unreachable') return null;
  const isRefused = failure && ['limited', 'rejected', 'unavailable'].includes(failure.outcome);
  return isRefused ? { requests: 1, tokens: 0, inputTokens: 0, outputTokens: 0 } : estimate;
}

/** What is paid for; where a server does not count, about as much as was sent and came back, since a ceiling must hold. */
function paidOf({ usage, cacheWriteTokens = 0, text, toolCalls }: Reply, { inputTokens }: Need): PaidTokens {
  if (usage.inputTokens + usage.outputTokens > 0) return { ...usage, cacheWriteTokens };
  const outputTokens = tokensOf(text.length + (toolCalls.length > 0 ? JSON.stringify(toolCalls).length : 0));
  return { inputTokens, outputTokens, cachedInputTokens: 0, cacheWriteTokens: 0 };
}

/** A server may send the key back inside an identifier that we would pass on. Anything shorter than 8 characters is no secret. */
function withoutKey(text: string, { apiKey = '' }: ModelConfig): string {
  return apiKey.length >= 8 ? text.replaceAll(apiKey, '[key]') : text;
}
