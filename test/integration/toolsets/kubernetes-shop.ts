import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { meetsExpectation } from '../../../src/mcp-tools/expectation.ts';
import { kubernetesToolset } from '../../../src/mcp-tools/kubernetes/index.ts';
import { fill } from '../../../src/mcp-tools/manifest/fill.ts';
import { readInspection } from '../../../src/mcp-tools/read-inspection.ts';
import type { Inspection, Tool } from '../../../src/mcp-tools/tool.ts';
import { resourceOfKind } from '../../real-parts/kubernetes/resources.ts';
import { seedShop } from '../../real-parts/kubernetes/shop.ts';
import { type Kubernetes, startKubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { callTool, inspectTool } from './call-tool.ts';

export const WEB = { namespace: 'shop', kind: 'deployments', name: 'web' };
export const DB = { namespace: 'shop', kind: 'statefulsets', name: 'db' };
export const AGENT = { namespace: 'shop', kind: 'daemonsets', name: 'agent' };

/**
 * Starts the double with the shop before the tests of this suite, brings the shop back to how it began before each, and gives what they
 * ask it with; `heard` is told of the double once it is there.
 */
export function useShop(heard: (cluster: Kubernetes) => void) {
  let cluster: Kubernetes;
  const kubectl = (...args: string[]) => cluster.kubectl.run(args);
  const shop = (...args: string[]) => kubectl('-n', 'shop', ...args);
  const call = (name: string, input: object, more: object = {}) =>
    callTool(kubernetesToolset, toolOf(name).name, input, { ...cluster.admin, ...more });
  const inspect = async (name: string, input: object, more: object = {}) => {
    const found = await inspectTool(kubernetesToolset, toolOf(name).name, input, { ...cluster.admin, ...more });
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
      const seen = await callTool(kubernetesToolset, check.tool, filled, cluster.admin);
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
    heard(cluster);
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
  return { kubectl, shop, call, inspect, checked, change, undo, settled, podOf };
}
