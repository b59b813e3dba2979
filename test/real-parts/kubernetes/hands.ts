/** What a cluster's controllers and kubelets do, done by hand through the API, for one namespace and nodes of its own. */
import { createHash } from 'node:crypto';
import type {
  V1DaemonSet,
  V1Deployment,
  V1Job,
  V1Node,
  V1PodDisruptionBudget,
  V1PodTemplateSpec,
  V1ReplicaSet,
  V1StatefulSet,
} from '@kubernetes/client-node';
import { type Api, NOW } from './api.ts';
import { isReady, type Pod } from './kubelet.ts';
import type { KubeObject } from './resources.ts';
import type { Raw } from './schema.ts';
import { matchesSelector } from './selectors.ts';
import { now } from './store.ts';

type Of<T> = Raw<T> & KubeObject;
type Template = Raw<V1PodTemplateSpec>;

const REVISION = 'deployment.kubernetes.io/revision';
const CAUSE = 'kubernetes.io/change-cause';
const HASH = 'pod-template-hash';
const SET_HASH = 'controller-revision-hash';
/** A scheduler that has not come in this time is none. */
const SCHEDULER_SECONDS = 15;

/** Whose work is done by hand, and where. */
export interface Place {
  readonly api: Api;
  readonly namespace: string;
  /** Nodes of the test's own, on which no kubelet runs. */
  readonly nodes: readonly string[];
  readonly hasControllers: boolean;
}

/** Brings the namespace one step nearer to what is wanted. */
export async function handle(place: Place): Promise<void> {
  const { api, namespace, hasControllers } = place;
  const listed = <T extends KubeObject>(path: string) => api.list(path) as Promise<T[]>;
  const at = (group: string, plural: string) => `/${group}/namespaces/${namespace}/${plural}`;
  const pods = await listed<Pod>(at('api/v1', 'pods'));
  for (const pod of pods) await runPod(place, pod);
  if (hasControllers) return;
  const [deployments, sets, stateful, daemons, jobs, budgets, nodes] = await Promise.all([
    listed<Of<V1Deployment>>(at('apis/apps/v1', 'deployments')),
    listed<Of<V1ReplicaSet>>(at('apis/apps/v1', 'replicasets')),
    listed<Of<V1StatefulSet>>(at('apis/apps/v1', 'statefulsets')),
    listed<Of<V1DaemonSet>>(at('apis/apps/v1', 'daemonsets')),
    listed<Of<V1Job>>(at('apis/batch/v1', 'jobs')),
    listed<Of<V1PodDisruptionBudget>>(at('apis/policy/v1', 'poddisruptionbudgets')),
    listed<Of<V1Node>>('/api/v1/nodes'),
  ]);
  const open = nodes
    .filter(({ metadata, spec }) => place.nodes.includes(metadata.name ?? '') && spec?.unschedulable !== true)
    .map(({ metadata }) => metadata.name ?? '');
  const world: World = { ...place, pods, open };
  for (const one of deployments) await deployment(world, one, sets.filter(isOwnedBy(one)));
  for (const one of sets) await replicaSet(world, one);
  for (const one of stateful) await statefulSet(world, one);
  for (const one of daemons) await daemonSet(world, one);
  for (const one of jobs) await job(world, one);
  for (const one of budgets) await budget(world, one);
  const owners = new Set([...deployments, ...sets, ...stateful, ...daemons, ...jobs].map(uidOf));
  for (const [plural, some] of [['replicasets', sets] as const, ['pods', pods] as const])
    for (const one of some)
      if (one.metadata.ownerReferences?.length && !one.metadata.ownerReferences.some(({ uid }) => owners.has(uid)))
        await drop(world, plural, one);
}

interface World extends Place {
  readonly pods: readonly Pod[];
  readonly open: readonly string[];
}

const uidOf = ({ metadata }: KubeObject) => metadata.uid ?? '';
const isOwnedBy = (owner: KubeObject) => (one: KubeObject) =>
  Boolean(one.metadata.ownerReferences?.some(({ uid }) => uid === uidOf(owner)));
const isStaying = ({ metadata }: KubeObject) => metadata.deletionTimestamp === undefined;
const podsOf = ({ pods }: World, owner: KubeObject) => pods.filter(isOwnedBy(owner)).filter(isStaying);
const GROUPS = { pods: 'api/v1', jobs: 'apis/batch/v1', poddisruptionbudgets: 'apis/policy/v1' } as const;
const pathOf = (plural: string, { metadata: { namespace, name } }: KubeObject) =>
  `/${GROUPS[plural as keyof typeof GROUPS] ?? 'apis/apps/v1'}/namespaces/${namespace}/${plural}/${name}`;
/** Somebody else may have changed or removed it meanwhile: the next step sees that. */
const MEANWHILE = [404, 409];
const patch = ({ api }: Place, plural: string, one: KubeObject, body: object) =>
  api.must('PATCH', pathOf(plural, one), body, MEANWHILE);
const drop = ({ api }: Place, plural: string, one: KubeObject) =>
  api.must('DELETE', pathOf(plural, one), { ...NOW, preconditions: { uid: uidOf(one) } }, MEANWHILE);

