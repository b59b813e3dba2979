/** The role that is generated from the tools' own requests: enough for every one of them, and nothing more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubernetesToolset } from '../../../src/mcp-tools/kubernetes/index.ts';
import { kubernetesPrivileges, type Rule, rulesOf } from '../../../src/mcp-tools/kubernetes/privileges.ts';
import type { Tool } from '../../../src/mcp-tools/tool.ts';
import { kubectlFor } from '../../real-parts/kubernetes/kubectl.ts';
import type { KubeObject } from '../../real-parts/kubernetes/resources.ts';
import { resourceOfKind } from '../../real-parts/kubernetes/resources.ts';
import type { Parsed } from '../../real-parts/kubernetes/respond.ts';
import { seedShop } from '../../real-parts/kubernetes/shop.ts';
import { type Kubernetes, startKubernetes } from '../../real-parts/kubernetes.ts';
import { eventually } from '../../real-parts/program.ts';
import { requireParts } from '../../real-parts/require.ts';

const ACCOUNT = { namespace: 'shop', name: 'nightshift' };
const WEB = { namespace: 'shop', kind: 'deployments', name: 'web' };
const PICTURE = { container: 'web', image: 'registry.example.com/web:2' };
/** A call of every tool, in an order in which all of them make sense; a new tool belongs in here. */
const CALLS: readonly (readonly [string, Record<string, unknown>])[] = [
  ...['deployments', 'statefulsets', 'daemonsets'].map((kind) => ['workloads', { namespace: 'shop', kind }] as const),
  ...[WEB, { ...WEB, kind: 'statefulsets', name: 'db' }, { ...WEB, kind: 'daemonsets', name: 'agent' }].flatMap(
    (input) => [['workload', input] as const, ['rollout_restart', input] as const],
  ),
  ['pods', { namespace: 'shop' }],
  ['pod', { namespace: 'shop', pod: 'db-0' }],
  ['events', { namespace: 'shop' }],
  ['logs', { namespace: 'shop', pod: 'db-0', lines: 5 }],
  ['nodes', {}],
  ['node', { node: 'node-1' }],
  ['node_pods', { node: 'node-1' }],
  ['usage', { namespace: 'shop' }],
  ['rollout_history', { namespace: 'shop', name: 'web' }],
  ['patch_image', { ...WEB, ...PICTURE }],
  ['rollback', { namespace: 'shop', name: 'web' }],
  ['scale_up', { ...WEB, replicas: 4 }],
  ['scale_down', { ...WEB, replicas: 3 }],
  ['scale_up', { namespace: 'shop', kind: 'statefulsets', name: 'db', replicas: 3 }],
  ['delete_pod', { namespace: 'shop', pod: 'db-0' }],
  ['delete_job', { namespace: 'shop', job: 'import' }],
  ['cordon', { node: 'node-2' }],
  ['uncordon', { node: 'node-2' }],
  ['drain', { node: 'node-1' }],
];
const toolOf = (name: string) => kubernetesToolset.tools.find((tool) => tool.name === `kubernetes.${name}`) as Tool;
const objectsIn = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
const pairsOf = (rules: readonly Rule[]) =>
  rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.flatMap((one) => verbs.map((verb) => `${verb} ${one} ${group}`.trim()))),
  );
const pairOf = ({ verb, resource, subresource }: Parsed) =>
  `${verb} ${resource.plural}${subresource === undefined ? '' : `/${subresource}`} ${resource.group}`.trim();

describe('the privileges of the kubernetes toolset', () => {
  it('never hold what opens more than it names', () => {
    const { cluster, namespaced } = rulesOf(kubernetesToolset.tools);
    for (const pair of pairsOf([...cluster, ...namespaced])) {
      expect(pair).not.toMatch(
        /\*|secrets|exec|attach|portforward|proxy|escalate|bind|impersonate|token|serviceaccounts/,
      );
      expect(pair).not.toMatch(/update|deletecollection|create (?!pods\/eviction)/);
    }
  });

  it('are only to read where the tools only read', () => {
    const tools = kubernetesToolset.tools.filter(({ risk }) => risk === 'read');
    const { cluster, namespaced } = rulesOf(tools);
    for (const { verbs } of [...cluster, ...namespaced])
      for (const verb of verbs) expect(['get', 'list']).toContain(verb);
  });

  it('come with a policy that admits nothing but restarts, where restarts are all that changes pods', () => {
    const kinds = (...names: string[]) =>
      objectsIn(kubernetesPrivileges(names.map(toolOf), {}, ACCOUNT)).map(({ kind, spec }) => [
        kind,
        (spec as { matchConstraints?: { resourceRules: { resources: string[] }[] } })?.matchConstraints
          ?.resourceRules[0]?.resources,
      ]);
    const policy = 'ValidatingAdmissionPolicy';
    expect(kinds('rollout_restart')).toContainEqual([policy, ['deployments', 'statefulsets', 'daemonsets']]);
    expect(kinds('rollout_restart', 'rollback')).toContainEqual([policy, ['statefulsets', 'daemonsets']]);
    expect(kinds('rollout_restart', 'patch_image').map(([kind]) => kind)).toEqual([
      'ClusterRole',
      'ClusterRoleBinding',
    ]);
    expect(kinds('pods').map(([kind]) => kind)).toEqual(['ClusterRole', 'ClusterRoleBinding']);
  });

  it('refuse a tool that does not say what it asks for', () => {
    const { manifest: _, ...silent } = toolOf('drain');
    expect(() => rulesOf([silent])).toThrow('kubernetes.drain declares no request');
  });
});

