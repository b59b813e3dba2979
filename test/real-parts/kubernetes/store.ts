import { randomBytes, randomUUID } from 'node:crypto';
import { defaulted } from './defaults.ts';
import { type KubeObject, qualified, type Resource, resourceOfKind } from './resources.ts';
import { misfits } from './schema.ts';
import { alreadyExists, badRequest, conflict, invalid, notFound, Refusal } from './status.ts';

export interface WatchEvent {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly resource: Resource;
  readonly object: KubeObject;
}

interface Write {
  readonly dryRun?: boolean;
  /** Whose status is written, and nothing else of it. */
  readonly statusOnly?: boolean;
  /** A patch that names a uid is refused otherwise than an update that does. */
  readonly isPatch?: boolean;
}

/** The state of a cluster: every object with its uid, its version and its generation, as the API server keeps them. */
export interface Store {
  find<T extends KubeObject>(kind: string, namespace: string | undefined, name: string): T | undefined;
  get(resource: Resource, namespace: string | undefined, name: string): KubeObject;
  list<T extends KubeObject>(kind: string, namespace?: string): T[];
  create(resource: Resource, namespace: string | undefined, object: KubeObject, write?: Write): KubeObject;
  /** Changes an object. @throws Refusal where its version is not the one that the change names, or it does not fit its type. */
  update(
    resource: Resource,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
    write?: Write,
  ): KubeObject;
  remove(resource: Resource, namespace: string | undefined, name: string): void;
  /** Marks an object as being deleted, which no client can do by itself; a pod that needs no grace goes at once. */
  markDeleted(resource: Resource, namespace: string | undefined, name: string, graceSeconds?: number): void;
  /** Gives a pod its node, as the scheduler does. */
  bind(namespace: string | undefined, pod: string, node: string): void;
  version(): number;
  /** What has happened after a version, and what happens from now on until the function that it gives is called. */
  watch(after: number, heard: (event: WatchEvent) => void): () => void;
}

interface PodSpec {
  readonly nodeName?: string;
  readonly terminationGracePeriodSeconds?: number;
}

const keyOf = (resource: Resource, namespace: string | undefined, name: string) =>
  `${qualified(resource)}|${resource.namespaced ? namespace : ''}|${name}`;

const NAME = /^[a-z0-9:]([-a-z0-9.:]*[a-z0-9])?$/;

