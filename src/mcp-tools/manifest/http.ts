import { type Dispatcher, fetch } from 'undici';
import { z } from 'zod';
import { messageOf } from '../../errors.ts';
import { mayHaveArrived, saysNothing } from '../http/may-have-arrived.ts';
import { readBody } from '../http/read-body.ts';
import { cutShort } from '../tool.ts';
import type { Driver, HttpRequest } from './drivers.ts';

const RESPONSE_BYTES_MAX = 4 * 1024 * 1024;
const MESSAGE_MAX = 500;

/** How an instance is reached: its base URL, what proves who we are, and the connection where it is not a plain one. */
export interface Endpoint {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** For a socket file, or certificates of its own. */
  readonly dispatcher?: Dispatcher;
}

/**
 * Makes the driver for one HTTP request, answered in JSON, text where it is none. No redirect is followed, since it would carry the
 * credentials to where nobody declared. `name` is what people call the system, and `explain` reads its own words out of an error.
 * The driver @throws OutcomeUnknown where a change may have been made although no answer says so.
 */
export function httpDriver<Settings>(
  name: string,
  endpointOf: (settings: Settings) => Endpoint | Promise<Endpoint>,
  explain: (body: unknown) => string | null = () => null,
): Driver<HttpRequest, Settings> {
  return async ({ method, path, query, headers, body, expect }, { settings, signal, readOnly }) => {
    const isChange = !readOnly && method !== 'GET';
    const endpoint = await endpointOf(settings);
    const url = new URL(endpoint.url.replace(/\/+$/, '') + path);
    for (const [key, value] of Object.entries(query))
      for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(key, textOf(one));
    const at = `${name} at ${url.origin === 'null' ? url.host : url.origin}`;
    const asked = `${method} ${url.pathname}`;
    let response: Awaited<ReturnType<typeof fetch>>;
    try {
      response = await fetch(url, {
        method,
        headers: {
          accept: 'application/json',
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
          ...endpoint.headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        redirect: 'manual',
        signal,
        ...(endpoint.dispatcher ? { dispatcher: endpoint.dispatcher } : {}),
      });
    } catch (cause) {
      if (signal.aborted)
        throw cutShort(`${at} did not answer in time`, isChange, {
          cause,
          fix: 'look whether it is overloaded or hung',
        });
      const fix = 'check that it runs, and the address in the settings of this toolset';
      const why = `cannot reach ${at}: ${messageOf(cause)}`;
      throw cutShort(why, isChange && mayHaveArrived(cause, signal), { cause, fix });
    }
    const read = await readBody(response.body as ReadableStream<Uint8Array> | null, RESPONSE_BYTES_MAX);
    if (read.error) throw cutShort(`${at} broke off its answer to ${asked}: ${messageOf(read.error)}`, isChange);
    if (!read.whole)
      throw cutShort(`${at} answered ${asked} with more than ${RESPONSE_BYTES_MAX / 1024 / 1024} MiB`, isChange, {
        fix: 'ask for less',
      });
    const answer = parse(read.bytes.toString('utf8'));
    const { status } = response;
    if (expect ? expect.includes(status) : status >= 200 && status < 300) return answer;
    const said = explain(answer) ?? (typeof answer === 'string' ? answer : JSON.stringify(answer));
    const fix = FIXES[status];
    const why = `${at} answered ${asked} with ${status}: ${said.slice(0, MESSAGE_MAX)}`;
    throw cutShort(why, isChange && saysNothing(status), fix ? { fix } : {});
  };
}

const FIXES: Readonly<Record<number, string>> = {
  301: 'set the address of this toolset to the one that answers itself',
  302: 'set the address of this toolset to the one that answers itself',
  401: 'correct the credentials in the settings of this toolset',
  403: 'give the account of this toolset this permission, if it may do this',
};

function parse(text: string): unknown {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    return text;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