/** Writes a status, unless it says that already. */
async function setStatus(place: Place, plural: string, one: KubeObject, status: object): Promise<void> {
  const has = (one.status ?? {}) as Record<string, unknown>;
  const isSame = Object.entries(status).every(
    ([key, value]) => JSON.stringify(has[key] ?? 0) === JSON.stringify(value),
  );
  if (isSame) return;
  await place.api.must('PATCH', `${pathOf(plural, one)}/status`, { status }, [404, 409]);
}

/** The scheduler, where there is none, and the kubelet of one pod: containers of ours do nothing, so that they run is only said. */
async function runPod(place: Place, pod: Pod): Promise<void> {
  const { metadata, spec, status } = pod;
  if (!isStaying(pod)) {
    if (Number(metadata.deletionGracePeriodSeconds ?? 0) > 0 && spec?.nodeName) await drop(place, 'pods', pod);
    return;
  }
  if (!spec?.nodeName) {
    const waits = Date.now() - Date.parse(metadata.creationTimestamp ?? '');
    // The pods of a daemon set say which node they are of.
    const terms = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    const name = terms?.[0]?.matchFields?.[0]?.values?.[0] ?? place.nodes.at(-1);
    if (waits < SCHEDULER_SECONDS * 1000 || status?.nominatedNodeName || !place.hasControllers) return;
    const body = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: metadata.name },
      target: { kind: 'Node', name },
    };
    await place.api.must('POST', `${pathOf('pods', pod)}/binding`, body, MEANWHILE);
    return;
  }
  if (!place.nodes.includes(spec.nodeName) || isReady(pod)) return;
  const is = (type: string) => ({ type, status: 'True', lastTransitionTime: now() });
  await place.api.must(
    'PATCH',
    `${pathOf('pods', pod)}/status`,
    {
      status: {
        phase: 'Running',
        startTime: status?.startTime ?? now(),
        conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(is),
        containerStatuses: spec.containers.map(({ name, image = '' }) => ({
          name,
          image,
          imageID: image,
          containerID: `hands://${metadata.uid}-${name}`,
          ready: true,
          started: true,
          restartCount: 0,
          state: { running: { startedAt: now() } },
        })),
      },
    },
    MEANWHILE,
  );
}

const sorted = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(sorted)
    : value !== null && typeof value === 'object'
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([, item]) => item !== null)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, item]) => [key, sorted(item)]),
        )
      : value;
const hashOf = (template: Template) => {
  const { [HASH]: _, ...labels } = template.metadata?.labels ?? {};
  const own = { ...template, metadata: { ...template.metadata, labels } };
  return createHash('sha256')
    .update(JSON.stringify(sorted(own)))
    .digest('hex')
    .slice(0, 10);
};
const selfOf = (kind: string, { metadata }: KubeObject) => ({
  apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

async function makePod(world: World, owner: KubeObject, kind: string, more: { name?: string; nodeName?: string }) {
  const { template } = owner.spec as { template: Template };
  const load = (node: string) => world.pods.filter(({ spec }) => spec?.nodeName === node).length;
  const [lightest] = [...world.open].sort((a, b) => load(a) - load(b));
  const nodeName = more.nodeName ?? lightest;
  const hash = kind === 'StatefulSet' || kind === 'DaemonSet' ? { [SET_HASH]: hashOf(template) } : {};
  const made = await world.api.must(
    'POST',
    `/api/v1/namespaces/${owner.metadata.namespace}/pods`,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        ...(more.name === undefined ? { generateName: `${owner.metadata.name}-` } : { name: more.name }),
        labels: { ...template.metadata?.labels, ...hash },
        annotations: template.metadata?.annotations ?? {},
        ownerReferences: [selfOf(kind, owner)],
      },
      spec: { ...template.spec, ...(nodeName === undefined ? {} : { nodeName }) },
    },
    [409],
  );
  // So that the next one of this step sees it.
  if (made.kind === 'Pod') (world.pods as Pod[]).push(made as Pod);
}

