/** A double of the Kubernetes API over HTTPS: it keeps state, enforces roles and versions, and validates all that goes in and out against the published API types. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { makeCertificate } from './kubernetes/certificate.ts';
import { reconcile } from './kubernetes/controllers.ts';
import { type Access, type Kubectl, kubectlFor } from './kubernetes/kubectl.ts';
import type { Pace } from './kubernetes/kubelet.ts';
import { type Account, authorize } from './kubernetes/rbac.ts';
import { discovery, type KubeObject, RESOURCES, type Resource, resourceOfKind } from './kubernetes/resources.ts';
import { type Answer, type Parsed, respond, type World } from './kubernetes/respond.ts';
import { misfits } from './kubernetes/schema.ts';
import { matchesFieldSelector, matchesLabelSelector } from './kubernetes/selectors.ts';
import { badRequest, invalid, Refusal } from './kubernetes/status.ts';
import { createStore, now, type Store } from './kubernetes/store.ts';

const TICK_MS = 15;
const ADMIN: Account = { user: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

export interface Kubernetes {
  readonly url: string;
  readonly ca: string;
  /** How an administrator reaches it. */
  readonly admin: Access;
  readonly kubectl: Kubectl;
  readonly store: Store;
  readonly pace: Pace;
  /** What containers wrote: `namespace/pod/container`, with `/previous` for the run before. */
  readonly logs: Map<string, readonly string[]>;
  /** Every request that it was sent, in order. */
  readonly requests: Parsed[];
  /** Answers that did not fit the published types: a fault of the double itself. */
  readonly faults: string[];
  /** Makes an object as if somebody had applied it. */
  readonly create: (object: object) => void;
  /** Makes a service account and gives a token for it. */
  readonly account: (namespace: string, name: string) => Access;
  /** What a test does right before a request is answered, or has against it: a text is an admission webhook's refusal. */
  interfere: (request: Parsed) => string | null | undefined;
  /** Whether the metrics API is installed. */
  hasMetrics: boolean;
  readonly close: () => Promise<void>;
}

/**
 * Starts an empty cluster on a free port of 127.0.0.1, with its certificate, controllers and administrator; a `bare` one is an API server
 * without controllers, scheduler, kubelets and metrics.
 */
