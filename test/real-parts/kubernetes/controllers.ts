import { createHash } from 'node:crypto';
import type {
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1OwnerReference,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1ReplicaSet,
  V1StatefulSet,
} from '@kubernetes/client-node';
import { isReady, isSelected, type Pace, type Pod, runPod, setStatus } from './kubelet.ts';
import { type KubeObject, RESOURCES, resourceOfKind } from './resources.ts';
import type { Raw } from './schema.ts';
import { matchesSelector } from './selectors.ts';
import type { Store } from './store.ts';

type Deployment = Raw<V1Deployment> & KubeObject;
type ReplicaSet = Raw<V1ReplicaSet> & KubeObject;
type StatefulSet = Raw<V1StatefulSet> & KubeObject;
type DaemonSet = Raw<V1DaemonSet> & KubeObject;
type Template = Raw<V1PodTemplateSpec>;

const REVISION = 'deployment.kubernetes.io/revision';
const HASH = 'pod-template-hash';
const SET_HASH = 'controller-revision-hash';

/** Brings what there is one step nearer to what is wanted, as the cluster's controllers, scheduler and kubelets do. */
export function reconcile(store: Store, pace: Pace): void {
  for (const one of store.list('Namespace')) namespace(store, one);
  collectGarbage(store);
  for (const one of store.list<Deployment>('Deployment')) deployment(store, one);
  for (const one of store.list<ReplicaSet>('ReplicaSet')) replicaSet(store, one);
  for (const one of store.list<StatefulSet>('StatefulSet')) statefulSet(store, one);
  for (const one of store.list<DaemonSet>('DaemonSet')) daemonSet(store, one);
  for (const one of store.list<Raw<V1Job> & KubeObject>('Job')) job(store, one);
  for (const one of store.list<Pod>('Pod')) runPod(store, one, pace);
  for (const one of store.list<Raw<V1PodDisruptionBudget> & KubeObject>('PodDisruptionBudget')) budget(store, one);
}

const selfOf = (kind: string, { metadata }: KubeObject): Raw<V1OwnerReference> => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
  kind,
  name: metadata.name ?? '',
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});
const isOwnedBy = (owner: KubeObject) => (one: KubeObject) =>
  Boolean(one.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid));
const podsOf = (store: Store, owner: KubeObject) =>
  store.list<Pod>('Pod', owner.metadata.namespace).filter(isOwnedBy(owner));
const isStaying = ({ metadata }: KubeObject) => metadata.deletionTimestamp === undefined;
const hashOf = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 10);
/** As Go writes it: what is zero is left out. */
const some = (fields: Record<string, number>) => Object.fromEntries(Object.entries(fields).filter(([, n]) => n !== 0));

function scaleTo(store: Store, set: ReplicaSet, replicas: number): void {
  if (set.spec?.replicas === replicas) return;
  const { namespace, name = '' } = set.metadata;
  store.update(resourceOfKind('ReplicaSet'), namespace, name, (current) => ({
    ...current,
    spec: { ...current.spec, replicas },
  }));
}

function makePod(store: Store, owner: KubeObject, kind: string, template: Template, more: object): void {
  const { name, nodeName, labels = {} } = more as { name?: string; nodeName?: string; labels?: Record<string, string> };
  store.create(resourceOfKind('Pod'), owner.metadata.namespace, {
    apiVersion: 'v1',
    metadata: {
      ...(name === undefined ? { generateName: `${owner.metadata.name}-` } : { name }),
      labels: { ...template.metadata?.labels, ...labels },
      ...(template.metadata?.annotations ? { annotations: template.metadata.annotations } : {}),
      ownerReferences: [selfOf(kind, owner)],
    },
    spec: { ...template.spec, ...(nodeName === undefined ? {} : { nodeName }) },
    status: { phase: 'Pending', qosClass: 'BestEffort' },
  });
}

