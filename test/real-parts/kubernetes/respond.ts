import type { V1Container, V1DeleteOptions, V1Eviction, V1PodDisruptionBudget } from '@kubernetes/client-node';
import { isReady, type Pod } from './kubelet.ts';
import { applyPatch } from './patch.ts';
import { askPolicies } from './policy.ts';
import { type KubeObject, qualified, type Resource, resourceOfKind } from './resources.ts';
import { misfits, type Raw } from './schema.ts';
import { matchesFieldSelector, matchesLabelSelector, matchesSelector } from './selectors.ts';
import { badRequest, notFound, Refusal, unmet } from './status.ts';
import { now, type Store } from './store.ts';

/** One request, taken apart. */
export interface Parsed {
  readonly verb: string;
  readonly resource: Resource;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly query: URLSearchParams;
  readonly mediaType: string;
  readonly body: unknown;
}

/** An answer, and the API type that it must be of; null for one that is no JSON. */
export interface Answer {
  readonly code: number;
  readonly body: unknown;
  readonly type: string | null;
}

/** What only a test knows: what containers wrote, and what an admission webhook has against a change. */
export interface World {
  /** Who asks. */
  readonly user: string;
  readonly store: Store;
  readonly logs: ReadonlyMap<string, readonly string[]>;
  readonly deny: (request: Parsed, object: unknown) => string | null;
}

/** Answers one request that is allowed. @throws Refusal in the API server's words. */
export function respond(request: Parsed, world: World): Answer {
  const { verb, resource, subresource, namespace, name = '' } = request;
  const { store } = world;
  if (resource.group === 'metrics.k8s.io') return metrics(request, store);
  if (verb === 'list') return list(request, store);
  if (subresource === 'log') return log(request, world);
  if (subresource === 'eviction') return evict(request, world);
  if (subresource === 'scale') return scale(request, world);
  if (verb === 'get') return answer(200, resource, store.get(resource, namespace, name));
  if (verb === 'delete') return remove(request, world);
  if (verb === 'deletecollection') return removeAll(request, world);
  if (subresource === 'finalize') return finalize(request, store);
  const write = {
    dryRun: isDryRun(request.query.getAll('dryRun')),
    statusOnly: subresource === 'status',
    isPatch: verb === 'patch',
  };
  if (verb === 'create') {
    admitInto(request, store);
    admit(request, world, request.body);
    return answer(201, resource, store.create(resource, namespace, request.body as KubeObject, write));
  }
  const changed = store.update(
    resource,
    namespace,
    name,
    (current) => {
      const next =
        verb === 'update' ? request.body : applyPatch(asSent(resource, current), request.body, request.mediaType);
      admit(request, world, next);
      if (subresource === undefined) {
        const object = next as KubeObject;
        askPolicies(store, { user: world.user, operation: 'UPDATE', resource, object, oldObject: current });
      }
      return next;
    },
    write,
  );
  return answer(200, resource, changed);
}

const apiVersionOf = ({ group, version }: Resource) => (group === '' ? version : `${group}/${version}`);
const asSent = (resource: Resource, object: KubeObject): KubeObject => ({
  ...object,
  kind: resource.kind,
  apiVersion: apiVersionOf(resource),
});
const answer = (code: number, resource: Resource, object: KubeObject): Answer => ({
  code,
  body: asSent(resource, object),
  type: resource.type,
});

function isDryRun(values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== 'All');
  if (wrong !== undefined) throw badRequest(`Invalid value: ${JSON.stringify([wrong])}: supported values: "All"`);
  return values.length > 0;
}

function admit(request: Parsed, { deny }: World, object: unknown): void {
  const why = deny(request, object);
  if (why !== null)
    throw new Refusal(403, 'Forbidden', `admission webhook "guard.example.com" denied the request: ${why}`);
}

