/** Every tool of the kubernetes toolset against a double of the API server, its effects seen by the real kubectl. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { meetsExpectation } from '../../../src/mcp-tools/expectation.ts';
import { createCatalogue } from '../../../src/mcp-tools/index.ts';
import { kubernetesToolset } from '../../../src/mcp-tools/kubernetes/index.ts';
import { fill } from '../../../src/mcp-tools/manifest/fill.ts';
import { readInspection } from '../../../src/mcp-tools/read-inspection.ts';
import type { Inspection, Tool } from '../../../src/mcp-tools/tool.ts';
import type { Pod } from '../../real-parts/kubernetes/kubelet.ts';
import { resourceOfKind } from '../../real-parts/kubernetes/resources.ts';
import { seedShop } from '../../real-parts/kubernetes/shop.ts';
import { type Kubernetes, startKubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';
import { callTool, inspectTool } from './call-tool.ts';

const skip = requireParts('the kubernetes toolset', 'kubectl');
const WEB = { namespace: 'shop', kind: 'deployments', name: 'web' };
const DB = { namespace: 'shop', kind: 'statefulsets', name: 'db' };
const AGENT = { namespace: 'shop', kind: 'daemonsets', name: 'agent' };

describe.skipIf(skip)('the kubernetes toolset', () => {
  let cluster: Kubernetes;
  let settings: Record<string, unknown>;
  const kubectl = (...args: string[]) => cluster.kubectl.run(args);
  const shop = (...args: string[]) => kubectl('-n', 'shop', ...args);
  const call = (name: string, input: object, more: object = {}) =>
    callTool(kubernetesToolset, toolOf(name).name, input, { ...settings, ...more });
  const inspect = async (name: string, input: object, more: object = {}) => {
    const found = await inspectTool(kubernetesToolset, toolOf(name).name, input, { ...settings, ...more });
    // Beyond those bounds the gate would not take it.
    expect(readInspection(found), name).not.toBeNull();
    return found;
  };
  const toolOf = (name: string) =>
    kubernetesToolset.tools.find((tool) => tool.name === name || tool.name === `kubernetes.${name}`) as Tool;

  /** Runs the tool's own check until it passes, as verification does. */
  const checked = async (name: string, input: object) => {
    const { check } = toolOf(name);
    if (!check) throw new Error(`${name} has no check`);
    const filled = fill(check.with, { ...input }) as object;
    await eventually(`${check.tool} shows ${check.expect}`, async () => {
      const seen = await callTool(kubernetesToolset, check.tool, filled, settings);
      return meetsExpectation(check.expect, seen) || undefined;
    });
  };
  /** Inspects, runs and checks a change, as the gate does. */
  const change = async (name: string, input: object, more: object = {}) => {
    const found = await inspect(name, input, more);
    const result = await call(name, input, more);
    if (toolOf(name).check) await checked(name, input);
    return { ...found, result };
  };
  /** Takes a change back by the inverse that its tool declares, from what was recorded before it. */
  const undo = async (name: string, input: object, { before }: Inspection) => {
    const { inverse } = toolOf(name);
    if (!inverse) throw new Error(`${name} has no inverse`);
    const filled = fill(inverse.with, { ...input, before }) as object;
    return change(inverse.tool, filled);
  };
  const settled = () =>
    eventually('every workload is as it should be, and ended pods are gone', async () => {
      const pods = cluster.store.list('Pod');
      if (pods.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) return undefined;
      const version = cluster.store.version();
      const seen = await Promise.all([WEB, DB, AGENT].map((input) => call('workload', input)));
      // Longer than it takes the cluster's controllers to look again.
      await sleep(50);
      return (seen.every(({ complete }) => complete) && version === cluster.store.version()) || undefined;
    });
  /** Brings the shop back to how it began, whatever a test left. */
  const reset = async () => {
    cluster.interfere = () => null;
    cluster.hasMetrics = true;
    for (const { kind, namespace, name } of [
      ...['node-1', 'node-2', 'node-3'].map((node) => ({ kind: 'Node', namespace: undefined, name: node })),
      { kind: 'Deployment', namespace: 'shop', name: 'web' },
      { kind: 'StatefulSet', namespace: 'shop', name: 'db' },
      { kind: 'DaemonSet', namespace: 'shop', name: 'agent' },
    ])
      cluster.store.update(resourceOfKind(kind), namespace, name, (current) => {
        const spec = { ...begun.get(name), ...(kind === 'Node' ? { unschedulable: false } : {}) };
        return { ...current, spec };
      });
    for (const kind of ['PodDisruptionBudget', 'Pod'])
      for (const { metadata } of cluster.store.list(kind))
        if (!metadata.ownerReferences)
          cluster.store.remove(resourceOfKind(kind), metadata.namespace, metadata.name ?? '');
    await settled();
  };
  const begun = new Map<string, object>();
  const podOf = async (app: string) => {
    const name = await shop('get', 'pods', '-l', `app=${app}`, '-o', 'jsonpath={.items[0].metadata.name}');
    return { namespace: 'shop', pod: name };
  };

  beforeAll(async () => {
    cluster = await startKubernetes();
    seedShop(cluster);
    settings = { ...cluster.admin };
    for (const one of [
      ...cluster.store.list('Node'),
      ...cluster.store.list('Deployment'),
      ...cluster.store.list('StatefulSet'),
      ...cluster.store.list('DaemonSet'),
    ])
      begun.set(one.metadata.name ?? '', one.spec ?? {});
  });
  beforeEach(reset);
  afterEach(() => {
    expect(cluster.faults).toEqual([]);
  });
  afterAll(() => cluster?.close());

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
      expect(await call('workload', WEB)).toMatchObject({ complete: false });
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
      expect(await call('pod', { namespace: 'shop', pod: 'db-9' })).toEqual({ exists: false });
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
      expect(await call('pod', input)).toEqual({ exists: false });
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
      // Not waited for: kubectl takes the next pod of a stateful set, made within milliseconds here, for the one before.
      await shop('delete', 'pods', '-l', 'app in (web,db)', '--wait=false');
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
      const there = cluster.store
        .list<Pod>('Pod', 'shop')
        .find(({ spec, metadata }) => spec?.nodeName === 'node-1' && metadata.name?.startsWith('db'));
      const name = there?.metadata.name ?? '';
      let young: string | undefined;
      cluster.interfere = ({ subresource, resource, namespace, name: asked }) => {
        if (subresource !== 'eviction' || asked !== name || young !== undefined) return null;
        const old = cluster.store.get(resource, namespace, name);
        cluster.store.remove(resource, namespace, name);
        const { labels = {}, ownerReferences = [] } = old.metadata;
        const made = { ...old, metadata: { name, labels, ownerReferences }, spec: { ...old.spec, nodeName: 'node-2' } };
        young = cluster.store.create(resource, namespace, made).metadata.uid;
        return null;
      };
      expect(name).toMatch(/^db-/);
      await call('drain', { node: 'node-1' });
      expect(cluster.store.find('Pod', 'shop', name)?.metadata).toMatchObject({ uid: young });
      cluster.interfere = ({ verb, resource }) => {
        if (verb !== 'patch' || resource.kind !== 'Node') return null;
        const { metadata, ...old } = cluster.store.get(resource, undefined, 'node-2');
        cluster.store.remove(resource, undefined, 'node-2');
        cluster.store.create(resource, undefined, {
          ...old,
          metadata: { name: 'node-2', labels: metadata.labels ?? {} },
        });
        return null;
      };
      await expect(call('drain', { node: 'node-2' })).rejects.toThrow(
        /409: Conflict: .*nodes "node-2": Precondition failed/,
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
        /409: Conflict: .* Precondition failed: UID in precondition/,
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
      const configured = { prod: { uses: 'kubernetes', match: [], ...settings } };
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