function drop(store: Store, pods: readonly Pod[]): void {
  for (const { metadata } of pods) store.markDeleted(resourceOfKind('Pod'), metadata.namespace, metadata.name ?? '');
}

function deployment(store: Store, it: Deployment): void {
  const { namespace, name = '' } = it.metadata;
  const replicas = it.spec?.replicas ?? 0;
  const template = it.spec?.template ?? {};
  const hash = hashOf(template);
  const revisionOf = (set: ReplicaSet) => Number(set.metadata.annotations?.[REVISION] ?? 0);
  const sets = store
    .list<ReplicaSet>('ReplicaSet', namespace)
    .filter(isOwnedBy(it))
    .sort((a, b) => revisionOf(b) - revisionOf(a));
  const latest = Math.max(0, ...sets.map(revisionOf));
  const paused = it.spec?.paused === true;
  const made = sets.find(({ metadata }) => metadata.labels?.[HASH] === hash);
  const kind = resourceOfKind('ReplicaSet');
  if (!made && !paused) {
    const labels = { ...template.metadata?.labels, [HASH]: hash };
    store.create(kind, namespace, {
      apiVersion: 'apps/v1',
      metadata: {
        name: `${name}-${hash}`,
        labels,
        annotations: { ...annotationsOf(it), [REVISION]: String(latest + 1) },
        ownerReferences: [selfOf('Deployment', it)],
      },
      spec: {
        replicas: it.spec?.strategy?.type === 'Recreate' && latest > 0 ? 0 : replicas,
        selector: { matchLabels: { ...it.spec?.selector.matchLabels, [HASH]: hash } },
        template: { ...template, metadata: { ...template.metadata, labels } },
      },
      status: { replicas: 0 },
    } as KubeObject);
    deployment(store, it);
    return;
  }
  if (made && !paused && revisionOf(made) < latest)
    // An old set that is wanted again becomes the newest revision.
    store.update(kind, namespace, made.metadata.name ?? '', (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        annotations: { ...current.metadata.annotations, [REVISION]: String(latest + 1) },
      },
    }));
  const wanted = made ?? sets[0];
  if (!wanted) return;
  const others = sets.filter((set) => set !== wanted);
  const isReplaced = podsOf(store, wanted).filter(isStaying).filter(isReady).length >= replicas;
  const isRecreated = it.spec?.strategy?.type === 'Recreate';
  if (isRecreated || isReplaced) for (const set of others) scaleTo(store, set, 0);
  if (!isRecreated || others.every((set) => podsOf(store, set).length === 0)) scaleTo(store, wanted, replicas);
  const revision = String(made && !paused && revisionOf(made) < latest ? latest + 1 : revisionOf(wanted));
  if (it.metadata.annotations?.[REVISION] !== revision)
    store.update(resourceOfKind('Deployment'), namespace, name, (current) => ({
      ...current,
      metadata: { ...current.metadata, annotations: { ...current.metadata.annotations, [REVISION]: revision } },
    }));
  const pods = sets.flatMap((set) => podsOf(store, set)).filter(isStaying);
  const ready = pods.filter(isReady).length;
  const updated = made ? podsOf(store, made).filter(isStaying) : [];
  const isDone = updated.filter(isReady).length === replicas && pods.length === updated.length;
  setStatus(store, 'Deployment', it, {
    observedGeneration: it.metadata.generation ?? 1,
    ...some({
      replicas: pods.length,
      updatedReplicas: updated.length,
      readyReplicas: ready,
      availableReplicas: ready,
      unavailableReplicas: Math.max(0, replicas - ready),
    }),
    conditions: [
      {
        type: 'Available',
        status: ready >= Math.ceil(replicas * 0.75) ? 'True' : 'False',
        reason: ready >= Math.ceil(replicas * 0.75) ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
        message: `Deployment has ${ready >= Math.ceil(replicas * 0.75) ? '' : 'not '}minimum availability.`,
      },
      {
        type: 'Progressing',
        status: 'True',
        reason: isDone ? 'NewReplicaSetAvailable' : 'ReplicaSetUpdated',
        message: `ReplicaSet "${wanted.metadata.name}" ${isDone ? 'has successfully progressed' : 'is progressing'}.`,
      },
    ],
  });
}

