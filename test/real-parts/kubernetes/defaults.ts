import type { V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import type { KubeObject } from './resources.ts';
import type { Raw } from './schema.ts';

type Fields = Record<string, unknown>;
const POD: Fields = {
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  securityContext: {},
  schedulerName: 'default-scheduler',
};
const CONTAINER: Fields = {
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  imagePullPolicy: 'IfNotPresent',
};
const ROLLING: Fields = { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } };
const SPECS: Readonly<Record<string, Fields>> = {
  Deployment: { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600, strategy: ROLLING },
  ReplicaSet: { replicas: 1 },
  StatefulSet: {
    replicas: 1,
    revisionHistoryLimit: 10,
    podManagementPolicy: 'OrderedReady',
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
  },
  DaemonSet: {
    revisionHistoryLimit: 10,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
  },
  Job: { parallelism: 1, completions: 1, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false },
};

/** Fills in what the API server does where an object leaves it open. */
export function defaulted(object: KubeObject): KubeObject {
  const { kind = '' } = object;
  if (kind === 'Namespace')
    return { ...object, spec: { finalizers: ['kubernetes'], ...object.spec }, status: { phase: 'Active' } };
  if (kind === 'Pod') return { ...object, spec: podSpec(object.spec as Raw<V1PodSpec>) };
  const own = SPECS[kind];
  if (!own) return object;
  const spec = { ...own, ...object.spec } as { template?: Raw<V1PodTemplateSpec>; strategy?: { type?: string } };
  if (spec.strategy?.type === 'Recreate') spec.strategy = { type: 'Recreate' };
  const { template } = spec;
  return {
    ...object,
    spec: template?.spec ? { ...spec, template: { ...template, spec: podSpec(template.spec) } } : spec,
  };
}

function podSpec(spec: Raw<V1PodSpec>): Raw<V1PodSpec> {
  return { ...POD, ...spec, containers: spec.containers.map((one) => ({ ...CONTAINER, ...one })) };
}
