import type { Kubernetes } from '../kubernetes.ts';

/** Pods of a workload, with one container of its name. */
const template = (app: string, image = `registry.example.com/${app}:1`) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: app, image, ports: [{ containerPort: 8080, protocol: 'TCP' }] }] },
});
const workload = (kind: string, name: string, spec: object) => ({
  apiVersion: 'apps/v1',
  kind,
  metadata: { namespace: 'shop', name, labels: { app: name } },
  spec: { selector: { matchLabels: { app: name } }, template: template(name), ...spec },
});

/** Fills a cluster: three nodes, and a shop of a deployment `web`, a stateful set `db`, a daemon set `agent` and a job `import`. */
export function seedShop(cluster: Kubernetes): void {
  for (const name of ['default', 'kube-system', 'shop', 'other'])
    cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, status: { phase: 'Active' } });
  for (const name of ['node-1', 'node-2', 'node-3'])
    cluster.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
      spec: {},
      status: {
        allocatable: { cpu: '4', memory: '8Gi', pods: '110' },
        capacity: { cpu: '4', memory: '8Gi', pods: '110' },
        conditions: [
          { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
          { type: 'Ready', status: 'True', reason: 'KubeletReady' },
        ],
        nodeInfo: {
          architecture: 'amd64',
          bootID: '0',
          containerRuntimeVersion: 'containerd://1.7.27',
          kernelVersion: '6.1.0',
          kubeProxyVersion: '',
          kubeletVersion: 'v1.32.4',
          machineID: '0',
          operatingSystem: 'linux',
          osImage: 'Debian GNU/Linux 12',
          systemUUID: '0',
        },
      },
    });
  cluster.create(workload('Deployment', 'web', { replicas: 3 }));
  cluster.create(workload('StatefulSet', 'db', { replicas: 2, serviceName: 'db' }));
  cluster.create(workload('DaemonSet', 'agent', {}));
  cluster.create({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace: 'shop', name: 'import' },
    spec: {
      template: {
        ...template('import'),
        spec: { ...template('import').spec, restartPolicy: 'Never' },
      },
    },
  });
}