/** What the API server's own admission has against new content of a namespace. */
function admitInto({ resource, namespace, body }: Parsed, store: Store): void {
  if (namespace === undefined) return;
  const { name = '' } = (body as KubeObject | undefined)?.metadata ?? {};
  const forbidden = (why: string) =>
    new Refusal(403, 'Forbidden', `${qualified(resource)} ${JSON.stringify(name)} is forbidden: ${why}`);
  if (store.find('Namespace', undefined, namespace)?.metadata.deletionTimestamp !== undefined)
    throw forbidden(`unable to create new content in namespace ${namespace} because it is being terminated`);
  if (resource.kind !== 'Pod') return;
  const { serviceAccountName = 'default' } = ((body as Pod).spec ?? {}) as { serviceAccountName?: string };
  if (!store.find('ServiceAccount', namespace, serviceAccountName))
    throw forbidden(
      `error looking up service account ${namespace}/${serviceAccountName}: serviceaccount "${serviceAccountName}" not found`,
    );
}

/** Gives a namespace other finalizers; one that is being deleted goes with the last. */
function finalize({ resource, name = '', body }: Parsed, store: Store): Answer {
  const { finalizers = [] } = ((body as KubeObject).spec ?? {}) as { finalizers?: string[] };
  const changed = store.update(resource, undefined, name, (current) => ({
    ...current,
    spec: finalizers.length > 0 ? { finalizers } : {},
  }));
  if (finalizers.length === 0 && changed.metadata.deletionTimestamp !== undefined)
    store.remove(resource, undefined, name);
  return answer(200, resource, changed);
}

function list({ resource, namespace, query }: Parsed, store: Store): Answer {
  const [labels, fields] = [query.get('labelSelector') ?? '', query.get('fieldSelector') ?? ''];
  const found = store
    .list(resource.kind, namespace)
    .filter((one) => matchesLabelSelector(labels, one.metadata.labels))
    .filter((one) => matchesFieldSelector(fields, resource, one));
  const from = Number(Buffer.from(query.get('continue') ?? '', 'base64url').toString('utf8') || 0);
  const to = from + (Number(query.get('limit') ?? 0) || found.length);
  const isMore = to < found.length;
  const metadata = {
    resourceVersion: String(store.version()),
    ...(isMore ? { continue: Buffer.from(String(to)).toString('base64url') } : {}),
    // Where something selects, the server does not count what is left.
    ...(isMore && labels === '' && fields === '' ? { remainingItemCount: found.length - to } : {}),
  };
  // The items of a list do not say their kind again.
  const items = found.slice(from, to).map(({ kind: _, apiVersion: __, ...rest }) => rest);
  const body = { kind: `${resource.kind}List`, apiVersion: apiVersionOf(resource), metadata, items };
  return { code: 200, body, type: `${resource.type}List` };
}

function remove(request: Parsed, world: World): Answer {
  const { resource, namespace, name = '', query, body } = request;
  const { store } = world;
  const options = (body ?? {}) as V1DeleteOptions;
  if (body !== undefined) {
    const faults = misfits(body, 'V1DeleteOptions');
    if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
  }
  // As the API server does it: where there is a body, the query is not read.
  const dryRun = isDryRun(body === undefined ? query.getAll('dryRun') : (options.dryRun ?? []));
  const found = store.get(resource, namespace, name);
  const { uid, resourceVersion } = options.preconditions ?? {};
  if (uid !== undefined && uid !== found.metadata.uid) throw unmet(resource, name, 'UID', [uid, found.metadata.uid]);
  if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
    throw unmet(resource, name, 'ResourceVersion', [resourceVersion, found.metadata.resourceVersion]);
  admit(request, world, null);
  if (resource.kind === 'Pod') {
    if (!dryRun) store.markDeleted(resource, namespace, name, options.gracePeriodSeconds);
    return answer(200, resource, dryRun ? found : (store.find('Pod', namespace, name) ?? found));
  }
  if (resource.kind === 'Namespace') {
    if (!dryRun) store.markDeleted(resource, undefined, name);
    return answer(200, resource, dryRun ? found : store.get(resource, undefined, name));
  }
  if (!dryRun) store.remove(resource, namespace, name);
  const details = {
    name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.plural,
    uid: found.metadata.uid,
  };
  return success(200, details);
}

