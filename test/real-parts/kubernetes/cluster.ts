/** A part of any cluster that belongs to one test run: a namespace and nodes of its own, an account with the role of the toolset, and the hands of what is missing. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments, stringify } from 'yaml';
import { type Access, readKubeconfig } from '../../../src/mcp-tools/kubernetes/kubeconfig.ts';
import { kubernetesPrivileges } from '../../../src/mcp-tools/kubernetes/privileges.ts';
import { endpointOf, kubernetesSettingsSchema } from '../../../src/mcp-tools/kubernetes/settings.ts';
import type { Tool } from '../../../src/mcp-tools/tool.ts';
import { onPath } from '../on-path.ts';
import { eventually, scratchDirectory } from '../program.ts';
import { type Api, apiAt, NOW } from './api.ts';
import { type Between, startBetween } from './between.ts';
import { makeCertificate } from './certificate.ts';
import { handle } from './hands.ts';
import { kubectlOf } from './kubectl.ts';
import { type KubeObject, resourceOfKind } from './resources.ts';
import { now } from './store.ts';

const BEAT_MS = 150;
const LEASE_SECONDS = 10;
const CONTROLLERS_SECONDS = 8;
const POLICY = '/apis/admissionregistration.k8s.io/v1';
const RBAC = '/apis/rbac.authorization.k8s.io/v1';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';
const METRICS = 'pods.metrics.k8s.io';

/** The label that everything made here carries, with the run as its value. */
export const LABEL = 'nightshift-test';

/** What a look at the cluster showed. */
export interface Facts {
  readonly version: string;
  /** Whether a Deployment gets a ReplicaSet by itself. */
  readonly controllers: boolean;
  /** Nodes of the cluster's own. */
  readonly nodes: number;
  readonly metrics: 'its own' | 'a stand-in' | 'none';
  /** Whether the server asks a role at all. */
  readonly authorization: boolean;
  /** Whether ValidatingAdmissionPolicy v1 is served. */
  readonly policies: boolean;
  readonly kubectl: boolean;
}

/** An account of the cluster, by a kubeconfig of its own. */
export interface Account {
  readonly name: string;
  readonly kubeconfig: string;
  readonly token: string;
  readonly api: Api;
}

export interface Cluster {
  readonly has: Facts;
  readonly namespace: string;
  /** Two nodes that run the pods, and a third that runs none. */
  readonly nodes: readonly [string, string, string];
  /** As the administrator of the kubeconfig. */
  readonly api: Api;
  readonly between: Between;
  readonly label: Readonly<Record<string, string>>;
  /** How a pod gets to the nodes of ours, and ends at once. */
  readonly place: object;
  /** Makes a service account with exactly what these tools need in the namespace. */
  readonly account: (suffix: string, tools: readonly Tool[]) => Promise<Account>;
  /** Makes an object, with the label. */
  readonly make: (path: string, object: object) => Promise<KubeObject>;
  /** Reads an object by the real kubectl, where it is here, and by a plain request otherwise. */
  readonly look: (kind: string, name: string) => Promise<KubeObject>;
  readonly list: (kind: string, labels: string) => Promise<KubeObject[]>;
  readonly node: (name: string) => object;
  /** What went wrong with the hands. */
  readonly faults: string[];
  readonly close: () => Promise<void>;
}

/**
 * Takes part of the cluster of a kubeconfig: looks what it has, and makes what the stories need. All of it is removed by `close`, and by
 * itself where this fails half-way.
 */