describe.skipIf(requireParts('the role of the kubernetes toolset', 'kubectl'))('with exactly that role', () => {
  let cluster: Kubernetes;
  let settings: Record<string, unknown>;
  const used = new Map<string, readonly [string, Record<string, unknown>]>();
  const context = () => ({
    settings: kubernetesToolset.settings.parse(settings),
    signal: AbortSignal.timeout(30_000),
  });
  const settled = () =>
    eventually('the shop is settled', async () => {
      const admin = { settings: kubernetesToolset.settings.parse(cluster.admin), signal: AbortSignal.timeout(5000) };
      const all = [WEB, { ...WEB, kind: 'statefulsets', name: 'db' }, { ...WEB, kind: 'daemonsets', name: 'agent' }];
      const seen = await Promise.all(all.map((input) => toolOf('workload').run(input, admin)));
      const leaving = cluster.store.list('Pod').some(({ metadata }) => metadata.deletionTimestamp !== undefined);
      return (seen.every(({ complete }) => complete) && !leaving) || undefined;
    });

  beforeAll(async () => {
    cluster = await startKubernetes();
    seedShop(cluster);
    settings = { ...cluster.account('shop', 'nightshift') };
    await cluster.kubectl.run(
      ['create', '--validate=false', '-f', '-'],
      kubernetesPrivileges(kubernetesToolset.tools, {}, ACCOUNT),
    );
    await settled();
  });
  afterAll(async () => {
    await cluster?.close();
    expect(cluster?.faults).toEqual([]);
  });

  it('every tool runs, and together they use all of it', async () => {
    expect([...new Set(CALLS.map(([name]) => `kubernetes.${name}`))].sort()).toEqual(
      kubernetesToolset.tools.map(({ name }) => name).sort(),
    );
    for (const call of CALLS) {
      const [name, input] = call;
      await settled();
      const from = cluster.requests.length;
      const tool = toolOf(name);
      await tool.inspect?.(input, context());
      await tool.run(input, context());
      for (const request of cluster.requests.slice(from)) used.set(pairOf(request), call);
    }
    const { cluster: everywhere, namespaced } = rulesOf(kubernetesToolset.tools);
    expect([...used.keys()].sort()).toEqual([...new Set(pairsOf([...everywhere, ...namespaced]))].sort());
  });

  it('with any one verb of it less, some tool is refused', async () => {
    await cluster.kubectl.run(['uncordon', 'node-1']);
    const kind = resourceOfKind('ClusterRole');
    const all = (cluster.store.get(kind, undefined, 'nightshift') as KubeObject & { rules: Rule[] }).rules;
    expect(used.size).toBeGreaterThan(20);
    for (const [pair, [name, input]] of used) {
      const rules = all.flatMap(({ apiGroups, resources, verbs }) =>
        resources.flatMap((resource) =>
          verbs
            .filter((verb) => `${verb} ${resource} ${apiGroups[0]}`.trim() !== pair)
            .map((verb) => ({ apiGroups, resources: [resource], verbs: [verb] })),
        ),
      );
      cluster.store.update(kind, undefined, 'nightshift', (role) => ({ ...role, rules }));
      await settled();
      const tool = toolOf(name);
      const tried = tool.inspect ? tool.inspect(await makingSense(name, input), context()) : tool.run(input, context());
      const [verb = '', resource = ''] = pair.split(' ');
      await expect(tried, `${pair} for ${name}`).rejects.toThrow(
        new RegExp(`403: Forbidden: .* cannot ${verb} resource "${resource}"`),
      );
    }
  });

  /** Gives a call that would make sense now, whatever the calls before it left. */
  async function makingSense(name: string, input: Record<string, unknown>): Promise<Record<string, unknown>> {
    const shop = (...args: string[]) => cluster.kubectl.run(['-n', 'shop', ...args]);
    if (name.startsWith('scale'))
      await shop('scale', `${input.kind}/${input.name}`, `--replicas=${name === 'scale_up' ? 1 : 5}`);
    if (name === 'uncordon') await cluster.kubectl.run(['cordon', String(input.node)]);
    if (name === 'delete_job' && !cluster.store.find('Job', 'shop', 'import')) {
      const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'a:1' }] } };
      cluster.create({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { namespace: 'shop', name: 'import' },
        spec: { template },
      });
    }
    await settled();
    return input;
  }

  it('limited to a namespace, it holds nothing of another one but what nodes need', async () => {
    const account = { namespace: 'other', name: 'narrow' };
    const text = kubernetesPrivileges(kubernetesToolset.tools, { namespaces: ['shop'] }, account);
    await cluster.kubectl.run(['create', '--validate=false', '-f', '-'], text);
    const access = cluster.account('other', 'narrow');
    const narrow = {
      settings: kubernetesToolset.settings.parse({ ...access, namespaces: ['shop'] }),
      signal: AbortSignal.timeout(9000),
    };
    expect(await toolOf('rollout_restart').inspect?.(WEB, narrow)).toMatchObject({ preview: expect.any(Array) });
    const kubectl = kubectlFor(access);
    await expect(kubectl.run(['-n', 'other', 'get', 'deployments'])).rejects.toThrow('in the namespace "other"');
    await expect(kubectl.run(['-n', 'shop', 'get', 'secrets'])).rejects.toThrow('cannot list resource "secrets"');
    await expect(kubectl.run(['-n', 'shop', 'delete', 'deployment', 'web'])).rejects.toThrow('cannot delete resource');
    kubectl.remove();
  });

  it('the policy beside it fits the types of the API', async () => {
    const text = kubernetesPrivileges([toolOf('rollout_restart')], {}, { namespace: 'other', name: 'restarts' });
    const made = await cluster.kubectl.run(['create', '--validate=false', '-f', '-'], text);
    expect(made).toContain('validatingadmissionpolicy.admissionregistration.k8s.io/restarts-restarts-only created');
  });
});
