import { type Agent, fetch } from 'undici';
import type { FetchLike } from '../../mcp-sdk/index.ts';
import { traceparentHandedOn } from '../handed-on.ts';
import { toolFailed } from '../tool.ts';

/** Of one answer, a stream included, which a server may keep open. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

interface Allowed {
  /** The MCP server. */
  readonly server: URL;
  /** The authorization server, where there is one. */
  readonly issuer: URL | null;
  readonly agent: Agent;
}

/**
 * Makes the only way in which a foreign server is asked over HTTP: its own address, and the declared authorization server, wherever
 * its answers point. No redirect leads elsewhere, the client's secret is posted to the authorization server alone, and no answer is longer than 4 MiB.
 */
export function guardedFetch({ server, issuer, agent }: Allowed): FetchLike {
  return async (address, init) => {
    const url = new URL(address);
    const method = (init?.method ?? 'GET').toUpperCase();
    const isIssuer = url.origin === issuer?.origin;
    // What is posted beside the address itself can only be a sign-in.
    const isServer = url.origin === server.origin && (method === 'GET' || url.href === server.href);
    if (!isServer && !isIssuer)
      throw toolFailed(
        `${server.origin} points to ${url.origin}${url.pathname}, which nobody declared, so it is not asked`,
      );
    const traceparent = traceparentHandedOn();
    // Where one signs in is no part of it.
    const isTraced = traceparent !== undefined && isServer;
    const headers = { ...Object.fromEntries(new Headers(init?.headers)), ...(isTraced ? { traceparent } : {}) };
    const response = await fetch(url, { ...(init as object), headers, redirect: 'manual', dispatcher: agent });
    return bounded(response as unknown as Response);
  };
}

function bounded(response: Response): Response {
  if (response.body === null) return response;
  let left = ANSWER_BYTES_MAX;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      left -= chunk.byteLength;
      if (left < 0) controller.error(toolFailed(`an answer is larger than ${ANSWER_BYTES_MAX / 1024 / 1024} MiB`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(limit), { status, statusText, headers: new Headers([...headers]) });
}