export async function openCluster(kubeconfig: string): Promise<Cluster> {
  const run = randomBytes(4).toString('hex');
  const namespace = `nightshift-test-${run}`;
  const nodes = [`${namespace}-a`, `${namespace}-b`, `${namespace}-spare`] as const;
  const label = { [LABEL]: run };
  const access = readKubeconfig(kubeconfig);
  const api = apiAt(endpointOf(kubernetesSettingsSchema.parse({ kubeconfig })));
  const { gitVersion = '' } = (await api.must('GET', '/version')) as { gitVersion?: string };
  const kubelet = await startKubelet();
  const between = await startBetween(access);
  const home = scratchDirectory();
  const faults: string[] = [];
  const made: string[] = [];
  let stop = async () => {};
  let isEmptied = false;

  const make: Cluster['make'] = async (path, object) => {
    const { metadata, ...rest } = object as KubeObject;
    const labelled = { ...rest, metadata: { ...metadata, labels: { ...metadata.labels, ...label } } };
    const done = await api.must('POST', path, labelled);
    if (!path.includes(`/namespaces/${namespace}/`)) made.push(`${path}/${done.metadata.name}`);
    return done;
  };
  const close = async () => {
    await stop();
    between.close();
    kubelet.close();
    home.remove();
    await removeAll(api, { namespace, label, made, isEmptied });
  };
  try {
    await make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    const node = (name: string) => nodeOf(name, { label, port: kubelet.port });
    for (const name of nodes) await make('/api/v1/nodes', node(name));
    await api.must(
      'POST',
      `/api/v1/namespaces/${namespace}/serviceaccounts`,
      nameOnly('ServiceAccount', 'default'),
      [409],
    );
    const controllers = await hasControllers(api, namespace, make);
    isEmptied = controllers;
    stop = keepGoing({ api, namespace, nodes: [nodes[0], nodes[1]], hasControllers: controllers }, nodes, {
      label,
      faults,
    });
    const account = accountsOf({ api, access, namespace, make, directory: home.path });
    const policies = ((await api.ask('GET', POLICY)).body as { resources?: { name: string }[] }).resources;
    const others = (await api.list('/api/v1/nodes')).filter(({ metadata }) => metadata.labels?.[LABEL] === undefined);
    const nobody = await account('nobody', []);
    const secrets = { verb: 'delete', resource: 'secrets', namespace };
    const asks = async () => ({ isAsked: !(await mayDo(nobody.api, secrets)) });
    const cluster: Cluster = {
      has: {
        version: gitVersion,
        controllers,
        nodes: others.length,
        metrics: await metricsOf(api, { make, namespace, mayStandIn: !controllers && others.length === 0 }),
        authorization: (await eventually('the server takes a token that it gave', asks)).isAsked,
        policies: Boolean(policies?.some(({ name }) => name === 'validatingadmissionpolicies')),
        kubectl: onPath('kubectl'),
      },
      namespace,
      nodes,
      api,
      between,
      label,
      place: {
        nodeSelector: { [LABEL]: run, 'nightshift-test-pods': 'yes' },
        tolerations: [{ operator: 'Exists' }],
        terminationGracePeriodSeconds: 0,
      },
      account,
      make,
      node,
      ...readers(api, kubeconfig, namespace),
      faults,
      close,
    };
    return cluster;
  } catch (error) {
    await close().catch(() => {});
    throw error;
  }
}

const nameOnly = (kind: string, name: string) => ({ apiVersion: 'v1', kind, metadata: { name } });

/** A node that nothing runs on: its kubelet is a stand-in that knows logs only. */
function nodeOf(name: string, { label, port }: { label: Record<string, string>; port: number }): object {
  const is = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: reason,
    lastHeartbeatTime: now(),
    lastTransitionTime: now(),
  });
  const capacity = { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '10Gi' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        ...label,
        'kubernetes.io/hostname': name,
        ...(name.endsWith('-spare') ? {} : { 'nightshift-test-pods': 'yes' }),
      },
    },
    // Pods of others stay away.
    spec: { taints: [{ key: LABEL, value: 'own', effect: 'NoSchedule' }] },
    status: {
      capacity,
      allocatable: capacity,
      conditions: [
        is('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
        is('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
        is('PIDPressure', 'False', 'KubeletHasSufficientPID'),
        is('Ready', 'True', 'KubeletReady'),
      ],
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
      nodeInfo: {
        architecture: 'amd64',
        bootID: '0',
        containerRuntimeVersion: 'hands://0',
        kernelVersion: '0',
        kubeProxyVersion: '',
        kubeletVersion: 'v0.0.0-hands',
        machineID: '0',
        operatingSystem: 'linux',
        osImage: 'none',
        systemUUID: '0',
      },
    },
  };
}

