/** What both of OpenAI's APIs share: the SDK's client, and how its texts are read. */
import OpenAI from 'openai';
import { type ModelConfig, PROVIDERS } from '../config/index.ts';
import { NO_KEY, type Question } from './provider.ts';
import { modelFetch, withoutHeadersOfEnvironment } from './transport.ts';

const { baseUrl: BASE_URL } = PROVIDERS.openai;

export interface OpenAiClient {
  readonly client: OpenAI;
  readonly baseURL: string;
  /** Whether OpenAI itself answers; compatible servers know less. */
  readonly isOpenAi: boolean;
  /** Gives what keeps questions of one kind together, so that they find the cached beginning that they share. */
  cacheKeyOf(question: Question): { prompt_cache_key?: string };
}

/** Makes a client that takes everything from the configuration and nothing from the environment. */
export function openaiClient(config: ModelConfig): OpenAiClient {
  const baseURL = config.baseUrl ?? BASE_URL;
  const isOpenAi = new URL(baseURL).hostname === new URL(BASE_URL).hostname;
  const client = withoutHeadersOfEnvironment(
    () =>
      new OpenAI({
        apiKey: config.apiKey ?? NO_KEY,
        // Taken from the environment unless they are set here.
        baseURL,
        organization: null,
        project: null,
        adminAPIKey: null,
        timeout: config.timeoutSeconds * 1000,
        maxRetries: 0,
        fetch: modelFetch,
        // Otherwise OPENAI_LOG=debug in the environment would print prompts.
        logLevel: 'off',
      }),
  );
  return {
    client,
    baseURL,
    isOpenAi,
    cacheKeyOf: ({ request, systemSha256 }) =>
      isOpenAi ? { prompt_cache_key: `nightshift-${request.role}-${systemSha256.slice(0, 16)}` } : {},
  };
}

/** Reads a call's arguments: parsed JSON, or the text where it is none. */
export function argumentsOf(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** Writes a call's arguments as the text that both APIs take. */
export function argumentsText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? {});
}
