/** How requests to the providers travel: the same for every SDK, with nothing taken from the environment behind our back. */
import { type Dispatcher, getGlobalDispatcher, fetch as undiciFetch } from 'undici';

type Fetch = typeof globalThis.fetch;

// Node's fetch gives up after 300 s without headers, which a slow model on own hardware may need; the caller's deadline decides instead.
const withoutOwnTimeouts: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler);

/** What both SDKs would add to every request, whoever set it for another program of this machine. */
const HEADERS_OF_ENVIRONMENT = ['ANTHROPIC_CUSTOM_HEADERS', 'OPENAI_CUSTOM_HEADERS'];

/** Makes an SDK's client with those variables hidden, since the SDKs read them as they are made and have no option against it. */
export function withoutHeadersOfEnvironment<T>(make: () => T): T {
  const hidden = HEADERS_OF_ENVIRONMENT.map((name) => [name, process.env[name]] as const);
  try {
    for (const [name] of hidden) delete process.env[name];
    return make();
  } finally {
    for (const [name, value] of hidden) if (value !== undefined) process.env[name] = value;
  }
}

/** Told of an answer's headers before its body is looked at. */
export type OnHeaders = (headers: Headers) => void;

/**
 * A fetch that waits as long as its signal allows, follows no redirect (a prompt goes only where the operator sent it),
 * and keeps to the process's proxy settings.
 */
export const modelFetch = ((input: string, init?: Parameters<typeof undiciFetch>[1]) =>
  undiciFetch(input, {
    ...init,
    redirect: 'manual',
    dispatcher: getGlobalDispatcher().compose(withoutOwnTimeouts),
  })) as unknown as Fetch;