function removeAll(request: Parsed, world: World): Answer {
  const found = list({ ...request, body: undefined }, world.store);
  const { items } = found.body as { items: KubeObject[] };
  for (const { metadata } of items) remove({ ...request, name: metadata.name, namespace: metadata.namespace }, world);
  return found;
}

const success = (code: number, details?: object): Answer => ({
  code,
  body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', ...(details ? { details } : { code }) },
  type: 'V1Status',
});

/** @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/ */
function evict(request: Parsed, world: World): Answer {
  const { resource, namespace, name = '', body, query } = request;
  const { store } = world;
  const faults = misfits(body, 'V1Eviction');
  if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
  const { metadata, deleteOptions } = body as V1Eviction;
  if (metadata?.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const dryRun = isDryRun([...query.getAll('dryRun'), ...(deleteOptions?.dryRun ?? [])]);
  const pod = store.get(resource, namespace, name) as Pod;
  const uid = deleteOptions?.preconditions?.uid;
  if (uid !== undefined && uid !== pod.metadata.uid) throw unmet(resource, name, 'UID', [uid, pod.metadata.uid]);
  admit(request, world, body);
  const budgets = store
    .list<Raw<V1PodDisruptionBudget> & KubeObject>('PodDisruptionBudget', namespace)
    .filter(({ spec }) => matchesSelector(spec?.selector as never, pod.metadata.labels));
  if (budgets.length > 1)
    throw new Refusal(
      500,
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
  const [budget] = budgets;
  const isFree = ['Pending', 'Succeeded', 'Failed'].includes(pod.status?.phase ?? '');
  if (budget && !isFree && pod.metadata.deletionTimestamp === undefined) {
    const {
      disruptionsAllowed = 0,
      desiredHealthy = 0,
      currentHealthy = 0,
      observedGeneration = 0,
    } = budget.status ?? {};
    const violates = "Cannot evict pod as it would violate the pod's disruption budget.";
    // One that is not ready counts for nothing, where the others are enough.
    const isUnhealthy = !isReady(pod) && currentHealthy >= desiredHealthy && desiredHealthy > 0;
    if (!isUnhealthy && observedGeneration < (budget.metadata.generation ?? 0)) {
      const message = `The disruption budget ${budget.metadata.name} is still being processed by the server.`;
      throw new Refusal(429, 'TooManyRequests', violates, {
        retryAfterSeconds: 10,
        causes: [{ reason: 'DisruptionBudget', message }],
      });
    }
    if (!isUnhealthy && disruptionsAllowed <= 0) {
      const message = `The disruption budget ${budget.metadata.name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
      throw new Refusal(429, 'TooManyRequests', violates, {
        causes: [{ reason: 'DisruptionBudget', message }],
      });
    }
    if (!dryRun && !isUnhealthy)
      store.update(
        resourceOfKind('PodDisruptionBudget'),
        namespace,
        budget.metadata.name ?? '',
        (current) => ({
          ...current,
          status: { ...current.status, disruptionsAllowed: disruptionsAllowed - 1 },
        }),
        { statusOnly: true },
      );
  }
  if (!dryRun) store.markDeleted(resource, namespace, name, deleteOptions?.gracePeriodSeconds);
  return success(201);
}

interface Scalable extends KubeObject {
  spec: { replicas?: number; selector?: { matchLabels?: Record<string, string> } };
  status?: { replicas?: number };
}

/** The scale of a workload is an object of its own, whose version is the workload's. */
function scale(request: Parsed, world: World): Answer {
  const { verb, resource, namespace, name = '', query, mediaType, body } = request;
  const { store } = world;
  const scaleOf = ({ metadata, spec, status }: Scalable) => {
    const { name: called, namespace: where, uid, resourceVersion, creationTimestamp } = metadata;
    const selector = Object.entries(spec.selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
    return {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: called, namespace: where, uid, resourceVersion, creationTimestamp },
      spec: spec.replicas === 0 ? {} : { replicas: spec.replicas },
      status: { replicas: status?.replicas ?? 0, ...(selector.length > 0 ? { selector: selector.join() } : {}) },
    };
  };
  const current = store.get(resource, namespace, name) as Scalable;
  if (verb === 'get') return { code: 200, body: scaleOf(current), type: 'V1Scale' };
  const next = verb === 'update' ? body : applyPatch(scaleOf(current), body, mediaType);
  const faults = misfits(next, 'V1Scale');
  if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
  admit(request, world, next);
  const wanted = next as { metadata: { resourceVersion?: string }; spec?: { replicas?: number } };
  const { resourceVersion } = wanted.metadata;
  const changed = store.update(
    resource,
    namespace,
    name,
    (object) => ({
      ...object,
      metadata: { ...object.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
      spec: { ...object.spec, replicas: wanted.spec?.replicas ?? 0 },
    }),
    { dryRun: isDryRun(query.getAll('dryRun')) },
  );
  return { code: 200, body: scaleOf(changed as Scalable), type: 'V1Scale' };
}

function log({ namespace, name = '', query }: Parsed, { store, logs }: World): Answer {
  const pod = store.find<Pod>('Pod', namespace, name);
  if (!pod) throw notFound(resourceOfKind('Pod'), name);
  const names = ((pod.spec?.containers ?? []) as V1Container[]).map((one) => one.name);
  const container = query.get('container') ?? (names.length === 1 ? names[0] : undefined);
  if (container === undefined)
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names.join(' ')}]`);
  if (!names.includes(container)) throw badRequest(`container ${container} is not valid for pod ${name}`);
  const isPrevious = query.get('previous') === 'true';
  const key = `${namespace}/${name}/${container}${isPrevious ? '/previous' : ''}`;
  const written = logs.get(key);
  if (isPrevious && !written)
    throw badRequest(
      `previous terminated container ${JSON.stringify(container)} in pod ${JSON.stringify(name)} not found`,
    );
  const tail = query.get('tailLines');
  if (tail !== null && !/^\d+$/.test(tail)) throw badRequest(`Invalid value: ${JSON.stringify(tail)}: tailLines`);
  const lines = (written ?? ['started']).slice(tail === null ? 0 : -Number(tail));
  const text = lines
    .map((line) => `${query.get('timestamps') === 'true' ? `${now()} ` : ''}${line}\n`)
    .join('')
    .slice(0, Number(query.get('limitBytes') ?? Number.MAX_SAFE_INTEGER));
  return { code: 200, body: text, type: null };
}

function metrics({ resource, verb, namespace, name = '' }: Parsed, store: Store): Answer {
  const pods = store.list<Pod>('Pod', namespace).filter(isReady);
  const items = pods.map(({ metadata, spec }) => ({
    metadata: { name: metadata.name, namespace: metadata.namespace, creationTimestamp: now() },
    timestamp: now(),
    window: '15s',
    containers: (spec?.containers ?? []).map((one) => ({ name: one.name, usage: { cpu: '3m', memory: '21408Ki' } })),
  }));
  const apiVersion = apiVersionOf(resource);
  if (verb === 'list')
    return { code: 200, body: { kind: 'PodMetricsList', apiVersion, metadata: {}, items }, type: 'PodMetricsList' };
  const found = items.find(({ metadata }) => metadata.name === name);
  if (!found) throw notFound(resource, name);
  return { code: 200, body: { kind: 'PodMetrics', apiVersion, ...found }, type: 'PodMetrics' };
}
