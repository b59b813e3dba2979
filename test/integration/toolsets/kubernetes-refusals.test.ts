/** What the kubernetes toolset does not do, on a double of the API server, seen by the real kubectl. */
import { beforeAll, describe, expect, it } from 'vitest';
import { createCatalogue } from '../../../src/mcp-tools/index.ts';
import { kubernetesToolset } from '../../../src/mcp-tools/kubernetes/index.ts';
import type { Kubernetes } from '../../real-parts/kubernetes.ts';
import { requireParts } from '../../real-parts/require.ts';
import { AGENT, DB, useShop, WEB } from './kubernetes-shop.ts';

const skip = requireParts('the kubernetes toolset: refusals', 'kubectl');

describe.skipIf(skip)('the kubernetes toolset', () => {
  let cluster: Kubernetes;
  const { shop, call, inspect } = useShop((started) => {
    cluster = started;
  });

  // A deployment with one revision only has nothing to roll back to.
  beforeAll(async () => {
    await shop('set', 'image', 'deployment/web', 'web=registry.example.com/web:0');
    await shop('rollout', 'status', 'deployment/web', '--timeout=20s');
  });

  describe('refusals', () => {
    it('come from the API server in its own words, with what to do', async () => {
      const nobody = cluster.account('shop', 'nobody') as unknown as Record<string, unknown>;
      await expect(call('pods', { namespace: 'shop' }, nobody)).rejects.toThrow(
        /with 403: Forbidden: pods is forbidden: User "system:serviceaccount:shop:nobody" cannot list resource "pods" .*Fix: give the account of this toolset this permission/,
      );
      await expect(call('pods', { namespace: 'shop' }, { token: 'a' })).rejects.toThrow(
        /with 401: Unauthorized: .*Fix: correct the credentials/,
      );
      await expect(inspect('rollout_restart', { ...WEB, name: 'none' })).rejects.toThrow(
        'NotFound: deployments.apps "none" not found',
      );
      await expect(call('pods', { namespace: 'shop' }, { ca: undefined })).rejects.toThrow(
        /cannot reach Kubernetes at https/,
      );
    });

    it.each([
      ['rollout_restart', WEB],
      ['scale_up', { ...WEB, replicas: 4 }],
      ['scale_down', { ...WEB, replicas: 2 }],
      ['patch_image', { ...WEB, container: 'web', image: 'a.example.com/b:1' }],
      ['rollback', { namespace: 'shop', name: 'web' }],
    ])('%s: what somebody else changed meanwhile is not overwritten', async (name, input) => {
      const generation = () => shop('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.generation}');
      const was = await generation();
      cluster.interfere = ({ verb, resource }) => {
        if (verb === 'patch')
          cluster.store.update(resource, 'shop', 'web', (current) => ({
            ...current,
            metadata: {
              ...current.metadata,
              annotations: { ...current.metadata.annotations, seen: String(Math.random()) },
            },
          }));
        return null;
      };
      await expect(call(name, input)).rejects.toThrow(
        /with 409: Conflict: Operation cannot be fulfilled on deployments.apps "web": the object has been modified/,
      );
      cluster.interfere = () => null;
      expect(await generation()).toBe(was);
    });

    it('delete_pod: another pod of the same name is not deleted', async () => {
      const input = { namespace: 'shop', pod: 'db-0' };
      cluster.interfere = ({ verb, resource, namespace, name = '' }) => {
        if (verb !== 'delete') return null;
        const old = cluster.store.get(resource, namespace, name);
        cluster.store.remove(resource, namespace, name);
        const { labels = {}, ownerReferences = [] } = old.metadata;
        cluster.store.create(resource, namespace, { ...old, metadata: { name, labels, ownerReferences } });
        return null;
      };
      await expect(call('delete_pod', input)).rejects.toThrow(
        /409: Conflict: .* the UID in the precondition \(\S+\) does not match the UID in record/,
      );
      cluster.interfere = () => null;
      expect(await call('pod', input)).toMatchObject({ exists: true, deleting: false });
    });

    it.each([
      ['rollout_restart', WEB],
      ['scale_up', { ...WEB, replicas: 4 }],
      ['scale_down', { ...WEB, replicas: 2 }],
      ['patch_image', { ...WEB, container: 'web', image: 'a.example.com/b:1' }],
      ['rollback', { namespace: 'shop', name: 'web' }],
      ['delete_pod', { namespace: 'shop', pod: 'db-0' }],
      ['cordon', { node: 'node-1' }],
      ['drain', { node: 'node-1' }],
    ])('%s: what the system refuses in a dry run is not put before a person', async (name, input) => {
      const version = cluster.store.version();
      cluster.interfere = ({ verb }) => (['patch', 'delete', 'create'].includes(verb) ? 'changes are frozen' : null);
      await expect(inspect(name, input)).rejects.toThrow(
        'with 403: Forbidden: admission webhook "guard.example.com" denied the request: changes are frozen',
      );
      expect(cluster.store.version()).toBe(version);
    });

    it('an inspection changes nothing, whatever it is of', async () => {
      const version = cluster.store.version();
      for (const [name, input] of [
        ['rollout_restart', DB],
        ['scale_up', { ...WEB, replicas: 4 }],
        ['scale_down', { ...WEB, replicas: 2 }],
        ['patch_image', { ...AGENT, container: 'agent', image: 'a.example.com/b:1' }],
        ['rollback', { namespace: 'shop', name: 'web' }],
        ['delete_pod', { namespace: 'shop', pod: 'db-0' }],
        ['cordon', { node: 'node-1' }],
        ['drain', { node: 'node-1' }],
      ] as const)
        await inspect(name, input);
      expect(cluster.store.version()).toBe(version);
    });

    it('namespaces: only those of the setting are looked at and changed', async () => {
      const only = { namespaces: ['other'] };
      for (const [name, input] of [
        ['pods', { namespace: 'shop' }],
        ['rollout_restart', WEB],
        ['rollback', { namespace: 'shop', name: 'web' }],
      ] as const) {
        const before = cluster.requests.length;
        await expect(call(name, input, only), name).rejects.toThrow(/namespace "shop" is not among those/);
        expect(cluster.requests.length, name).toBe(before);
      }
      expect((await call('node_pods', { node: 'node-1' }, only)).pods).toEqual([]);
    });

    it('the namespaces of the system are never changed', () => {
      const configured = { prod: { uses: 'kubernetes', match: [], ...cluster.admin } };
      const catalogue = createCatalogue({ kubernetes: kubernetesToolset }, configured);
      const inputs: Record<string, object> = {
        rollout_restart: { kind: 'deployments', name: 'coredns' },
        scale_up: { kind: 'deployments', name: 'coredns', replicas: 3 },
        scale_down: { kind: 'deployments', name: 'coredns', replicas: 1 },
        patch_image: { kind: 'deployments', name: 'coredns', container: 'coredns', image: 'a.example.com/b:1' },
        rollback: { name: 'coredns' },
        delete_pod: { pod: 'coredns-1' },
        delete_job: { job: 'a' },
      };
      const namespaced = kubernetesToolset.tools.filter(({ risk, scope }) => risk !== 'read' && scope?.namespace);
      expect(namespaced.map(({ name }) => name.split('.')[1]).sort()).toEqual(Object.keys(inputs).sort());
      for (const [name, input] of Object.entries(inputs))
        for (const namespace of ['kube-system', 'kube-public', 'kube-node-lease']) {
          const bound = catalogue.resolve(`kubernetes.${name}`, { namespace, ...input }, { namespace });
          expect(bound, name).toMatchObject({ ok: true, call: { risk: 'forbidden' } });
        }
    });
  });
});
