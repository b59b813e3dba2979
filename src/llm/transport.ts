/** How requests to the providers travel: the same for every SDK, with nothing taken from the environment behind our back. */
import { type Dispatcher, getGlobalDispatcher, fetch as undiciFetch } from 'undici';

type Fetch = typeof globalThis.fetch;

// Node's fetch gives up after 300 s without headers, which a slow model on own hardware may need; the caller's deadline decides instead.
const withoutOwnTimeouts: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, handler);

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