/** Makes an empty store. */
export function createStore(): Store {
  const objects = new Map<string, { resource: Resource; object: KubeObject }>();
  const happened: WatchEvent[] = [];
  const listeners = new Set<(event: WatchEvent) => void>();
  let version = 100;

  const tell = (type: WatchEvent['type'], resource: Resource, object: KubeObject) => {
    const event: WatchEvent = { version, type, resource, object: structuredClone(object) };
    happened.push(event);
    for (const listener of listeners) listener(event);
  };
  const put = (type: 'ADDED' | 'MODIFIED', resource: Resource, object: KubeObject) => {
    version += 1;
    object.metadata.resourceVersion = String(version);
    objects.set(keyOf(resource, object.metadata.namespace, object.metadata.name ?? ''), { resource, object });
    tell(type, resource, object);
  };
  const current = (resource: Resource, namespace: string | undefined, name: string) => {
    const found = objects.get(keyOf(resource, namespace, name));
    if (!found) throw notFound(resource, name);
    return found.object;
  };
  const store: Store = {
    find(kind, namespace, name) {
      const found = objects.get(keyOf(resourceOfKind(kind), namespace, name));
      return found ? (structuredClone(found.object) as never) : undefined;
    },
    get: (resource, namespace, name) => structuredClone(current(resource, namespace, name)),
    list(kind, namespace) {
      const resource = resourceOfKind(kind);
      return [...objects]
        .filter(([, one]) => one.resource === resource)
        .filter(([, one]) => namespace === undefined || one.object.metadata.namespace === namespace)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, one]) => structuredClone(one.object) as never);
    },
    create(resource, namespace, given, { dryRun = false } = {}) {
      const { generateName } = given.metadata ?? {};
      const name = given.metadata?.name ?? (generateName ? `${generateName}${randomBytes(3).toString('hex')}` : '');
      if (!NAME.test(name))
        throw invalid(resource, name, 'metadata.name', 'Required value: name or generateName is required');
      if (objects.has(keyOf(resource, namespace, name))) throw alreadyExists(resource, name);
      if (resource.namespaced && !store.find('Namespace', undefined, namespace ?? ''))
        throw notFound(resourceOfKind('Namespace'), namespace ?? '');
      const object = defaulted({ ...structuredClone(given), kind: resource.kind });
      object.metadata = {
        ...object.metadata,
        name,
        ...(resource.namespaced && namespace !== undefined ? { namespace } : {}),
        uid: randomUUID(),
        creationTimestamp: now(),
        ...(object.spec && resource.subresources.includes('status') && resource.kind !== 'Node'
          ? { generation: 1 }
          : {}),
      };
      check(resource, object);
      if (dryRun) return object;
      put('ADDED', resource, object);
      return structuredClone(object);
    },
    update(resource, namespace, name, change, { dryRun = false, statusOnly = false, isPatch = false } = {}) {
      const before = current(resource, namespace, name);
      const next = change(structuredClone(before)) as KubeObject;
      const faults = misfits(next, resource.type);
      if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
      const { resourceVersion, uid } = next.metadata;
      if (resourceVersion !== undefined && resourceVersion !== before.metadata.resourceVersion)
        throw conflict(resource, name);
      if (isPatch && uid !== undefined && uid !== before.metadata.uid)
        throw invalid(resource, name, 'metadata.uid', `Invalid value: ${JSON.stringify(uid)}: field is immutable`);
      if (uid !== undefined && uid !== before.metadata.uid)
        throw conflict(
          resource,
          name,
          `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
        );
      const after: KubeObject = statusOnly
        ? { ...structuredClone(before), ...(next.status ? { status: next.status } : {}) }
        : next;
      if (!statusOnly && resource.subresources.includes('status')) {
        if (before.status) after.status = structuredClone(before.status);
        else delete after.status;
      }
      const { namespace: where, creationTimestamp, generation, deletionTimestamp } = before.metadata;
      const isSpecNew = JSON.stringify(sorted(after.spec)) !== JSON.stringify(sorted(before.spec));
      const fixed = {
        name,
        ...(where === undefined ? {} : { namespace: where }),
        ...(before.metadata.uid === undefined ? {} : { uid: before.metadata.uid }),
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
        ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
        ...(before.metadata.resourceVersion === undefined ? {} : { resourceVersion: before.metadata.resourceVersion }),
        ...(generation === undefined ? {} : { generation: isSpecNew ? generation + 1 : generation }),
      };
      after.metadata = { ...after.metadata, ...fixed };
      check(resource, after, before);
      if (JSON.stringify(sorted(after)) === JSON.stringify(sorted(before))) return structuredClone(before);
      if (dryRun) return after;
      put('MODIFIED', resource, after);
      return structuredClone(after);
    },
    remove(resource, namespace, name) {
      const object = current(resource, namespace, name);
      objects.delete(keyOf(resource, namespace, name));
      version += 1;
      tell('DELETED', resource, { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } });
    },
    markDeleted(resource, namespace, name, graceSeconds) {
      const object = structuredClone(current(resource, namespace, name));
      const { spec = {}, status = {} } = object as { spec?: PodSpec; status?: { phase?: string } };
      const grace = graceSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
      const isOver = grace === 0 || !spec.nodeName || status.phase === 'Succeeded' || status.phase === 'Failed';
      if (resource.kind === 'Pod' && isOver) return store.remove(resource, namespace, name);
      if (object.metadata.deletionTimestamp !== undefined) return;
      object.metadata.deletionTimestamp = now();
      if (resource.kind === 'Pod') object.metadata.deletionGracePeriodSeconds = grace;
      else object.status = { ...object.status, phase: 'Terminating' } as object;
      put('MODIFIED', resource, object);
    },
    bind(namespace, pod, node) {
      const resource = resourceOfKind('Pod');
      const object = structuredClone(current(resource, namespace, pod));
      object.spec = { ...object.spec, nodeName: node };
      put('MODIFIED', resource, object);
    },
    version: () => version,
    watch(after, heard) {
      for (const event of happened.filter((one) => one.version > after)) heard(event);
      listeners.add(heard);
      return () => listeners.delete(heard);
    },
  };
  return store;
}

/** The time as the API writes it, in whole seconds. */
export function now(at = Date.now()): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`;
}

/** What the API server refuses beyond a wrong type. */
function check(resource: Resource, object: KubeObject, before?: KubeObject): void {
  const faults = misfits(object, resource.type);
  if (faults.length > 0) throw badRequest(`strict decoding error: ${faults.join(', ')}`);
  const name = object.metadata.name ?? '';
  const spec = (object.spec ?? {}) as {
    replicas?: number;
    selector?: unknown;
    template?: { spec?: { containers?: { name: string; image?: string }[] } };
  };
  if (spec.replicas !== undefined && spec.replicas < 0)
    throw invalid(
      resource,
      name,
      'spec.replicas',
      `Invalid value: ${spec.replicas}: must be greater than or equal to 0`,
    );
  const containers = spec.template?.spec?.containers ?? [];
  for (const [index, { image }] of containers.entries())
    if (!image) throw invalid(resource, name, `spec.template.spec.containers[${index}].image`, 'Required value');
  const old = (before?.spec ?? {}) as { selector?: unknown };
  if (before && resource.group === 'apps' && JSON.stringify(old.selector) !== JSON.stringify(spec.selector))
    throw invalid(resource, name, 'spec.selector', 'Invalid value: field is immutable');
  if (before && resource.kind === 'Pod' && JSON.stringify(sorted(before.spec)) !== JSON.stringify(sorted(object.spec)))
    throw new Refusal(422, 'Invalid', `Pod "${name}" is invalid: spec: Forbidden: pod updates may not change fields`);
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
}