async function deployment(world: World, it: Of<V1Deployment>, sets: Of<V1ReplicaSet>[]): Promise<void> {
  if (!it.spec || it.spec.paused) return;
  const { template, replicas = 1 } = it.spec;
  const revisionOf = (set: KubeObject) => Number(set.metadata.annotations?.[REVISION] ?? 0);
  const latest = Math.max(0, ...sets.map(revisionOf));
  const hash = hashOf(template);
  const wanted = sets.find((set) => hashOf(set.spec?.template ?? {}) === hash);
  const cause = it.metadata.annotations?.[CAUSE];
  if (!wanted) {
    const labels = { ...template.metadata?.labels, [HASH]: hash };
    const { namespace, name } = it.metadata;
    const annotations = { [REVISION]: String(latest + 1), ...(cause === undefined ? {} : { [CAUSE]: cause }) };
    await world.api.must(
      'POST',
      `/apis/apps/v1/namespaces/${namespace}/replicasets`,
      {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: { name: `${name}-${hash}`, labels, annotations, ownerReferences: [selfOf('Deployment', it)] },
        spec: {
          replicas,
          selector: { matchLabels: { ...it.spec.selector.matchLabels, [HASH]: hash } },
          template: { ...template, metadata: { ...template.metadata, labels } },
        },
      },
      [409],
    );
    return;
  }
  const revision = String(revisionOf(wanted) < latest ? latest + 1 : latest);
  if (String(revisionOf(wanted)) !== revision)
    await patch(world, 'replicasets', wanted, { metadata: { annotations: { [REVISION]: revision } } });
  if (wanted.metadata.annotations?.[CAUSE] !== cause)
    await patch(world, 'replicasets', wanted, { metadata: { annotations: { [CAUSE]: cause ?? null } } });
  if (it.metadata.annotations?.[REVISION] !== revision)
    await patch(world, 'deployments', it, { metadata: { annotations: { [REVISION]: revision } } });
  for (const set of sets) {
    const count = set === wanted ? replicas : 0;
    if (set.spec?.replicas !== count) await patch(world, 'replicasets', set, { spec: { replicas: count } });
  }
  const pods = sets.flatMap((set) => podsOf(world, set));
  const ready = pods.filter(isReady).length;
  await setStatus(world, 'deployments', it, {
    observedGeneration: it.metadata.generation,
    replicas: pods.length,
    updatedReplicas: podsOf(world, wanted).length,
    readyReplicas: ready,
    availableReplicas: ready,
  });
}

async function replicaSet(world: World, it: Of<V1ReplicaSet>): Promise<void> {
  const replicas = it.spec?.replicas ?? 0;
  const pods = podsOf(world, it);
  for (let count = pods.length; count < replicas; count += 1) await makePod(world, it, 'ReplicaSet', {});
  for (const pod of pods.slice(replicas)) await drop(world, 'pods', pod);
  const ready = pods.filter(isReady).length;
  await setStatus(world, 'replicasets', it, {
    observedGeneration: it.metadata.generation,
    replicas: pods.length,
    readyReplicas: ready,
    availableReplicas: ready,
  });
}

/** Pods that were made from another template go, all at once: nobody is served by them. */
async function renew(world: World, it: KubeObject, isWanted: (pod: Pod) => boolean): Promise<Pod[]> {
  const hash = hashOf((it.spec as { template: Template }).template);
  const isRight = (pod: Pod) => pod.metadata.labels?.[SET_HASH] === hash && isWanted(pod);
  const pods = podsOf(world, it);
  for (const pod of pods.filter((one) => !isRight(one))) await drop(world, 'pods', pod);
  return pods.filter(isRight);
}

async function statefulSet(world: World, it: Of<V1StatefulSet>): Promise<void> {
  const replicas = it.spec?.replicas ?? 1;
  const names = Array.from({ length: replicas }, (_, ordinal) => `${it.metadata.name}-${ordinal}`);
  const pods = await renew(world, it, ({ metadata }) => names.includes(metadata.name ?? ''));
  for (const name of names)
    if (!podsOf(world, it).some(({ metadata }) => metadata.name === name))
      await makePod(world, it, 'StatefulSet', { name });
  const ready = pods.filter(isReady).length;
  await setStatus(world, 'statefulsets', it, {
    observedGeneration: it.metadata.generation,
    replicas: pods.length,
    updatedReplicas: pods.length,
    currentReplicas: pods.length,
    readyReplicas: ready,
    availableReplicas: ready,
  });
}

async function daemonSet(world: World, it: Of<V1DaemonSet>): Promise<void> {
  const pods = await renew(world, it, () => true);
  for (const nodeName of world.nodes)
    if (!podsOf(world, it).some(({ spec }) => spec?.nodeName === nodeName))
      await makePod(world, it, 'DaemonSet', { nodeName });
  const ready = pods.filter(isReady).length;
  await setStatus(world, 'daemonsets', it, {
    observedGeneration: it.metadata.generation,
    desiredNumberScheduled: world.nodes.length,
    currentNumberScheduled: pods.length,
    updatedNumberScheduled: pods.length,
    numberMisscheduled: 0,
    numberReady: ready,
    numberAvailable: ready,
  });
}

async function job(world: World, it: Of<V1Job>): Promise<void> {
  const pods = podsOf(world, it);
  if (pods.length === 0) await makePod(world, it, 'Job', {});
  await setStatus(world, 'jobs', it, {
    active: pods.length,
    startTime: (it.status as { startTime?: string } | undefined)?.startTime ?? it.metadata.creationTimestamp,
  });
}

async function budget(world: World, it: Of<V1PodDisruptionBudget>): Promise<void> {
  const pods = world.pods.filter(({ metadata }) => matchesSelector(it.spec?.selector as never, metadata.labels));
  const currentHealthy = pods.filter(isStaying).filter(isReady).length;
  const desiredHealthy = Number(it.spec?.minAvailable ?? 0);
  await setStatus(world, 'poddisruptionbudgets', it, {
    observedGeneration: it.metadata.generation,
    currentHealthy,
    desiredHealthy,
    expectedPods: pods.length,
    disruptionsAllowed: Math.max(0, currentHealthy - desiredHealthy),
  });
}
