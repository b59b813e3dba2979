import type { V1ObjectMeta } from '@kubernetes/client-node';
import type { Raw } from './schema.ts';

/** Any object of the API, as it goes over the wire. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: Raw<V1ObjectMeta>;
  spec?: object;
  status?: object;
}

/** A kind of object that the double serves. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** The published API type of one of them. */
  readonly type: string;
  readonly subresources: readonly (keyof typeof SUBRESOURCE_KINDS)[];
  readonly shortNames: readonly string[];
  readonly verbs: readonly string[];
}

const SUBRESOURCE_KINDS = {
  status: {},
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: ['get', 'patch', 'update'] },
  log: { kind: 'Pod', verbs: ['get'] },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
  finalize: { verbs: ['update'] },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', verbs: ['create'] },
} as const;

const ALL = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
type More = Partial<Pick<Resource, 'namespaced' | 'subresources' | 'shortNames' | 'verbs' | 'type'>>;
const of = (group: string, version: string, plural: string, kind: string, more: More = {}): Resource => ({
  group,
  version,
  plural,
  kind,
  type: `V1${kind}`,
  namespaced: true,
  subresources: [],
  shortNames: [],
  verbs: ALL,
  ...more,
});
const RBAC = 'rbac.authorization.k8s.io';

/** Everything that the double keeps and serves. */
export const RESOURCES: readonly Resource[] = [
  of('', 'v1', 'namespaces', 'Namespace', {
    namespaced: false,
    subresources: ['status', 'finalize'],
    shortNames: ['ns'],
    verbs: ALL.filter((verb) => verb !== 'deletecollection'),
  }),
  of('', 'v1', 'nodes', 'Node', { namespaced: false, subresources: ['status'], shortNames: ['no'] }),
  of('', 'v1', 'pods', 'Pod', { subresources: ['status', 'log', 'eviction'], shortNames: ['po'] }),
  of('', 'v1', 'events', 'Event', { type: 'CoreV1Event', shortNames: ['ev'] }),
  of('', 'v1', 'serviceaccounts', 'ServiceAccount', { subresources: ['token'], shortNames: ['sa'] }),
  of('', 'v1', 'secrets', 'Secret'),
  of('', 'v1', 'configmaps', 'ConfigMap', { shortNames: ['cm'] }),
  of('', 'v1', 'services', 'Service', { shortNames: ['svc'] }),
  of('apps', 'v1', 'deployments', 'Deployment', { subresources: ['status', 'scale'], shortNames: ['deploy'] }),
  of('apps', 'v1', 'replicasets', 'ReplicaSet', { subresources: ['status', 'scale'], shortNames: ['rs'] }),
  of('apps', 'v1', 'statefulsets', 'StatefulSet', { subresources: ['status', 'scale'], shortNames: ['sts'] }),
  of('apps', 'v1', 'daemonsets', 'DaemonSet', { subresources: ['status'], shortNames: ['ds'] }),
  of('batch', 'v1', 'jobs', 'Job', { subresources: ['status'] }),
  of('policy', 'v1', 'poddisruptionbudgets', 'PodDisruptionBudget', { subresources: ['status'], shortNames: ['pdb'] }),
  of('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', { shortNames: ['netpol'] }),
  of(RBAC, 'v1', 'roles', 'Role'),
  of(RBAC, 'v1', 'rolebindings', 'RoleBinding'),
  of(RBAC, 'v1', 'clusterroles', 'ClusterRole', { namespaced: false }),
  of(RBAC, 'v1', 'clusterrolebindings', 'ClusterRoleBinding', { namespaced: false }),
  of('admissionregistration.k8s.io', 'v1', 'validatingadmissionpolicies', 'ValidatingAdmissionPolicy', {
    namespaced: false,
  }),
  of('admissionregistration.k8s.io', 'v1', 'validatingadmissionpolicybindings', 'ValidatingAdmissionPolicyBinding', {
    namespaced: false,
  }),
  of('authorization.k8s.io', 'v1', 'selfsubjectaccessreviews', 'SelfSubjectAccessReview', {
    namespaced: false,
    verbs: ['create'],
  }),
  of('metrics.k8s.io', 'v1beta1', 'pods', 'PodMetrics', { type: 'PodMetrics', verbs: ['get', 'list'] }),
];

/** Names a resource as roles and refusals do, `deployments.apps`. */
export function qualified({ plural, group }: Resource): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** Finds a resource by kind. @throws Error for one that the double does not serve. */
export function resourceOfKind(kind: string): Resource {
  const found = RESOURCES.find((one) => one.kind === kind);
  if (!found) throw new Error(`the double serves no ${kind}`);
  return found;
}

/** Answers what a client asks first: which groups, versions and resources there are; undefined for any other path. */
export function discovery(
  path: string,
  has: (resource: Resource) => boolean,
): { body: object; type: string } | undefined {
  const served = RESOURCES.filter(has);
  const groups = [...new Set(served.map(({ group }) => group).filter((group) => group !== ''))];
  const versionOf = (group: string) => served.find((one) => one.group === group)?.version ?? 'v1';
  if (path === '/version') {
    const body = {
      major: '1',
      minor: '32',
      gitVersion: 'v1.32.4',
      gitCommit: '0',
      gitTreeState: 'clean',
      buildDate: '2025-04-22T16:03:58Z',
      goVersion: 'go1.23.6',
      compiler: 'gc',
      platform: 'linux/amd64',
    };
    return { body, type: 'VersionInfo' };
  }
  if (path === '/api')
    return {
      body: { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] },
      type: 'V1APIVersions',
    };
  if (path === '/apis') {
    const body = {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: groups.map((name) => {
        const version = { groupVersion: `${name}/${versionOf(name)}`, version: versionOf(name) };
        return { name, versions: [version], preferredVersion: version };
      }),
    };
    return { body, type: 'V1APIGroupList' };
  }
  const [, group = '', version] = /^\/(?:api|apis\/([^/]+))\/([^/]+)$/.exec(path) ?? [];
  if (version === undefined || !served.some((one) => one.group === group && one.version === version)) return undefined;
  const resources = served
    .filter((one) => one.group === group)
    .flatMap(({ plural, kind, namespaced, verbs, shortNames, subresources }) => [
      {
        name: plural,
        singularName: kind.toLowerCase(),
        namespaced,
        kind,
        verbs: [...verbs],
        shortNames: [...shortNames],
      },
      ...subresources.map((sub) => ({
        name: `${plural}/${sub}`,
        singularName: '',
        namespaced,
        kind,
        verbs: ['get', 'patch', 'update'],
        ...SUBRESOURCE_KINDS[sub],
      })),
    ]);
  const groupVersion = group === '' ? version : `${group}/${version}`;
  return { body: { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }, type: 'V1APIResourceList' };
}
