import { randomUUID } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import type { Identity, Principal } from '../identity/index.ts';
import { isInitializeRequest } from '../mcp-sdk/index.ts';
import { StreamableHTTPServerTransport } from '../mcp-sdk/server-http.ts';
import type { Judged, ResourceServer } from './oauth.ts';
import type { McpPorts } from './ports.ts';
import { createMcpServer, type McpExtension } from './server.ts';

const BODY_MAX = 256 * 1024;
const SESSIONS_MAX = 100;
/** So that nobody can keep all others out. */
const SESSIONS_OF_ONE_MAX = 40;
const IDLE_MS = 30 * 60_000;
const SWEEP_MS = 60_000;

interface Session {
  readonly transport: StreamableHTTPServerTransport;
  /** Only the token's own person, in the same role and scopes, goes on with a session. */
  readonly principal: Principal;
  seenAt: number;
}

interface Http extends McpPorts {
  readonly identity: Pick<Identity, 'ofToken'>;
  /** Hosts, with their ports, under which this server is asked; a page that got another name resolved to us is refused. */
  readonly hosts: () => readonly string[];
  /** Judges access tokens of an issuer; null where only personal tokens count. */
  readonly oauth: ResourceServer | null;
  /** Offers more than the server's own tools, resources and prompts, behind the same door; nothing where it is left out. */
  readonly extend?: McpExtension | undefined;
}

/** The MCP endpoint, and how its sessions end with the server. */
export interface McpRouter {
  readonly router: Router;
  readonly close: () => Promise<void>;
}

/**
 * Makes `/mcp` over Streamable HTTP: a bearer token of a person (ours, or an issuer's), a known Host, no Origin but a known one, and at
 * most 100 sessions, 40 of one person, which end after 30 minutes of silence; whoever begins another ends their own longest silent one. An id that this process does not know gets 404, so that the client starts
 * anew.
 * @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
 */
export function createMcpRouter({ identity, hosts, oauth, extend = () => {}, ...ports }: Http): McpRouter {
  const sessions = new Map<string, Session>();
  const end = (id: string, { transport }: Session) => {
    sessions.delete(id);
    void transport.close();
  };
  const endOldestOf = (name: string) => {
    const own = [...sessions].filter(([, { principal }]) => principal.name === name);
    if (own.length < SESSIONS_OF_ONE_MAX) return;
    const [oldest] = own.sort(([, a], [, b]) => a.seenAt - b.seenAt);
    if (oldest) end(...oldest);
  };
  const sweep = setInterval(() => {
    for (const [id, session] of sessions) if (Date.now() - session.seenAt > IDLE_MS) end(id, session);
  }, SWEEP_MS).unref();

  const router = Router();
  router.use(async (request, response, next) => {
    const { host = '', origin } = request.headers;
    const known = new Set(hosts().map((name) => name.toLowerCase()));
    const isKnownOrigin = origin === undefined || (URL.canParse(origin) && known.has(new URL(origin).host));
    if (!known.has(host.toLowerCase()) || !isKnownOrigin)
      return refuse(response, 403, 'this Host or Origin is not one of this server. Fix: ask it under its own address');
    const secret = /^Bearer ([^\s]+)$/i.exec(request.headers.authorization ?? '')?.[1];
    forgetToken(request);
    const judged = await judge(secret);
    if ('refused' in judged && judged.refused === 'unavailable') return refuse(response, 503, judged.why);
    if ('refused' in judged) return refuseToken(response, judged, { oauth, isGiven: secret !== undefined });
    response.locals.principal = judged.principal;
    next();
  });

  router.use(express.json({ limit: BODY_MAX }));

  router.post('/', async (request, response) => {
    const principal = response.locals.principal as Principal;
    const id = request.headers['mcp-session-id'];
    if (id === undefined && isInitializeRequest(request.body)) {
      endOldestOf(principal.name);
      if (sessions.size >= SESSIONS_MAX)
        return refuse(response, 503, 'too many sessions are open. Fix: try again later');
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (made) => void sessions.set(made, { transport, principal, seenAt: Date.now() }),
        onsessionclosed: (gone) => void sessions.delete(gone),
      });
      await createMcpServer(ports, principal, extend).connect(transport as never);
      return transport.handleRequest(request, response, request.body);
    }
    return pass(request, response);
  });
  router.get('/', pass);
  router.delete('/', pass);

  async function judge(secret: string | undefined): Promise<Judged> {
    // A JWT has three parts, and a personal token one.
    if (oauth !== null && secret?.split('.').length === 3) return oauth.judge(secret);
    const principal = secret === undefined ? null : await identity.ofToken(secret);
    const why = 'no personal token of this Nightshift. Fix: send one as Authorization: Bearer …';
    return principal ? { principal } : { refused: 'invalid_token', why };
  }

  async function pass(request: Request, response: Response): Promise<void> {
    const id = request.headers['mcp-session-id'];
    if (typeof id !== 'string') return refuse(response, 400, 'no Mcp-Session-Id. Fix: begin with initialize');
    const session = sessions.get(id);
    const principal = response.locals.principal as Principal;
    // Another person's session is as unknown as none; one that was opened with another role, or other scopes, would go on with those.
    if (!session || worthOf(session.principal) !== worthOf(principal))
      return refuse(response, 404, 'there is no such session here. Fix: begin with initialize');
    session.seenAt = Date.now();
    await session.transport.handleRequest(request, response, request.body);
  }

  return {
    router,
    close: async () => {
      clearInterval(sweep);
      await Promise.allSettled([...sessions.values()].map(({ transport }) => transport.close()));
      sessions.clear();
    },
  };
}

function worthOf({ name, role, scopes }: Principal): string {
  return JSON.stringify([name, role, scopes ?? null]);
}

/** Nothing behind this door needs the token, so nothing there can keep it or hand it on. */
function forgetToken({ rawHeaders }: Request): void {
  // The SDK reads these, and shows tools what it finds.
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2)
    if (rawHeaders[at]?.toLowerCase() === 'authorization') rawHeaders.splice(at, 2);
}

/** Says no as RFC 6750 has it, and by RFC 9728 where a token is to be had. */
function refuseToken(
  response: Response,
  { refused, why }: Extract<Judged, { refused: string }>,
  { oauth, isGiven }: { oauth: ResourceServer | null; isGiven: boolean },
): void {
  const words = [
    'realm="nightshift"',
    ...(isGiven && oauth ? [`error="${refused}"`] : []),
    ...(oauth ? [`resource_metadata="${oauth.metadataUrl}"`] : []),
    ...(oauth?.scope ? [`scope="${oauth.scope}"`] : []),
  ];
  response.setHeader('www-authenticate', `Bearer ${words.join(', ')}`);
  refuse(response, refused === 'invalid_token' ? 401 : 403, why);
}

function refuse(response: Response, status: number, message: string): void {
  response.status(status).json({ jsonrpc: '2.0', id: null, error: { code: -32_000, message } });
}
