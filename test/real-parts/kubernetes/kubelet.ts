import type { V1Node, V1Pod } from '@kubernetes/client-node';
import { type KubeObject, resourceOfKind } from './resources.ts';
import type { Raw } from './schema.ts';
import { now, type Store } from './store.ts';

export type Pod = Raw<V1Pod> & KubeObject;

/** How fast a cluster is. */
export interface Pace {
  /** From a pod's making until it is ready. */
  readyMs: number;
  /** From a pod's deletion until it is gone. */
  terminationMs: number;
}

/** An annotation by which a test makes one pod ail: its container waits for the reason that it gives, runs and never gets ready, or has failed. */
export const AILS = 'double.example/ails';
export const UNREADY = 'Unready';
export const FAILED = 'Failed';

/** Tells whether a pod says that it is ready. */
export const isReady = ({ status }: Pod) =>
  Boolean(status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));

/** Writes the status of an object, as only what runs it does. */
export function setStatus(store: Store, kind: string, object: KubeObject, status: object): void {
  const { namespace, name = '' } = object.metadata;
  store.update(resourceOfKind(kind), namespace, name, (current) => ({ ...current, status }), { statusOnly: true });
}

/** The scheduler and the kubelet of one pod: it gets a node, becomes ready after a while, and ends when it is deleted. */
export function runPod(store: Store, it: Pod, { readyMs, terminationMs }: Pace): void {
  const kind = resourceOfKind('Pod');
  const { namespace, name = '', uid = '', deletionTimestamp } = it.metadata;
  const since = (what: string) => {
    const key = `${uid} ${what}`;
    const at = seen.get(key) ?? Date.now();
    seen.set(key, at);
    return Date.now() - at;
  };
  if (deletionTimestamp !== undefined) {
    if (since('deleted') >= terminationMs) store.remove(kind, namespace, name);
    return;
  }
  if (!it.spec?.nodeName) {
    const nodes = store
      .list<Raw<V1Node> & KubeObject>('Node')
      .filter((node) => node.spec?.unschedulable !== true && isSelected(it.spec, node) && isTolerated(it.spec, node));
    const load = (node: KubeObject) =>
      store.list<Pod>('Pod').filter(({ spec }) => spec?.nodeName === node.metadata.name).length;
    const [node] = nodes.sort((a, b) => load(a) - load(b));
    if (!node) {
      setStatus(store, 'Pod', it, { ...it.status, conditions: [condition('PodScheduled', false, 'Unschedulable')] });
      return;
    }
    store.bind(namespace, name, node.metadata.name ?? '');
    return;
  }
  const isBroken = it.spec.containers.some(({ image }) => image?.endsWith(':broken'));
  const ails = it.metadata.annotations?.[AILS];
  const isUp = since('bound') >= readyMs && !isBroken && ails === undefined;
  const phase =
    isUp || ails === UNREADY || ails === 'CrashLoopBackOff' ? 'Running' : ails === FAILED ? FAILED : 'Pending';
  const said = it.status?.containerStatuses?.[0]?.state;
  const isSaid = !ails || ails === said?.waiting?.reason || (phase === it.status?.phase && !said?.waiting);
  if (isUp === isReady(it) && said && isSaid) return;
  setStatus(store, 'Pod', it, {
    ...it.status,
    phase,
    startTime: it.status?.startTime ?? now(),
    conditions: [condition('PodScheduled', true), condition('Ready', isUp, isUp ? undefined : 'ContainersNotReady')],
    containerStatuses: it.spec.containers.map(({ name: container, image = '' }) => ({
      name: container,
      image,
      imageID: isUp ? `registry.example.com/image@sha256:${'0'.repeat(64)}` : '',
      ready: isUp,
      started: isUp,
      restartCount: ails === 'CrashLoopBackOff' ? 12 : 0,
      state: isUp || ails === UNREADY ? { running: { startedAt: now() } } : restOf(image, ails),
      lastState: ails === 'CrashLoopBackOff' ? { terminated: { reason: 'Error', exitCode: 1 } } : {},
    })),
  });
}

function restOf(image: string, ails: string | undefined) {
  if (ails === FAILED) return { terminated: { reason: 'Error', exitCode: 1, finishedAt: now() } };
  if (ails) return { waiting: { reason: ails } };
  return image.endsWith(':broken')
    ? { waiting: { reason: 'ImagePullBackOff', message: `Back-off pulling image "${image}"` } }
    : { waiting: { reason: 'ContainerCreating' } };
}

type PodSpec = Pod['spec'];

/** Whether the labels of a node are those that a pod asks for. */
export function isSelected(spec: PodSpec, { metadata }: KubeObject): boolean {
  return Object.entries(spec?.nodeSelector ?? {}).every(([key, value]) => metadata.labels?.[key] === value);
}

function isTolerated(spec: PodSpec, node: Raw<V1Node> & KubeObject): boolean {
  const taints = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  return taints.every((taint) =>
    (spec?.tolerations ?? []).some(
      ({ key, operator, value, effect }) =>
        (!effect || effect === taint.effect) &&
        (operator === 'Exists'
          ? !key || key === taint.key
          : key === taint.key && (value ?? '') === (taint.value ?? '')),
    ),
  );
}

const seen = new Map<string, number>();

const condition = (type: string, is: boolean, reason?: string) => ({
  type,
  status: is ? 'True' : 'False',
  lastProbeTime: null,
  lastTransitionTime: now(),
  ...(reason === undefined ? {} : { reason }),
});
