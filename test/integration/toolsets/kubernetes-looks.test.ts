/** Every look of the kubernetes toolset, on a double of the API server, seen by the real kubectl. */
import { describe, expect, it } from 'vitest';
import { AILS } from '../../real-parts/kubernetes/kubelet.ts';
import type { Kubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { useShop, WEB } from './kubernetes-shop.ts';

const skip = requireParts('the kubernetes toolset: looks', 'kubectl');

describe.skipIf(skip)('the kubernetes toolset', () => {
  let cluster: Kubernetes;
  const { kubectl, shop, call, checked } = useShop((started) => {
    cluster = started;
  });

  describe('looks', () => {
    it('workloads: lists what is wanted and what is there, zeros too', async () => {
      for (const [kind, name, count] of [
        ['deployments', 'web', 3],
        ['statefulsets', 'db', 2],
        ['daemonsets', 'agent', 3],
      ]) {
        const { workloads, more } = await call('workloads', { namespace: 'shop', kind });
        expect(workloads).toEqual([
          expect.objectContaining({ name, replicas: count, ready: count, updated: count, unavailable: 0 }),
        ]);
        expect(more).toBe(false);
      }
      expect(await call('workloads', { namespace: 'other', kind: 'deployments' })).toEqual({
        workloads: [],
        more: false,
      });
    });

    it('workload: tells a rollout that is complete from one that is not', async () => {
      expect(await call('workload', WEB)).toMatchObject({
        name: 'web',
        replicas: 3,
        ready: 3,
        updated: 3,
        complete: true,
        paused: false,
        images: ['registry.example.com/web:1'],
      });
      await shop('set', 'image', 'deployment/web', 'web=registry.example.com/web:broken');
      await eventually('the new pods wait', async () => {
        const { pods } = await call('pods', { namespace: 'shop', labelSelector: 'app=web' });
        const waits = (pods as { ready: boolean; containers: { waits?: string }[] }[]).filter(({ ready }) => !ready);
        return waits.some(({ containers }) => containers[0]?.waits === 'ImagePullBackOff') || undefined;
      });
      expect(await call('workload', WEB)).toMatchObject({ complete: false, outdated: 3, unready: 0 });
      await shop('rollout', 'undo', 'deployment/web');
      await checked('rollout_restart', WEB);
    });

    it('pods, pod: list and show them, and say that one is not there', async () => {
      const { pods } = await call('pods', { namespace: 'shop', labelSelector: 'app=db' });
      expect(pods).toEqual([
        expect.objectContaining({ name: 'db-0', phase: 'Running', restarts: 0, ready: true, deleting: false }),
        expect.objectContaining({ name: 'db-1' }),
      ]);
      expect(await call('pod', { namespace: 'shop', pod: 'db-0' })).toMatchObject({ exists: true, ready: true });
      expect(await call('pod', { namespace: 'shop', pod: 'db-9' })).toEqual({ exists: false, notReady: false });
      expect(await call('pods', { namespace: 'shop', labelSelector: 'app=db' })).toMatchObject({ count: 2 });
      const [{ name: pod = '' } = {}] = (await call('pods', { namespace: 'shop', labelSelector: 'app=web' })).pods as {
        name?: string;
      }[];
      await shop('annotate', 'pod', pod, `${AILS}=CrashLoopBackOff`);
      await eventually('it to crash', async () =>
        (await call('pod', { namespace: 'shop', pod })).waits === 'CrashLoopBackOff' ? true : undefined,
      );
      expect(await call('pod', { namespace: 'shop', pod })).toMatchObject({
        notReady: true,
        restarts: 12,
        lastEnd: 'Error',
        controller: expect.stringMatching(/^ReplicaSet web-/),
      });
      const { unready } = await eventually('the deployment to see it', async () => {
        const seen = await call('workload', WEB);
        return seen.complete === false ? seen : undefined;
      });
      expect(unready).toBe(1);
      await shop('delete', 'pod', pod);
      await checked('rollout_restart', WEB);
    });

    it('events: lists the latest first, whoever wrote them', async () => {
      const event = (name: string, more: object) =>
        cluster.create({
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { namespace: 'shop', name },
          involvedObject: { kind: 'Pod', namespace: 'shop', name: 'db-0' },
          source: {},
          ...more,
        });
      expect(await call('events', { namespace: 'shop' })).toEqual({ events: [], more: false });
      event('a.1', {
        type: 'Normal',
        reason: 'Pulled',
        message: 'old',
        firstTimestamp: null,
        lastTimestamp: '2026-01-01T00:00:00Z',
        eventTime: null,
        count: 3,
      });
      expect((await call('events', { namespace: 'shop' })).events).toHaveLength(1);
      event('b.1', {
        type: 'Warning',
        reason: 'BackOff',
        message: 'late',
        lastTimestamp: '2026-01-03T00:00:00Z',
        eventTime: null,
        count: 7,
      });
      event('c.1', {
        type: 'Normal',
        reason: 'Scheduled',
        message: 'between',
        firstTimestamp: null,
        lastTimestamp: null,
        eventTime: '2026-01-02T00:00:00.123456Z',
      });
      const { events } = await call('events', { namespace: 'shop' });
      expect(events).toEqual([
        {
          at: '2026-01-03T00:00:00Z',
          type: 'Warning',
          reason: 'BackOff',
          message: 'late',
          count: 7,
          object: 'Pod/db-0',
        },
        expect.objectContaining({ at: '2026-01-02T00:00:00.123456Z', message: 'between', count: 1 }),
        expect.objectContaining({ message: 'old', count: 3 }),
      ]);
      const warnings = await call('events', { namespace: 'shop', warningsOnly: 'type=Warning' });
      expect(warnings.events).toEqual([expect.objectContaining({ message: 'late' })]);
    });

    it('logs: gives the last lines, also of the run before, and says which containers there are', async () => {
      const written = Array.from({ length: 300 }, (_, index) => `line ${index}`);
      cluster.logs.set('shop/db-0/db', written);
      cluster.logs.set('shop/db-0/db/previous', ['{"fatal": true}']);
      const { lines } = await call('logs', { namespace: 'shop', pod: 'db-0', lines: 200 });
      expect((lines as string[]).map((line) => line.replace(/^\S+ /, ''))).toEqual(written.slice(-200));
      const before = await call('logs', { namespace: 'shop', pod: 'db-0', lines: 5, previous: true });
      expect(before.lines).toEqual([expect.stringContaining('{"fatal": true}')]);
      await expect(call('logs', { namespace: 'shop', pod: 'db-1', lines: 5, previous: true })).rejects.toThrow(
        'previous terminated container "db" in pod "db-1" not found',
      );
      await expect(call('logs', { namespace: 'shop', pod: 'db-1', lines: 5, container: 'x' })).rejects.toThrow(
        'container x is not valid for pod db-1',
      );
    });

    it('nodes, node, node_pods: tell what takes pods and what runs where', async () => {
      const { nodes } = await call('nodes', {});
      expect(nodes).toHaveLength(3);
      expect(nodes).toContainEqual(
        expect.objectContaining({
          name: 'node-1',
          schedulable: true,
          ready: true,
          pressure: [],
          taints: [],
          version: 'v1.32.4',
        }),
      );
      expect(await call('node', { node: 'node-1' })).toMatchObject({ schedulable: true, ready: true });
      const { pods, toMove } = await call('node_pods', { node: 'node-1' });
      const names = (await kubectl('get', 'pods', '-A', '--field-selector', 'spec.nodeName=node-1', '-o', 'name'))
        .trim()
        .split('\n');
      expect((pods as { name: string }[]).map(({ name }) => `pod/${name}`)).toEqual(names);
      expect(toMove).toBe(names.length - 1);
    });

    it('rollout_history: lists revisions, the newest first', async () => {
      const { revisions } = await call('rollout_history', { namespace: 'shop', name: 'web' });
      const shown = (revisions as { revision: number; replicas: number }[]).map(({ revision }) => revision);
      expect(shown).toEqual([...shown].sort((a, b) => b - a));
      expect(revisions).toContainEqual(
        expect.objectContaining({ images: ['registry.example.com/web:1'], replicas: 3 }),
      );
    });

    it('usage: shows what the metrics API says, and reads well where there is none', async () => {
      const { pods } = await call('usage', { namespace: 'shop' });
      expect(pods).toContainEqual(
        expect.objectContaining({ name: 'db-0', containers: [{ name: 'db', cpu: '3m', memory: '21408Ki' }] }),
      );
      cluster.hasMetrics = false;
      await expect(call('usage', { namespace: 'shop' })).rejects.toThrow(
        /answered GET .* with 404: 404 page not found/,
      );
    });
  });
});