/** The deployment's own annotations go on to its sets, but not the one that kubectl apply keeps. */
function annotationsOf({ metadata }: KubeObject): Record<string, string> {
  const { [REVISION]: _, 'kubectl.kubernetes.io/last-applied-configuration': __, ...rest } = metadata.annotations ?? {};
  return rest;
}

function replicaSet(store: Store, it: ReplicaSet): void {
  const pods = podsOf(store, it);
  const staying = pods.filter(isStaying);
  const replicas = it.spec?.replicas ?? 0;
  for (let count = staying.length; count < replicas; count += 1)
    makePod(store, it, 'ReplicaSet', it.spec?.template ?? {}, {});
  drop(
    store,
    [...staying]
      .sort((a, b) => Number(isReady(a)) - Number(isReady(b)))
      .slice(0, Math.max(0, staying.length - replicas)),
  );
  const ready = staying.filter(isReady).length;
  setStatus(store, 'ReplicaSet', it, {
    replicas: staying.length,
    observedGeneration: it.metadata.generation ?? 1,
    ...some({ fullyLabeledReplicas: staying.length, readyReplicas: ready, availableReplicas: ready }),
  });
}

function statefulSet(store: Store, it: StatefulSet): void {
  const template = it.spec?.template ?? {};
  const hash = `${it.metadata.name}-${hashOf(template)}`;
  const replicas = it.spec?.replicas ?? 0;
  const pods = podsOf(store, it);
  const nameOf = (ordinal: number) => `${it.metadata.name}-${ordinal}`;
  for (let ordinal = 0; ordinal < replicas; ordinal += 1)
    if (!pods.some(({ metadata }) => metadata.name === nameOf(ordinal)))
      makePod(store, it, 'StatefulSet', template, { name: nameOf(ordinal), labels: { [SET_HASH]: hash } });
  const ordinalOf = ({ metadata }: Pod) => Number(metadata.name?.split('-').at(-1));
  const staying = pods.filter(isStaying);
  drop(
    store,
    staying.filter((one) => ordinalOf(one) >= replicas),
  );
  const isNew = ({ metadata }: Pod) => metadata.labels?.[SET_HASH] === hash;
  const old = staying.filter((one) => !isNew(one)).sort((a, b) => ordinalOf(b) - ordinalOf(a));
  const settled = staying.length === replicas && pods.length === replicas && staying.every(isReady);
  if (settled && it.spec?.updateStrategy?.type !== 'OnDelete') drop(store, old.slice(0, 1));
  const ready = staying.filter(isReady).length;
  const updated = staying.filter(isNew).length;
  setStatus(store, 'StatefulSet', it, {
    replicas: staying.length,
    observedGeneration: it.metadata.generation ?? 1,
    availableReplicas: ready,
    collisionCount: 0,
    currentRevision: updated === replicas ? hash : (it.status?.currentRevision ?? hash),
    updateRevision: hash,
    ...some({
      readyReplicas: ready,
      updatedReplicas: updated,
      currentReplicas: updated === replicas ? updated : staying.length - updated,
    }),
  });
}

