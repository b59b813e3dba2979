/** Every change that the kubernetes toolset makes to workloads, jobs and nodes, on a double of the API server, seen by the real kubectl. */
import { describe, expect, it } from 'vitest';
import { resourceOfKind } from '../../real-parts/kubernetes/resources.ts';
import type { Kubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { AGENT, DB, useShop, WEB } from './kubernetes-shop.ts';

const skip = requireParts('the kubernetes toolset: changes', 'kubectl');

describe.skipIf(skip)('the kubernetes toolset', () => {
  let cluster: Kubernetes;
  const { kubectl, shop, call, inspect, change, undo, settled, podOf } = useShop((started) => {
    cluster = started;
  });

  describe('changes', () => {
    it.each([WEB, DB, AGENT])('rollout_restart: makes every pod of $kind anew', async (input) => {
      const uids = () => shop('get', 'pods', '-l', `app=${input.name}`, '-o', 'jsonpath={.items[*].metadata.uid}');
      const old = (await uids()).split(' ');
      const { population, preview } = await change('rollout_restart', input);
      expect(population).toMatchObject({ group: `${input.kind} shop/${input.name}`, members: old.length, affects: 1 });
      expect(preview?.at(-1)).toBe('the system itself accepted a dry run of it');
      await settled();
      const young = (await uids()).split(' ');
      expect(young).toHaveLength(old.length);
      for (const uid of old) expect(young).not.toContain(uid);
    });

    it('rollout_restart: counts how many go down at once, and refuses what would not restart', async () => {
      const strategy = (kind: string, name: string, of: object) =>
        cluster.store.update(resourceOfKind(kind), 'shop', name, (current) => ({
          ...current,
          spec: { ...current.spec, ...of },
        }));
      const affects = async () => {
        await settled();
        return (await inspect('rollout_restart', WEB)).population?.affects;
      };
      expect(await affects()).toBe(1);
      for (const [maxUnavailable, count] of [
        ['70%', 2],
        [2, 2],
        ['100%', 3],
        [9, 3],
      ]) {
        const rollingUpdate = { maxUnavailable, maxSurge: 0 };
        strategy('Deployment', 'web', { strategy: { type: 'RollingUpdate', rollingUpdate } });
        expect(await affects(), String(maxUnavailable)).toBe(count);
      }
      strategy('Deployment', 'web', { strategy: { type: 'Recreate' } });
      expect(await affects()).toBe(3);
      strategy('DaemonSet', 'agent', { updateStrategy: { type: 'OnDelete' } });
      await expect(inspect('rollout_restart', AGENT)).rejects.toThrow('replaces its pods only when they are deleted');
    });

    it.each([WEB, DB])('scale_up, scale_down: each takes the other back for $kind', async (input) => {
      const has = () => shop('get', input.kind, input.name, '-o', 'jsonpath={.spec.replicas}/{.status.readyReplicas}');
      const was = await has();
      const up = await change('scale_up', { ...input, replicas: 5 });
      expect(await has()).toBe('5/5');
      await undo('scale_up', { ...input, replicas: 5 }, up);
      expect(await has()).toBe(was);
      const down = await change('scale_down', { ...input, replicas: 0 });
      expect(down.population).toMatchObject({ members: Number(was.split('/')[0]), affects: Number(was.split('/')[0]) });
      expect(await has()).toBe('0/');
      expect(await call('workload', input)).toMatchObject({ replicas: 0, ready: 0, complete: true });
      await undo('scale_down', { ...input, replicas: 0 }, down);
      expect(await has()).toBe(was);
      await expect(inspect('scale_up', { ...input, replicas: 1 })).rejects.toThrow('replicas or more');
      await expect(inspect('scale_down', { ...input, replicas: 9 })).rejects.toThrow('replicas or fewer');
    });

    it('patch_image: gives one container another image, and the old one back', async () => {
      const image = () => shop('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[*].image}');
      const input = { ...WEB, container: 'web', image: 'registry.example.com/web:7' };
      const done = await change('patch_image', input);
      expect(await image()).toBe('registry.example.com/web:7');
      await undo('patch_image', input, done);
      expect(await image()).toBe('registry.example.com/web:1');
      await expect(inspect('patch_image', { ...input, container: 'sidecar' })).rejects.toThrow(
        'has no container sidecar',
      );
      await expect(inspect('patch_image', { ...input, image: 'registry.example.com/web:1' })).rejects.toThrow(
        'already',
      );
    });

    it('rollback: goes to the revision before or a given one, and back', async () => {
      const image = () => shop('get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image}');
      const revision = () =>
        shop('get', 'deploy', 'web', '-o', 'jsonpath={.metadata.annotations.deployment\\.kubernetes\\.io/revision}');
      await shop('set', 'image', 'deployment/web', 'web=registry.example.com/web:8');
      await shop('annotate', 'deployment/web', 'kubernetes.io/change-cause=a bad idea');
      await settled();
      const bad = Number(await revision());
      const input = { namespace: 'shop', name: 'web' };
      const done = await change('rollback', input);
      expect(done.before).toEqual({ revision: bad });
      expect(done.preview).toContain('from registry.example.com/web:8 in container web');
      expect(done.preview).toContain('to registry.example.com/web:1 in container web');
      expect(await image()).toBe('registry.example.com/web:1');
      expect(await shop('rollout', 'history', 'deployment/web')).not.toMatch(
        new RegExp(`^${bad + 1} +a bad idea`, 'm'),
      );
      const labels = ['-o', 'jsonpath={.spec.template.metadata.labels}'];
      expect(JSON.parse(await shop('get', 'deploy', 'web', ...labels))).toEqual({ app: 'web' });
      const back = await undo('rollback', input, done);
      expect(back.result).toMatchObject({ to: bad, images: ['registry.example.com/web:8'] });
      expect(await image()).toBe('registry.example.com/web:8');
      await undo('rollback', input, back);
      expect(await image()).toBe('registry.example.com/web:1');
      await expect(inspect('rollback', { ...input, revision: 999 })).rejects.toThrow('has no revision 999; it has');
    });

    it('rollback: refuses where there is one revision only, or the deployment is paused', async () => {
      const template = { metadata: { labels: { app: 'new' } }, spec: { containers: [{ name: 'new', image: 'a:1' }] } };
      cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { namespace: 'shop', name: 'new' },
        spec: { replicas: 1, selector: { matchLabels: { app: 'new' } }, template },
      });
      await shop('rollout', 'status', 'deployment/new');
      await expect(inspect('rollback', { namespace: 'shop', name: 'new' })).rejects.toThrow(
        'deployments shop/new has no revision before 1',
      );
      await shop('rollout', 'pause', 'deployment/new');
      await expect(inspect('rollback', { namespace: 'shop', name: 'new' })).rejects.toThrow('is paused');
      await expect(inspect('rollout_restart', { ...WEB, name: 'new' })).rejects.toThrow(
        'is paused, so a restart would wait',
      );
      await shop('delete', 'deployment', 'new');
    });

    it('delete_pod: deletes exactly the one that was looked at; a dry run deletes none', async () => {
      const input = await podOf('web');
      const { preview } = await inspect('delete_pod', input);
      expect(preview?.[1]).toMatch(/^its ReplicaSet web-\w+ makes another one$/);
      expect(await call('pod', input)).toMatchObject({ exists: true, deleting: false });
      await change('delete_pod', input);
      await settled();
      expect(await call('pod', input)).toEqual({ exists: false, notReady: false });
      expect(await shop('get', 'deploy', 'web', '-o', 'jsonpath={.status.readyReplicas}')).toBe('3');
      cluster.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: 'shop', name: 'lonely' },
        spec: { containers: [{ name: 'lonely', image: 'a:1' }] },
      });
      await eventually(
        'it runs',
        async () => (await call('pod', { namespace: 'shop', pod: 'lonely' })).ready || undefined,
      );
      const { preview: warning } = await inspect('delete_pod', { namespace: 'shop', pod: 'lonely' });
      expect(warning?.[1]).toBe('NO controller makes another one: it is gone for good');
      await call('delete_pod', { namespace: 'shop', pod: 'lonely' });
    });

    it('delete_job: deletes it with its pods; a dry run deletes nothing', async () => {
      const input = { namespace: 'shop', job: 'import' };
      const { preview } = await inspect('delete_job', input);
      expect(preview?.[1]).toBe('active 1, succeeded 0, failed 0');
      expect(await shop('get', 'jobs', '-o', 'name')).toBe('job.batch/import\n');
      await call('delete_job', input);
      expect(await shop('get', 'jobs', '-o', 'name')).toBe('');
      await settled();
      expect(await shop('get', 'pods', '-l', 'app=import', '-o', 'name')).toBe('');
      await expect(inspect('delete_job', input)).rejects.toThrow('NotFound: jobs.batch "import" not found');
    });

    it('cordon, uncordon: each takes the other back', async () => {
      const is = () => kubectl('get', 'node', 'node-2', '-o', 'jsonpath={.spec.unschedulable}');
      const done = await change('cordon', { node: 'node-2' });
      expect(await is()).toBe('true');
      await expect(inspect('cordon', { node: 'node-2' })).rejects.toThrow('node node-2 is cordoned already');
      const back = await undo('cordon', { node: 'node-2' }, done);
      expect(await is()).not.toBe('true');
      await undo('uncordon', { node: 'node-2' }, back);
      expect(await is()).toBe('true');
    });
  });
});