/** Answers for logs as a kubelet does; an API server on the same machine finds it. */
async function startKubelet(): Promise<{ port: number; close: () => void }> {
  const server = createServer(makeCertificate(), (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://kubelet');
    if (!pathname.startsWith('/containerLogs/')) return response.writeHead(404).end();
    const at = searchParams.get('timestamps') === 'true' ? `${new Date().toISOString()} ` : '';
    const lines = ['starting', 'started'].slice(-Number(searchParams.get('tailLines') ?? 2));
    return response
      .writeHead(200, { 'content-type': 'text/plain' })
      .end(lines.map((line) => `${at}${line}\n`).join(''));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address() as { port: number };
  return {
    port: address.port,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Whether a Deployment gets a ReplicaSet by itself, within some seconds. */
async function hasControllers(api: Api, namespace: string, make: Cluster['make']): Promise<boolean> {
  const path = `/apis/apps/v1/namespaces/${namespace}`;
  const labels = { app: 'probe' };
  const spec = { containers: [{ name: 'probe', image: 'registry.k8s.io/pause:3.10' }] };
  await make(`${path}/deployments`, {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'probe' },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
  });
  const until = Date.now() + CONTROLLERS_SECONDS * 1000;
  let found = false;
  while (!found && Date.now() < until) {
    await sleep(BEAT_MS);
    found = (await api.list(`${path}/replicasets`)).length > 0;
  }
  const options = { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' };
  await api.must('DELETE', `${path}/deployments/probe`, options);
  return found;
}

/** Works until it is stopped: the hands, and a sign of life of every node. */
function keepGoing(
  place: Parameters<typeof handle>[0],
  nodes: readonly string[],
  { label, faults }: { label: Record<string, string>; faults: string[] },
): () => Promise<void> {
  let isOn = true;
  let renewed = 0;
  const work = async () => {
    while (isOn) {
      try {
        await handle(place);
        if (Date.now() - renewed > LEASE_SECONDS * 1000) {
          renewed = Date.now();
          for (const name of nodes) await renewLease(place.api, name, label);
        }
      } catch (error) {
        faults.push(String(error));
      }
      await sleep(BEAT_MS);
    }
  };
  const done = work();
  return async () => {
    isOn = false;
    await done;
  };
}

/** A node whose lease is renewed is not given up by the cluster. */
async function renewLease(api: Api, name: string, labels: Record<string, string>): Promise<void> {
  const renewTime = new Date().toISOString().replace('Z', '000Z');
  const { code } = await api.ask('PATCH', `${LEASES}/${name}`, { spec: { renewTime } });
  if (code !== 404) return;
  const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime };
  // Not there either where leases are not served at all.
  await api.ask('POST', LEASES, {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, labels },
    spec,
  });
}

/** The metrics API: the cluster's own, or where nothing else could be disturbed, a stand-in of custom resources. */
async function metricsOf(
  api: Api,
  { make, namespace, mayStandIn }: { make: Cluster['make']; namespace: string; mayStandIn: boolean },
): Promise<Facts['metrics']> {
  const group = '/apis/metrics.k8s.io/v1beta1';
  if ((await api.ask('GET', group)).code === 200) return 'its own';
  const definitions = '/apis/apiextensions.k8s.io/v1';
  if (!mayStandIn || (await api.ask('GET', definitions)).code !== 200) return 'none';
  await make(`${definitions}/customresourcedefinitions`, {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: METRICS, annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in of a test' } },
    spec: {
      group: 'metrics.k8s.io',
      scope: 'Namespaced',
      names: { plural: 'pods', singular: 'pod', kind: 'PodMetrics', listKind: 'PodMetricsList' },
      versions: [
        {
          name: 'v1beta1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  const own = `${group}/namespaces/${namespace}/pods`;
  const isServed = async () => (await api.ask('GET', own)).code === 200 || undefined;
  if (!(await eventually('the stand-in of the metrics API is served', isServed, 30).catch(() => false))) return 'none';
  const usage = { cpu: '3m', memory: '21408Ki' };
  await make(own, {
    apiVersion: 'metrics.k8s.io/v1beta1',
    kind: 'PodMetrics',
    metadata: { name: 'db-0' },
    timestamp: now(),
    window: '15s',
    containers: [{ name: 'db', usage }],
  });
  return 'a stand-in';
}

/** Asks the server itself whether an account may do something. */
async function mayDo(api: Api, resourceAttributes: object): Promise<boolean> {
  const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } };
  const { status } = await api.must('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', body);
  return (status as { allowed?: boolean } | undefined)?.allowed === true;
}

interface Accounting {
  readonly api: Api;
  readonly access: Access;
  readonly namespace: string;
  readonly make: Cluster['make'];
  readonly directory: string;
}

/** Service accounts by TokenRequest, with what `kubernetesPrivileges` generates for the tools. */
function accountsOf({ api, access, namespace, make, directory }: Accounting): Cluster['account'] {
  const { url, ca, serverName } = access;
  return async (suffix, tools) => {
    // Cluster-wide names as well, so the run is part of it.
    const name = `${namespace}-${suffix}`;
    const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
    await make(accounts, nameOnly('ServiceAccount', name));
    const text =
      tools.length === 0 ? '' : kubernetesPrivileges(tools, { namespaces: [namespace] }, { namespace, name });
    const manifests = text === '' ? [] : parseAllDocuments(text).map((one) => one.toJS() as KubeObject);
    for (const manifest of manifests) {
      const { plural, group, version, namespaced } = resourceOfKind(manifest.kind ?? '');
      const where = namespaced ? `/namespaces/${manifest.metadata.namespace}` : '';
      await make(`/apis/${group}/${version}${where}/${plural}`, manifest);
    }
    const asked = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: 3600 },
    };
    const { status } = await api.must('POST', `${accounts}/${name}/token`, asked);
    const { token = '' } = status as { token?: string };
    const kubeconfig = join(directory, `${suffix}.yaml`);
    const cluster = {
      server: url,
      ...(ca ? { 'certificate-authority-data': Buffer.from(ca).toString('base64') } : {}),
      ...(serverName ? { 'tls-server-name': serverName } : {}),
    };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': suffix,
      clusters: [{ name: 'tested', cluster }],
      users: [{ name: suffix, user: { token } }],
      contexts: [{ name: suffix, context: { cluster: 'tested', user: suffix } }],
    };
    writeFileSync(kubeconfig, stringify(config), { mode: 0o600 });
    const own = apiAt(endpointOf(kubernetesSettingsSchema.parse({ kubeconfig })));
    if (tools.length > 0)
      await eventually('the server has heard of the roles', async () => {
        const rules = manifests.flatMap(({ kind, rules = [] }: KubeObject & { rules?: Rule[] }) =>
          rules.map((rule) => ({ ...rule, kind })),
        );
        for (const { kind, apiGroups, resources, verbs } of rules)
          for (const one of resources)
            for (const verb of verbs) {
              const [resource, subresource] = one.split('/');
              const where = kind === 'Role' ? { namespace } : {};
              const attributes = {
                verb,
                group: apiGroups[0],
                resource,
                ...(subresource ? { subresource } : {}),
                ...where,
              };
              if (!(await mayDo(own, attributes))) return undefined;
            }
        return true;
      });
    return { name, kubeconfig, token, api: own };
  };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const GROUPS: Readonly<Record<string, string>> = {
  deployments: '/apis/apps/v1',
  replicasets: '/apis/apps/v1',
  statefulsets: '/apis/apps/v1',
  daemonsets: '/apis/apps/v1',
  jobs: '/apis/batch/v1',
};

function readers(api: Api, kubeconfig: string, namespace: string): Pick<Cluster, 'look' | 'list'> {
  const where = (kind: string) =>
    `${GROUPS[kind] ?? '/api/v1'}${kind === 'nodes' ? '' : `/namespaces/${namespace}`}/${kind}`;
  if (!onPath('kubectl'))
    return {
      look: (kind, name) => api.must('GET', `${where(kind)}/${name}`),
      list: (kind, labels) => api.list(`${where(kind)}?labelSelector=${encodeURIComponent(labels)}`),
    };
  const { get } = kubectlOf(kubeconfig);
  return {
    look: async (kind, name) => (await get('-n', namespace, kind, name)) as KubeObject,
    list: async (kind, labels) => ((await get('-n', namespace, kind, '-l', labels)) as { items: KubeObject[] }).items,
  };
}

/** Removes everything of a run; where no controller empties the namespace, by hand. */
async function removeAll(
  api: Api,
  {
    namespace,
    label,
    made,
    isEmptied,
  }: { namespace: string; label: Record<string, string>; made: readonly string[]; isEmptied: boolean },
): Promise<void> {
  const failures: string[] = [];
  const attempt = async (method: string, path: string, body: unknown) => {
    const { code, body: answer } = await api.ask(method, path, body);
    if (code >= 300 && ![404, 405, 409].includes(code)) failures.push(`${method} ${path}: ${code} ${answer.message}`);
  };
  const own = `/api/v1/namespaces/${namespace}`;
  const selector = `labelSelector=${encodeURIComponent(`${LABEL}=${label[LABEL]}`)}`;
  await attempt('DELETE', own, { ...NOW, gracePeriodSeconds: undefined });
  for (const kind of ['deployments', 'statefulsets', 'daemonsets', 'replicasets', 'controllerrevisions'])
    await attempt('DELETE', `/apis/apps/v1/namespaces/${namespace}/${kind}`, {
      ...NOW,
      propagationPolicy: 'Background',
    });
  await attempt('DELETE', `/apis/batch/v1/namespaces/${namespace}/jobs`, { ...NOW, propagationPolicy: 'Background' });
  await attempt('DELETE', `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods?${selector}`, NOW);
  await attempt('DELETE', `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, NOW);
  for (const kind of ['pods', 'events', 'configmaps', 'serviceaccounts'])
    await attempt('DELETE', `${own}/${kind}`, NOW);
  for (const kind of ['rolebindings', 'roles']) await attempt('DELETE', `${RBAC}/namespaces/${namespace}/${kind}`, NOW);
  const leases = await api.ask('GET', `${LEASES}?${selector}`);
  for (const { metadata } of leases.code === 200 ? (leases.body.items ?? []) : [])
    await attempt('DELETE', `${LEASES}/${metadata.name}`, NOW);
  for (const path of made.filter((one) => one !== own).reverse()) await attempt('DELETE', path, NOW);
  await finalize(api, own, { isEmptied, failures });
  if (failures.length > 0) throw new Error(`not everything could be removed: ${failures.join('; ')}`);
}

async function finalize(
  api: Api,
  own: string,
  { isEmptied, failures }: { isEmptied: boolean; failures: string[] },
): Promise<void> {
  const gone = async () => ((await api.ask('GET', own)).code === 404 ? true : undefined);
  try {
    await eventually('the namespace is gone', gone, isEmptied ? 90 : 2);
    return;
  } catch {
    // Nobody empties it, or it takes longer: whatever was ours in it is deleted by now.
  }
  const pods = await api.list(`${own}/pods`);
  for (const { metadata } of pods)
    await api.ask('PATCH', `${own}/pods/${metadata.name}`, { metadata: { finalizers: null } });
  const { code, body } = await api.ask('GET', own);
  if (code === 404) return;
  await api.ask('PUT', `${own}/finalize`, { ...body, spec: { ...body.spec, finalizers: [] } });
  await api.ask('DELETE', own, { apiVersion: 'v1', kind: 'DeleteOptions' });
  await eventually('the namespace is gone', gone, 30).catch((error: unknown) => failures.push(String(error)));
}