function daemonSet(store: Store, it: DaemonSet): void {
  const template = it.spec?.template ?? {};
  const hash = hashOf(template);
  const nodes = store
    .list('Node')
    .filter((node) => isSelected(template.spec as Pod['spec'], node))
    .map(({ metadata }) => metadata.name ?? '');
  const pods = podsOf(store, it);
  for (const nodeName of nodes)
    if (!pods.some(({ spec }) => spec?.nodeName === nodeName))
      makePod(store, it, 'DaemonSet', template, { nodeName, labels: { [SET_HASH]: hash } });
  const staying = pods.filter(isStaying);
  const isNew = ({ metadata }: Pod) => metadata.labels?.[SET_HASH] === hash;
  const settled = pods.length === nodes.length && staying.length === pods.length && staying.every(isReady);
  const old = staying.filter((one) => !isNew(one));
  // As the real one has it: old pods that do not serve cost nothing, and go whatever may be unavailable.
  const next = old.some((one) => !isReady(one)) ? old.filter((one) => !isReady(one)) : settled ? old.slice(0, 1) : [];
  if (it.spec?.updateStrategy?.type !== 'OnDelete') drop(store, next);
  const ready = staying.filter(isReady).length;
  setStatus(store, 'DaemonSet', it, {
    currentNumberScheduled: staying.length,
    desiredNumberScheduled: nodes.length,
    numberMisscheduled: 0,
    numberReady: ready,
    observedGeneration: it.metadata.generation ?? 1,
    ...some({
      updatedNumberScheduled: staying.filter(isNew).length,
      numberAvailable: ready,
      numberUnavailable: nodes.length - ready,
    }),
  });
}

function job(store: Store, it: Raw<V1Job> & KubeObject): void {
  const pods = podsOf(store, it).filter(isStaying);
  if (pods.length === 0)
    makePod(store, it, 'Job', it.spec?.template ?? {}, { labels: { 'job-name': it.metadata.name } });
  const ready = pods.filter(isReady).length;
  setStatus(store, 'Job', it, { ...some({ active: pods.length }), ready, startTime: it.metadata.creationTimestamp });
}

function budget(store: Store, it: Raw<V1PodDisruptionBudget> & KubeObject): void {
  const pods = store
    .list<Pod>('Pod', it.metadata.namespace)
    .filter(({ metadata }) => matchesSelector(it.spec?.selector as never, metadata.labels));
  const share = (value: number | string | undefined) =>
    typeof value === 'string' ? Math.ceil((pods.length * Number(value.replace('%', ''))) / 100) : (value ?? 0);
  const desiredHealthy =
    it.spec?.minAvailable === undefined
      ? Math.max(0, pods.length - share(it.spec?.maxUnavailable))
      : share(it.spec.minAvailable);
  const currentHealthy = pods.filter(isStaying).filter(isReady).length;
  setStatus(store, 'PodDisruptionBudget', it, {
    currentHealthy,
    desiredHealthy,
    expectedPods: pods.length,
    disruptionsAllowed: Math.max(0, currentHealthy - desiredHealthy),
    observedGeneration: it.metadata.generation ?? 1,
  });
}

/** Gives a namespace its default account, and empties one that is being deleted. */
function namespace(store: Store, { metadata }: KubeObject): void {
  const { name = '', deletionTimestamp } = metadata;
  if (deletionTimestamp === undefined) {
    if (store.find('ServiceAccount', name, 'default')) return;
    store.create(resourceOfKind('ServiceAccount'), name, { metadata: { name: 'default' } });
    return;
  }
  for (const resource of RESOURCES.filter(({ namespaced, verbs }) => namespaced && verbs.includes('create')))
    for (const one of store.list(resource.kind, name)) store.remove(resource, name, one.metadata.name ?? '');
  store.remove(resourceOfKind('Namespace'), undefined, name);
}

function collectGarbage(store: Store): void {
  const kinds = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'Node'];
  const uids = new Set(kinds.flatMap((kind) => store.list(kind)).map(({ metadata }) => metadata.uid));
  const isOrphan = ({ metadata }: KubeObject) =>
    Boolean(metadata.ownerReferences?.length) && !metadata.ownerReferences?.some(({ uid }) => uids.has(uid));
  for (const set of store.list('ReplicaSet').filter(isOrphan))
    store.remove(resourceOfKind('ReplicaSet'), set.metadata.namespace, set.metadata.name ?? '');
  drop(store, store.list<Pod>('Pod').filter(isOrphan).filter(isStaying));
}