export async function startKubernetes(
  pace: Pace = { readyMs: 60, terminationMs: 40 },
  { bare = false } = {},
): Promise<Kubernetes> {
  const { key, cert } = makeCertificate();
  const store = createStore();
  const accounts = new Map<string, Account>();
  const token = randomUUID();
  accounts.set(token, ADMIN);
  const world: Omit<World, 'user'> = { store, logs: new Map(), deny: () => denied };
  let denied: string | null = null;
  const server = createServer({ key, cert }, (request, response) => {
    void handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const beat = setInterval(() => bare || reconcile(store, pace), TICK_MS);

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://double');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const send = ({ code, body, type }: Answer) => {
      const faults = type === null ? [] : misfits(body, type);
      if (faults.length > 0) double.faults.push(`${request.method} ${url.pathname}: ${faults.join(', ')}`);
      response.writeHead(code, { 'content-type': type === null ? 'text/plain' : 'application/json' });
      response.end(type === null ? String(body) : JSON.stringify(body));
    };
    try {
      const account = accounts.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
      if (!account) throw new Refusal(401, 'Unauthorized', 'Unauthorized');
      const has = ({ group }: Resource) => group !== 'metrics.k8s.io' || double.hasMetrics;
      const found = discovery(url.pathname, has);
      if (found) return send({ code: 200, ...found });
      const parsed = parse(request, url, Buffer.concat(chunks).toString('utf8'), has);
      if (!parsed) return send({ code: 404, body: '404 page not found\n', type: null });
      double.requests.push(parsed);
      authorize(store, account, parsed);
      denied = double.interfere(parsed) ?? null;
      if (parsed.verb === 'watch') return watch(parsed, store, request, response);
      send(aboutAccounts(parsed, account) ?? respond(parsed, { ...world, user: account.user }));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      send({ code: error.code, body: error.body, type: 'V1Status' });
    }
  }

  /** What only those who know the tokens can answer: whether one may do something, and a new token. */
  function aboutAccounts({ resource, subresource, namespace, name = '', body }: Parsed, who: Account): Answer | null {
    if (resource.kind === 'SelfSubjectAccessReview') {
      const review = body as { spec: { resourceAttributes: Record<string, string> } };
      const faults = misfits(review, 'V1SelfSubjectAccessReview');
      if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
      const { group = '', resource: plural, verb = '', ...rest } = review.spec.resourceAttributes;
      const about = RESOURCES.find((one) => one.group === group && one.plural === plural);
      let allowed = who.groups.includes('system:masters');
      try {
        if (about) authorize(store, who, { ...rest, verb, resource: about });
        allowed ||= about !== undefined;
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
      }
      return { code: 201, body: { ...review, metadata: {}, status: { allowed } }, type: 'V1SelfSubjectAccessReview' };
    }
    if (subresource !== 'token') return null;
    const faults = misfits(body, 'AuthenticationV1TokenRequest');
    if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
    store.get(resource, namespace, name);
    const { expirationSeconds = 3600 } = (body as { spec: { expirationSeconds?: number } }).spec;
    if (expirationSeconds < 600)
      throw invalid(
        resource,
        name,
        'spec.expirationSeconds',
        'Invalid value: may not specify a duration less than 10 minutes',
      );
    const status = {
      token: double.account(namespace ?? '', name).token,
      expirationTimestamp: now(Date.now() + expirationSeconds * 1000),
    };
    const answered = { ...(body as object), metadata: { name, namespace }, status };
    return { code: 201, body: answered, type: 'AuthenticationV1TokenRequest' };
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = `https://127.0.0.1:${address.port}`;
  const admin = { url, ca: cert, token };
  const kubectl = kubectlFor(admin);
  const double: Kubernetes = {
    url,
    ca: cert,
    admin,
    kubectl,
    store,
    pace,
    logs: world.logs as Map<string, readonly string[]>,
    requests: [],
    faults: [],
    create(object) {
      const { kind = '', metadata } = object as KubeObject;
      store.create(resourceOfKind(kind), metadata.namespace, object as KubeObject);
    },
    account(namespace, name) {
      if (!store.find('ServiceAccount', namespace, name))
        double.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name } });
      const own = randomUUID();
      accounts.set(own, {
        user: `system:serviceaccount:${namespace}:${name}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      });
      return { url, ca: cert, token: own };
    },
    interfere: () => null,
    hasMetrics: !bare,
    close: async () => {
      clearInterval(beat);
      kubectl.remove();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return double;
}

const VERBS: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const PATH =
  /^\/(?:api|apis\/(?<group>[^/]+))\/(?<version>[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+)(?:\/(?<subresource>[^/]+))?)?$/;

/** Takes a request apart; undefined for a path that the API does not have. */
function parse(
  { method = 'GET', headers }: IncomingMessage,
  { pathname, searchParams: query }: URL,
  text: string,
  has: (resource: Resource) => boolean,
): Parsed | undefined {
  const path = pathname.replace(
    /^\/api\/v1\/namespaces\/([^/]+(?:\/(?:status|finalize))?)$/,
    '/api/v1/namespaces/-/namespaces/$1',
  );
  const { group = '', version, namespace, plural, name, subresource } = PATH.exec(path)?.groups ?? {};
  const resource = RESOURCES.filter(has).find(
    (one) => one.group === group && one.version === version && one.plural === plural,
  );
  const isKnown = subresource === undefined || (resource?.subresources as readonly string[])?.includes(subresource);
  if (!resource || !isKnown) return undefined;
  const mediaType = (headers['content-type'] ?? '').split(';')[0] ?? '';
  let body: unknown;
  try {
    body = text === '' ? undefined : JSON.parse(text);
  } catch {
    throw badRequest(`couldn't read the body as JSON (${mediaType})`);
  }
  const isWatch = ['1', 'true'].includes(query.get('watch') ?? '');
  const own = method === 'GET' ? (name !== undefined ? 'get' : isWatch ? 'watch' : 'list') : VERBS[method];
  const verb = own === 'delete' && name === undefined ? 'deletecollection' : own;
  if (verb === undefined || (verb === 'deletecollection' && !resource.verbs.includes(verb)))
    throw new Refusal(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource');
  return {
    verb,
    resource,
    subresource,
    namespace: resource.namespaced ? namespace && decodeURIComponent(namespace) : undefined,
    name: name === undefined ? undefined : decodeURIComponent(name),
    query,
    mediaType,
    body,
  };
}

/** Sends what happens, one JSON object a line, until the client goes or its time is up. */
function watch(
  { resource, namespace, query }: Parsed,
  store: Store,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
  const isAsked = (object: KubeObject) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesLabelSelector(query.get('labelSelector') ?? '', object.metadata.labels) &&
    matchesFieldSelector(query.get('fieldSelector') ?? '', resource, object);
  response.writeHead(200, { 'content-type': 'application/json' });
  response.flushHeaders();
  const write = (type: string, object: KubeObject) =>
    response.write(`${JSON.stringify({ type, object: { ...object, kind: resource.kind, apiVersion } })}\n`);
  const after = Number(query.get('resourceVersion') ?? 0);
  if (after === 0) for (const object of store.list(resource.kind, namespace).filter(isAsked)) write('ADDED', object);
  const stop = store.watch(after === 0 ? store.version() : after, (event) => {
    if (event.resource === resource && isAsked(event.object)) write(event.type, event.object);
  });
  const seconds = Number(query.get('timeoutSeconds') ?? 0);
  const timer = seconds > 0 ? setTimeout(() => response.end(), seconds * 1000) : undefined;
  request.socket.on('close', stop);
  response.on('close', () => {
    stop();
    clearTimeout(timer);
  });
}
