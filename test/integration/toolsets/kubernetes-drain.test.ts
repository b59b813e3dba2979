/** How the kubernetes toolset drains a node, on a double of the API server, seen by the real kubectl. */
import { describe, expect, it } from 'vitest';
import type { Pod } from '../../real-parts/kubernetes/kubelet.ts';
import type { Kubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { useShop } from './kubernetes-shop.ts';

const skip = requireParts('the kubernetes toolset: drain', 'kubectl');

describe.skipIf(skip)('the kubernetes toolset', () => {
  let cluster: Kubernetes;
  const { kubectl, shop, call, inspect, checked, change, undo } = useShop((started) => {
    cluster = started;
  });

  describe('drain', () => {
    const budget = (minAvailable: number) =>
      cluster.create({
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { namespace: 'shop', name: 'web' },
        spec: { minAvailable, selector: { matchLabels: { app: 'web' } } },
      });
    const onNode = async (node: string) =>
      (await kubectl('get', 'pods', '-A', '--field-selector', `spec.nodeName=${node}`, '-o', 'name'))
        .trim()
        .split('\n');
    /** Pods stay where they are after a drain; made anew, they spread over the nodes again. */
    const spread = async () => {
      await kubectl('uncordon', 'node-1');
      const uids = async () =>
        (await shop('get', 'pods', '-l', 'app in (web,db)', '-o', 'jsonpath={.items[*].metadata.uid}')).split(' ');
      const remake = async () => {
        const there = new Set(await uids());
        // Not waited for: kubectl takes the next pod of a stateful set, made within milliseconds here, for the one before.
        await shop('delete', 'pods', '-l', 'app in (web,db)', '--wait=false');
        return there;
      };
      let before = await remake();
      await eventually('pods that move are on node-1 again', async () => {
        const now = await uids();
        if (now.length < before.size || now.some((uid) => before.has(uid))) return undefined;
        const { toMove } = await call('node_pods', { node: 'node-1' });
        if (Number(toMove) > 0) return true;
        // The scheduler has put all of them elsewhere.
        before = await remake();
        return undefined;
      });
    };

    it('moves what moves, leaves what belongs to the node, and is taken back', async () => {
      const there = await onNode('node-1');
      const done = await change('drain', { node: 'node-1' });
      expect(done.population).toEqual({ group: 'node node-1', members: there.length, affects: there.length - 1 });
      expect(done.preview?.[0]).toBe(
        `cordons node node-1 and evicts ${there.length - 1} of its ${there.length} pod(s)`,
      );
      expect(await onNode('node-1')).toEqual([expect.stringMatching(/^pod\/agent-/)]);
      await undo('drain', { node: 'node-1' }, done);
      expect(await call('node', { node: 'node-1' })).toMatchObject({ schedulable: true });
      await spread();
    });

    it('an inspection cordons and evicts nothing, and a node that was cordoned before has no way back', async () => {
      const there = await onNode('node-1');
      await inspect('drain', { node: 'node-1' });
      expect(await onNode('node-1')).toEqual(there);
      expect(await call('node', { node: 'node-1' })).toMatchObject({ schedulable: true });
      await kubectl('cordon', 'node-1');
      const found = await inspect('drain', { node: 'node-1' });
      await expect(undo('drain', { node: 'node-1' }, found)).rejects.toThrow('node');
      await kubectl('uncordon', 'node-1');
    });

    it('waits for a disruption budget and goes on when it lets it', async () => {
      budget(3);
      await eventually('the budget is counted', async () => (await allowed()) === '0' || undefined);
      const draining = call('drain', { node: 'node-1' }, { drainSeconds: 20 });
      await eventually('an eviction is held back', async () => {
        const { toMove, schedulable } = await call('node_pods', { node: 'node-1' });
        return (schedulable === false && Number(toMove) > 0) || undefined;
      });
      await shop('patch', 'pdb', 'web', '--type=merge', '-p', '{"spec":{"minAvailable":1}}');
      await draining;
      await checked('drain', { node: 'node-1' });
      await shop('delete', 'pdb', 'web');
      await spread();
    });
    const allowed = () => shop('get', 'pdb', 'web', '-o', 'jsonpath={.status.disruptionsAllowed}');

    it('says who held it back when its time is up, and leaves the node cordoned', async () => {
      budget(3);
      await eventually('the budget is counted', async () => (await allowed()) === '0' || undefined);
      await expect(call('drain', { node: 'node-1' }, { drainSeconds: 2 })).rejects.toThrow(
        /node node-1 is cordoned, but \d pod\(s\) are still on it: shop\/web-\S+: The disruption budget web needs 3 healthy pods and has 3 currently/,
      );
      expect(await call('node', { node: 'node-1' })).toMatchObject({ schedulable: false });
      await shop('delete', 'pdb', 'web');
      await spread();
    });

    it('refuses pods that nobody would make again, and those of other namespaces than the listed', async () => {
      const pod = {
        metadata: { namespace: 'other', name: 'lonely' },
        spec: { nodeName: 'node-1', containers: [{ name: 'a', image: 'a:1' }] },
      };
      cluster.create({ apiVersion: 'v1', kind: 'Pod', ...pod });
      await expect(inspect('drain', { node: 'node-1' })).rejects.toThrow(
        'no controller would make again: other/lonely',
      );
      await expect(call('drain', { node: 'node-1' })).rejects.toThrow('no controller would make again');
      await kubectl('-n', 'other', 'delete', 'pod', 'lonely');
      await expect(inspect('drain', { node: 'node-1' }, { namespaces: ['other'] })).rejects.toThrow(
        /pods of namespaces that may not be worked on: shop\//,
      );
      expect(await call('node', { node: 'node-1' })).toMatchObject({ schedulable: true });
    });

    it('evicts no other pod of the same name, and cordons no other node of the same name', async () => {
      const there = cluster.store.list<Pod>('Pod', 'shop').find(({ metadata }) => metadata.name === 'db-0');
      const name = 'db-0';
      const node = there?.spec?.nodeName ?? '';
      const elsewhere = node === 'node-2' ? 'node-3' : 'node-2';
      let young: string | undefined;
      cluster.interfere = ({ subresource, resource, namespace, name: asked }) => {
        if (subresource !== 'eviction' || asked !== name || young !== undefined) return null;
        const old = cluster.store.get(resource, namespace, name);
        cluster.store.remove(resource, namespace, name);
        const { labels = {}, ownerReferences = [] } = old.metadata;
        const made = {
          ...old,
          metadata: { name, labels, ownerReferences },
          spec: { ...old.spec, nodeName: elsewhere },
        };
        young = cluster.store.create(resource, namespace, made).metadata.uid;
        return null;
      };
      await call('drain', { node });
      expect(cluster.store.find('Pod', 'shop', name)?.metadata).toMatchObject({ uid: young });
      cluster.interfere = ({ verb, resource }) => {
        if (verb !== 'patch' || resource.kind !== 'Node') return null;
        const { metadata, ...old } = cluster.store.get(resource, undefined, elsewhere);
        cluster.store.remove(resource, undefined, elsewhere);
        cluster.store.create(resource, undefined, {
          ...old,
          metadata: { name: elsewhere, labels: metadata.labels ?? {} },
        });
        return null;
      };
      await expect(call('drain', { node: elsewhere })).rejects.toThrow(
        /422: Invalid: Node "node-\d" is invalid: metadata.uid: Invalid value: .*field is immutable/,
      );
      cluster.interfere = () => null;
      await spread();
    });

    it('leaves the mirrors of what the kubelet itself runs', async () => {
      cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          namespace: 'kube-system',
          name: 'kube-proxy-node-1',
          annotations: { 'kubernetes.io/config.mirror': 'a' },
        },
        spec: { nodeName: 'node-1', containers: [{ name: 'a', image: 'a:1' }] },
      });
      const { preview } = await inspect('drain', { node: 'node-1' });
      expect(preview?.join('\n')).not.toContain('kube-proxy');
      await kubectl('-n', 'kube-system', 'delete', 'pod', 'kube-proxy-node-1', '--force');
    });
  });
});
