/** The double of the Kubernetes API, judged by the real kubectl. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { kubectlFor } from '../real-parts/kubernetes/kubectl.ts';
import { seedShop } from '../real-parts/kubernetes/shop.ts';
import { type Kubernetes, startKubernetes } from '../real-parts/kubernetes.ts';
import { requireParts } from '../real-parts/require.ts';

const skip = requireParts('the double of the Kubernetes API', 'kubectl');

describe.skipIf(skip)('the double of the Kubernetes API under the real kubectl', () => {
  let cluster: Kubernetes;
  const kubectl = (...args: string[]) => cluster.kubectl.run(args);

  beforeAll(async () => {
    cluster = await startKubernetes();
    seedShop(cluster);
    await kubectl('-n', 'shop', 'rollout', 'status', 'deployment/web', '--timeout=20s');
  });
  afterAll(async () => {
    await cluster?.close();
    expect(cluster?.faults).toEqual([]);
  });

  it('is listed, described and scaled', async () => {
    expect(await kubectl('version')).toContain('v1.32.4');
    expect(await kubectl('get', 'nodes')).toMatch(/node-1/);
    expect(await kubectl('get', 'deploy,sts,ds,po', '-n', 'shop', '-o', 'name')).toContain('deployment.apps/web');
    await kubectl('-n', 'shop', 'scale', 'deployment/web', '--replicas=4');
    await kubectl('-n', 'shop', 'rollout', 'status', 'deployment/web', '--timeout=20s');
    expect(await kubectl('-n', 'shop', 'get', 'deploy', 'web', '-o', 'jsonpath={.status.readyReplicas}')).toBe('4');
  });

  it('rolls out, shows its history and rolls back', async () => {
    await kubectl('-n', 'shop', 'set', 'image', 'deployment/web', 'web=registry.example.com/web:2');
    await kubectl('-n', 'shop', 'rollout', 'status', 'deployment/web', '--timeout=20s');
    expect(await kubectl('-n', 'shop', 'rollout', 'history', 'deployment/web')).toMatch(/^1 .*\n2 /m);
    await kubectl('-n', 'shop', 'rollout', 'undo', 'deployment/web');
    await kubectl('-n', 'shop', 'rollout', 'status', 'deployment/web', '--timeout=20s');
    const image = ['-o', 'jsonpath={.spec.template.spec.containers[0].image}'];
    expect(await kubectl('-n', 'shop', 'get', 'deploy', 'web', ...image)).toBe('registry.example.com/web:1');
    expect(await kubectl('-n', 'shop', 'rollout', 'history', 'deployment/web')).toMatch(/^2 .*\n3 /m);
    for (const workload of ['deployment/web', 'statefulset/db', 'daemonset/agent']) {
      await kubectl('-n', 'shop', 'rollout', 'restart', workload);
      await kubectl('-n', 'shop', 'rollout', 'status', workload, '--timeout=20s');
    }
  });

  it('cordons and drains a node, and deletes a pod', async () => {
    await kubectl('cordon', 'node-1');
    expect(await kubectl('drain', 'node-1', '--ignore-daemonsets', '--timeout=20s')).toContain('evicted');
    const left = await kubectl('get', 'pods', '-A', '--field-selector', 'spec.nodeName=node-1', '-o', 'name');
    expect(left.trim()).toMatch(/^pod\/agent-\w+$/);
    await kubectl('uncordon', 'node-1');
    const name = await kubectl(
      '-n',
      'shop',
      'get',
      'pods',
      '-l',
      'app=web',
      '-o',
      'jsonpath={.items[0].metadata.name}',
    );
    await kubectl('-n', 'shop', 'delete', 'pod', name);
    expect(await kubectl('-n', 'shop', 'get', 'pods', '-o', 'name')).not.toContain(name);
  });

  it('refuses in the words of the API server', async () => {
    const one = kubectlFor(cluster.account('shop', 'nobody'));
    await expect(one.run(['-n', 'shop', 'get', 'pods'])).rejects.toThrow(
      'Error from server (Forbidden): pods is forbidden: User "system:serviceaccount:shop:nobody" cannot list resource "pods" in API group "" in the namespace "shop"',
    );
    one.remove();
    await expect(kubectl('-n', 'shop', 'get', 'deploy', 'none')).rejects.toThrow(
      'Error from server (NotFound): deployments.apps "none" not found',
    );
    await expect(
      kubectl(
        '-n',
        'shop',
        'patch',
        'deploy',
        'web',
        '-p',
        '{"metadata":{"resourceVersion":"1"},"spec":{"paused":true}}',
      ),
    ).rejects.toThrow(
      'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": the object',
    );
    await expect(kubectl('-n', 'shop', 'patch', 'deploy', 'web', '-p', '{"spec":{"replica":1}}')).rejects.toThrow(
      'unknown field "spec.replica"',
    );
    await expect(
      kubectl('-n', 'shop', 'scale', 'deploy/web', '--replicas=2', '--current-replicas=9'),
    ).rejects.toThrow();
  });
});
