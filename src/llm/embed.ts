/** Embeddings over OpenAI's API, which Ollama, vLLM, Voyage and others speak too. See https://platform.openai.com/docs/api-reference/embeddings */
import type OpenAI from 'openai';
import { z } from 'zod';
import { PROVIDERS, type RemoteEmbeddingsConfig } from '../config/index.ts';
import { describeProblems, NightshiftError } from '../errors.ts';
import { redact, withSpan } from '../telemetry/index.ts';
import { failureOf, isSdkError, ModelFailure, type Outcome } from './failure.ts';
import { NO_KEY } from './provider.ts';
import { modelFetch, withoutHeadersOfEnvironment } from './transport.ts';

/** Turns texts into vectors of one length, at least one text, without their secrets; `signal` gives up before the configured time. */
export type Vectors = (texts: readonly string[], signal?: AbortSignal) => Promise<number[][]>;

const { baseUrl: BASE_URL } = PROVIDERS.openai;
/** In characters: about 2,000 tokens, so that neither a question nor a past incident outgrows a request. */
const TEXT_MAX = 8000;
/** A text that a model with a short memory refuses is cut down to this before it is given up. */
const TEXT_MIN = 250;

// A vector is kept in single precision, and one of zeros has no direction.
const replySchema = z.looseObject({
  data: z.array(
    z.looseObject({
      index: z.number().int().min(0).nullish(),
      embedding: z.array(z.number().refine((value) => Number.isFinite(Math.fround(value)))).min(1),
    }),
  ),
});

const FIXES: Partial<Record<Outcome, string>> = {
  rejected: 'check embeddings.model, embeddings.apiKey and embeddings.dimensions',
  invalid: 'check embeddings.baseUrl',
  unreachable: 'check embeddings.baseUrl, and that it runs',
};

/**
 * Makes the client of one endpoint for embeddings. A request that it calls too large or invalid is sent again in halves, then with
 * shorter texts; nothing else is repeated here.
 * @throws NightshiftError `llm_failed` when the endpoint does not answer as it should; `invalid_config` when what it answers cannot
 *   be used at all: vectors of different lengths, or of more than 4,000 numbers.
 */
export function createVectors(config: RemoteEmbeddingsConfig): Vectors {
  const { model, dimensions, timeoutSeconds } = config;
  const baseURL = config.baseUrl ?? BASE_URL;
  const { host } = new URL(baseURL);
  let client: Promise<OpenAI> | undefined;
  let known = dimensions ?? null;

  function openClient(): Promise<OpenAI> {
    client ??= createClient(config, baseURL).catch((error: unknown) => {
      client = undefined;
      throw error;
    });
    return client;
  }

  async function send(texts: readonly string[], signal: AbortSignal): Promise<number[][]> {
    const reply: unknown = await (await openClient()).embeddings.create(
      { model, input: [...texts], encoding_format: 'float', ...(dimensions === undefined ? {} : { dimensions }) },
      { signal },
    );
    const { data } = replySchema.parse(reply);
    const vectors = data.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0)).map(({ embedding }) => embedding);
    if (vectors.length !== texts.length)
      throw new ModelFailure('invalid', `it gave ${vectors.length} vectors for ${texts.length} texts`);
    for (const { length } of vectors) {
      if (length > 4000) throw unusable(length, 'is more than the 4,000 numbers that can be indexed');
      known ??= length;
      if (length !== known) throw unusable(length, `is not the ${known} numbers that its vectors had before`);
    }
    return vectors.map(ofLengthOne);
  }

  function unusable(length: number, message: string): NightshiftError {
    const fix = 'set embeddings.dimensions to what the model can give, or name another model';
    const problems = [{ field: 'embeddings.dimensions', value: String(length), message, fix }];
    return new NightshiftError('invalid_config', describeProblems(problems), { problems });
  }

  async function inParts(texts: readonly string[], signal: AbortSignal): Promise<number[][]> {
    try {
      return await send(texts, signal);
    } catch (error) {
      if (!isTooMuch(error)) throw error;
      const [text = ''] = texts;
      if (texts.length === 1) {
        if (text.length <= TEXT_MIN) throw error;
        return inParts([text.slice(0, Math.max(TEXT_MIN, text.length / 2)).toWellFormed()], signal);
      }
      const half = Math.ceil(texts.length / 2);
      return [...(await inParts(texts.slice(0, half), signal)), ...(await inParts(texts.slice(half), signal))];
    }
  }

  async function ask(texts: readonly string[], signal: AbortSignal | undefined): Promise<number[][]> {
    const deadline = AbortSignal.timeout(timeoutSeconds * 1000);
    try {
      // An endpoint may refuse a text without a single character.
      const clean = texts.map((text) => redact(text, TEXT_MAX) || ' ');
      return await inParts(clean, signal ? AbortSignal.any([signal, deadline]) : deadline);
    } catch (cause) {
      if (cause instanceof NightshiftError) throw cause;
      const callerAborted = signal?.aborted ?? false;
      const context = { callerAborted, deadlinePassed: deadline.aborted, timeoutSeconds, host };
      const { message, outcome } = failureOf(cause, context);
      const problems = [
        {
          field: 'embeddings',
          value: `${model} at ${host}`,
          message,
          fix: FIXES[outcome] ?? 'none: it is tried again',
        },
      ];
      throw new NightshiftError('llm_failed', describeProblems(problems), { problems });
    }
  }

  const attributes = {
    'gen_ai.operation.name': 'embeddings',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': model,
  };
  return (texts, signal) => withSpan(`embeddings ${model}`, { kind: 'client', attributes }, () => ask(texts, signal));
}

/** Takes everything from the configuration and nothing from the environment. */
async function createClient({ apiKey, timeoutSeconds }: RemoteEmbeddingsConfig, baseURL: string): Promise<OpenAI> {
  const { default: Client } = await import('openai');
  return withoutHeadersOfEnvironment(
    () =>
      new Client({
        apiKey: apiKey ?? NO_KEY,
        // Taken from the environment unless they are set here.
        baseURL,
        organization: null,
        project: null,
        adminAPIKey: null,
        timeout: timeoutSeconds * 1000,
        maxRetries: 0,
        fetch: modelFetch,
        // Otherwise OPENAI_LOG=debug in the environment would print runbooks.
        logLevel: 'off',
      }),
  );
}

function isTooMuch(error: unknown): boolean {
  return isSdkError(error) && [400, 413, 422].includes(error.status ?? 0);
}

/** The cosine is the same, and no number is too great for half the precision. */
function ofLengthOne(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector);
  return length === 0 ? [...vector] : vector.map((value) => value / length);
}
