/** What the kubernetes toolset does to a cluster, whichever it is: told of the double in CI, and of any cluster by `npm run cluster`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { meetsExpectation } from '../../src/mcp-tools/expectation.ts';
import { kubernetesToolset } from '../../src/mcp-tools/kubernetes/index.ts';
import { fill } from '../../src/mcp-tools/manifest/fill.ts';
import { readInspection } from '../../src/mcp-tools/read-inspection.ts';
import type { Inspection, Tool } from '../../src/mcp-tools/tool.ts';
import { callTool, inspectTool } from '../integration/toolsets/call-tool.ts';
import { type Account, type Cluster, openCluster } from '../real-parts/kubernetes/cluster.ts';
import type { KubeObject } from '../real-parts/kubernetes/resources.ts';
import { eventually } from '../real-parts/program.ts';

const IMAGE = 'registry.k8s.io/pause:3.10';
const NEXT = 'registry.k8s.io/pause:3.9';
const REVISION = 'deployment.kubernetes.io/revision';
const SETTLE_SECONDS = 60;
const TRIES = 4;

const toolOf = (name: string) => kubernetesToolset.tools.find((tool) => tool.name.endsWith(`.${name}`)) as Tool;
const specOf = (object: KubeObject) =>
  object.spec as {
    replicas?: number;
    unschedulable?: boolean;
    nodeName?: string;
    template: { metadata: { labels: object }; spec: { containers: { image: string }[] } };
  };

/** Tells the stories of one cluster, which is there once `kubeconfig` has given the path of its kubeconfig. */
export function tellStories(kubeconfig: () => string | Promise<string>): void {
  // Undefined until it is there, and where it never is.
  let cluster: Cluster;
  let account: Account;
  let WEB: { namespace: string; kind: string; name: string };
  let DB: typeof WEB;
  let AGENT: typeof WEB;
  const used = new Set<string>();
  const settings = () => ({ kubeconfig: account.kubeconfig, namespaces: [cluster.namespace] });
  /** The same account, with a test between it and the server. */
  const watched = () => ({ url: cluster.between.url, token: account.token, namespaces: [cluster.namespace] });
  const tell = (what: string) => process.stdout.write(`  ${what}\n`);

  const call = (name: string, input: object, more: object = {}) => {
    used.add(name);
    return callTool(kubernetesToolset, toolOf(name).name, input, { ...settings(), ...more });
  };
  const inspect = async (name: string, input: object, through: object = settings()) => {
    const found = await inspectTool(kubernetesToolset, toolOf(name).name, input, through);
    expect(readInspection(found), name).not.toBeNull();
    return found;
  };
  const checked = async (name: string, input: object) => {
    const { check } = toolOf(name);
    if (!check) return;
    const filled = fill(check.with, { ...input }) as object;
    await eventually(
      `${check.tool} shows ${check.expect}; ${cluster.faults.slice(-3).join('; ')}`,
      async () => {
        const seen = await call(check.tool.replace('kubernetes.', ''), filled);
        return meetsExpectation(check.expect, seen) || undefined;
      },
      SETTLE_SECONDS,
    );
  };
  /** Inspects, runs and checks a change, as the gate does. What a controller wrote in between is no fault of the tool: it is asked again. */
  const change = async (name: string, input: object, more: object = {}) => {
    for (let left = TRIES; ; left -= 1)
      try {
        const found = await inspect(name, input, { ...settings(), ...more });
        const result = await call(name, input, more);
        await checked(name, input);
        return { ...found, result };
      } catch (error) {
        if (left === 1 || !/with 409: Conflict: .*object has been modified/.test(String(error))) throw error;
      }
  };
  const undo = async (name: string, input: object, { before }: Inspection) => {
    const { inverse } = toolOf(name);
    if (!inverse) throw new Error(`${name} has no inverse`);
    return change(inverse.tool.replace('kubernetes.', ''), fill(inverse.with, { ...input, before }) as object);
  };
  const settled = async () => {
    for (const input of [WEB, DB, AGENT]) await checked('rollout_restart', input);
    await eventually(
      'ended pods are gone',
      async () =>
        (await cluster.list('pods', 'app')).every(({ metadata }) => metadata.deletionTimestamp === undefined) ||
        undefined,
      SETTLE_SECONDS,
    );
  };
  const podsOf = (app: string) => cluster.list('pods', `app=${app}`);
  const uidsOf = async (app: string) => (await podsOf(app)).map(({ metadata }) => metadata.uid ?? '').sort();
  const imageOf = async (kind: string, name: string) =>
    specOf(await cluster.look(kind, name)).template.spec.containers[0]?.image;

  beforeAll(async () => {
    cluster = await openCluster(await kubeconfig());
    const { has, namespace } = cluster;
    tell(
      `Kubernetes ${has.version}: controllers ${has.controllers ? 'of its own' : 'by hand'}, ${has.nodes} nodes of its own, metrics ${has.metrics}, ` +
        `authorization ${has.authorization ? 'on' : 'OFF'}, ValidatingAdmissionPolicy v1 ${has.policies ? 'served' : 'not served'}, seen by ${has.kubectl ? 'kubectl' : 'plain requests'}`,
    );
    WEB = { namespace, kind: 'deployments', name: 'web' };
    DB = { namespace, kind: 'statefulsets', name: 'db' };
    AGENT = { namespace, kind: 'daemonsets', name: 'agent' };
    account = await cluster.account('all', kubernetesToolset.tools);
    const workload = (kind: string, name: string, spec: object) =>
      cluster.make(`/apis/apps/v1/namespaces/${namespace}/${kind.toLowerCase()}s`, {
        apiVersion: 'apps/v1',
        kind,
        metadata: { name },
        spec: { selector: { matchLabels: { app: name } }, template: templateOf(name), ...spec },
      });
    const templateOf = (app: string, more: object = {}) => ({
      metadata: { labels: { app }, annotations: { kept: 'yes' } },
      spec: { containers: [{ name: app, image: IMAGE }], ...cluster.place, ...more },
    });
    await workload('Deployment', 'web', { replicas: 3 });
    await workload('StatefulSet', 'db', { replicas: 2, serviceName: 'db' });
    await workload('DaemonSet', 'agent', {});
    await cluster.make(`/apis/batch/v1/namespaces/${namespace}/jobs`, {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'import' },
      spec: { template: templateOf('import', { restartPolicy: 'Never' }) },
    });
    await settled();
  }, 180_000);
  afterAll(async () => {
    if (!cluster) return;
    await cluster.close();
    expect(cluster.faults).toEqual([]);
  }, 180_000);

  describe('looks', () => {
    it('workloads, workload: show what is wanted and what is there', async () => {
      for (const [input, count] of [[WEB, 3] as const, [DB, 2] as const, [AGENT, 2] as const]) {
        const { namespace, kind, name } = input;
        const { workloads } = await call('workloads', { namespace, kind });
        expect(workloads).toContainEqual(
          expect.objectContaining({ name, replicas: count, ready: count, images: [IMAGE] }),
        );
        expect(await call('workload', input)).toMatchObject({ replicas: count, complete: true, paused: false });
      }
    });

    it('pods, pod: list and show them, and say that one is not there', async () => {
      const { namespace } = cluster;
      const { pods } = await call('pods', { namespace, labelSelector: 'app=db' });
      expect(pods).toEqual(
        ['db-0', 'db-1'].map((name) => expect.objectContaining({ name, phase: 'Running', ready: true, restarts: 0 })),
      );
      const uid = (await cluster.look('pods', 'db-0')).metadata.uid;
      expect(await call('pod', { namespace, pod: 'db-0' })).toMatchObject({ exists: true, uid, deleting: false });
      expect(await call('pod', { namespace, pod: 'db-9' })).toEqual({ exists: false, notReady: false });
    });

    it('events: lists warnings', async () => {
      const { namespace } = cluster;
      const at = new Date().toISOString().replace(/\.\d+/, '');
      await cluster.make(`/api/v1/namespaces/${namespace}/events`, {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { name: 'db-0.1' },
        involvedObject: { apiVersion: 'v1', kind: 'Pod', namespace, name: 'db-0' },
        type: 'Warning',
        reason: 'BackOff',
        message: 'of a test',
        firstTimestamp: at,
        lastTimestamp: at,
        count: 7,
        source: { component: 'test' },
      });
      const event = { at, type: 'Warning', reason: 'BackOff', message: 'of a test', count: 7, object: 'Pod/db-0' };
      for (const more of [{}, { warningsOnly: 'type=Warning' }])
        expect((await call('events', { namespace, ...more })).events).toContainEqual(event);
    });

    it('nodes, node, node_pods: tell what takes pods and what runs where', async () => {
      const [a] = cluster.nodes;
      const { nodes } = await call('nodes', {});
      expect(nodes).toContainEqual(
        expect.objectContaining({ name: a, schedulable: true, ready: true, pressure: [], version: 'v0.0.0-hands' }),
      );
      expect(await call('node', { node: a })).toMatchObject({ schedulable: true, ready: true });
      const { pods, toMove } = await call('node_pods', { node: a });
      const there = (await cluster.list('pods', 'app')).filter((pod) => specOf(pod).nodeName === a);
      const names = there.map(({ metadata }) => metadata.name).sort();
      expect((pods as { name: string }[]).map(({ name }) => name).sort()).toEqual(names);
      expect(Number(toMove)).toBeGreaterThanOrEqual(names.length - 1);
    });

    it('rollout_history: lists revisions', async () => {
      const { revisions } = await call('rollout_history', { namespace: cluster.namespace, name: 'web' });
      expect(revisions).toEqual([expect.objectContaining({ revision: 1, replicas: 3, images: [IMAGE] })]);
    });

    it('logs: gives the last lines (where the API server reaches a kubelet on 127.0.0.1; its refusal otherwise)', async () => {
      const input = { namespace: cluster.namespace, pod: 'db-0', lines: 1 };
      const seen = await call('logs', input).catch((error: Error) => error);
      if (seen instanceof Error) {
        tell('logs: the API server does not reach a kubelet of ours');
        expect(seen.message).toMatch(/answered GET \S+\/pods\/db-0\/log with 5\d\d: /);
      } else expect(seen.lines).toEqual([expect.stringMatching(/^\d{4}-\d\d-\d\dT\S+ started$/)]);
      await expect(call('logs', { ...input, container: 'x' })).rejects.toThrow('container x is not valid for pod db-0');
    });

    it('usage: shows what the metrics API says, and reads well where there is none', async () => {
      const asked = call('usage', { namespace: cluster.namespace });
      if (cluster.has.metrics === 'none') return expect(asked).rejects.toThrow(/answered GET \S+ with (404|503): /);
      const { pods } = await asked;
      if (cluster.has.metrics === 'its own') expect(pods).toEqual(expect.any(Array));
      else
        expect(pods).toEqual([
          expect.objectContaining({ name: 'db-0', containers: [{ name: 'db', cpu: '3m', memory: '21408Ki' }] }),
        ]);
    });
  });

  describe('changes', () => {
    it.each(['deployments', 'statefulsets', 'daemonsets'])(
      'rollout_restart: makes every pod of %s anew',
      async (kind) => {
        const input = [WEB, DB, AGENT].find((one) => one.kind === kind) ?? WEB;
        const old = await uidsOf(input.name);
        const { population, preview, result } = await change('rollout_restart', input);
        expect(population).toMatchObject({ members: old.length, affects: 1 });
        expect(preview?.at(-1)).toBe('the system itself accepted a dry run of it');
        const { annotations } = specOf(await cluster.look(kind, input.name)).template.metadata as {
          annotations?: object;
        };
        expect(annotations).toMatchObject({ 'kubectl.kubernetes.io/restartedAt': result.restartedAt });
        await settled();
        const young = await uidsOf(input.name);
        expect(young).toHaveLength(old.length);
        for (const uid of old) expect(young).not.toContain(uid);
      },
    );

    it.each(['deployments', 'statefulsets'])('scale_up, scale_down: each takes the other back for %s', async (kind) => {
      const input = kind === 'deployments' ? WEB : DB;
      const has = async () => specOf(await cluster.look(kind, input.name)).replicas;
      const was = Number(await has());
      const up = await change('scale_up', { ...input, replicas: 5 });
      expect([await has(), (await podsOf(input.name)).length]).toEqual([5, 5]);
      await undo('scale_up', { ...input, replicas: 5 }, up);
      expect(await has()).toBe(was);
      const down = await change('scale_down', { ...input, replicas: 0 });
      expect(down.population).toMatchObject({ members: was, affects: was });
      expect([await has(), (await podsOf(input.name)).length]).toEqual([0, 0]);
      await undo('scale_down', { ...input, replicas: 0 }, down);
      expect(await has()).toBe(was);
      await settled();
    });

    it('patch_image: gives one container another image, and the old one back', async () => {
      for (const { kind, ...rest } of [WEB, DB, AGENT]) {
        const input = { ...rest, kind, container: rest.name, image: NEXT };
        const done = await change('patch_image', input);
        expect(await imageOf(kind, rest.name)).toBe(NEXT);
        await undo('patch_image', input, done);
        expect(await imageOf(kind, rest.name)).toBe(IMAGE);
      }
      await settled();
    });

    it('rollback: goes to the revision before, and back', async () => {
      const input = { namespace: cluster.namespace, name: 'web' };
      const revision = async () =>
        Number((await cluster.look('deployments', 'web')).metadata.annotations?.[REVISION] ?? 0);
      await change('patch_image', { ...WEB, container: 'web', image: NEXT });
      const bad = await revision();
      const done = await change('rollback', input);
      expect(done.before).toEqual({ revision: bad });
      expect(done.preview).toContain(`from ${NEXT} in container web`);
      expect(done.preview).toContain(`to ${IMAGE} in container web`);
      expect(await imageOf('deployments', 'web')).toBe(IMAGE);
      expect(specOf(await cluster.look('deployments', 'web')).template.metadata.labels).toEqual({ app: 'web' });
      await eventually(
        'it has a new revision',
        async () => (await revision()) === bad + 1 || undefined,
        SETTLE_SECONDS,
      );
      const back = await undo('rollback', input, done);
      expect(back.result).toMatchObject({ to: bad, images: [NEXT] });
      expect(await imageOf('deployments', 'web')).toBe(NEXT);
      await change('patch_image', { ...WEB, container: 'web', image: IMAGE });
      await expect(inspect('rollback', { ...input, revision: 999 })).rejects.toThrow('has no revision 999; it has');
      await settled();
    });

    it('delete_pod: deletes exactly the one that was looked at', async () => {
      const input = { namespace: cluster.namespace, pod: 'db-0' };
      const { uid } = (await cluster.look('pods', 'db-0')).metadata;
      const { preview } = await inspect('delete_pod', input);
      expect(preview?.[1]).toBe('its StatefulSet db makes another one');
      expect((await cluster.look('pods', 'db-0')).metadata).toMatchObject({ uid });
      await call('delete_pod', input);
      await eventually('another one is there', async () => {
        const seen = await call('pod', input);
        return (seen.exists && seen.uid !== uid) || undefined;
      });
      await settled();
    });

    it('delete_job: deletes it with its pods', async () => {
      const input = { namespace: cluster.namespace, job: 'import' };
      const { preview } = await inspect('delete_job', input);
      expect(preview?.[0]).toMatch(/^deletes job \S+\/import with its pods$/);
      expect((await cluster.look('jobs', 'import')).metadata.name).toBe('import');
      await call('delete_job', input);
      await eventually(
        'its pods are gone',
        async () => (await podsOf('import')).length === 0 || undefined,
        SETTLE_SECONDS,
      );
      await expect(cluster.look('jobs', 'import')).rejects.toThrow('jobs.batch "import" not found');
      await expect(inspect('delete_job', input)).rejects.toThrow('NotFound: jobs.batch "import" not found');
    });

    it('cordon, uncordon: each takes the other back', async () => {
      const node = cluster.nodes[2];
      const is = async () => specOf(await cluster.look('nodes', node)).unschedulable === true;
      const done = await change('cordon', { node });
      expect(await is()).toBe(true);
      await expect(inspect('cordon', { node })).rejects.toThrow('is cordoned already');
      const back = await undo('cordon', { node }, done);
      expect(await is()).toBe(false);
      const again = await undo('uncordon', { node }, back);
      expect(await is()).toBe(true);
      await undo('cordon', { node }, again);
      expect(await is()).toBe(false);
    });

    it('drain: waits for a disruption budget, moves what moves, and is taken back', async () => {
      const [node, other] = cluster.nodes;
      const budgets = `/apis/policy/v1/namespaces/${cluster.namespace}/poddisruptionbudgets`;
      await cluster.make(budgets, {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'web' },
        spec: { minAvailable: 3, selector: { matchLabels: { app: 'web' } } },
      });
      await eventually(
        'the budget is counted',
        async () => {
          const { status, metadata } = await cluster.api.must('GET', `${budgets}/web`);
          const seen = status as { observedGeneration?: number; currentHealthy?: number } | undefined;
          return (seen?.observedGeneration === metadata.generation && seen?.currentHealthy === 3) || undefined;
        },
        SETTLE_SECONDS,
      );
      const onNode = async () => (await cluster.list('pods', 'app')).filter((pod) => specOf(pod).nodeName === node);
      const isDaemons = ({ metadata }: KubeObject) => metadata.labels?.app === 'agent';
      const uids = async () => (await onNode()).map(({ metadata }) => metadata.uid).sort();
      const before = await uids();
      const found = await inspect('drain', { node });
      expect(await uids()).toEqual(before);
      expect(specOf(await cluster.look('nodes', node)).unschedulable ?? false).toBe(false);
      const moving = (await onNode()).filter((pod) => !isDaemons(pod));
      expect(found.population).toMatchObject({ group: `node ${node}`, affects: moving.length });
      if (moving.some(({ metadata }) => metadata.labels?.app === 'web'))
        await expect(call('drain', { node }, { drainSeconds: 2 })).rejects.toThrow(
          /is cordoned, but \d pod\(s\) are still on it: .*web-\S+: The disruption budget web needs 3 healthy pods and has 3 currently/,
        );
      await cluster.api.must('PATCH', `${budgets}/web`, { spec: { minAvailable: 1 } });
      await call('drain', { node }, { drainSeconds: 60 });
      await checked('drain', { node });
      expect((await onNode()).every(isDaemons)).toBe(true);
      expect(specOf(await cluster.look('nodes', node)).unschedulable).toBe(true);
      await undo('drain', { node }, found);
      expect(specOf(await cluster.look('nodes', node)).unschedulable ?? false).toBe(false);
      await settled();
      for (const pod of await podsOf('web')) expect(specOf(pod).nodeName).toBe(other);
    });
  });

  describe('refusals', () => {
    it('come from the API server in its own words', async () => {
      await expect(inspect('rollout_restart', { ...WEB, name: 'none' })).rejects.toThrow(
        'with 404: NotFound: deployments.apps "none" not found',
      );
      await expect(
        call('pods', { namespace: cluster.namespace }, { ...watched(), kubeconfig: undefined, token: 'a' }),
      ).rejects.toThrow(/with 401: Unauthorized: /);
    });

    it.each(['rollout_restart', 'scale_up', 'scale_down', 'patch_image', 'rollback'])(
      '%s: what somebody else changed meanwhile is not overwritten',
      async (name) => {
        const { kind: _, ...rolled } = WEB;
        const inputs: Record<string, object> = {
          scale_up: { ...WEB, replicas: 4 },
          scale_down: { ...WEB, replicas: 2 },
          patch_image: { ...WEB, container: 'web', image: NEXT },
          rollback: rolled,
        };
        await settled();
        const { generation } = (await cluster.look('deployments', 'web')).metadata;
        const path = `/apis/apps/v1/namespaces/${cluster.namespace}/deployments/web`;
        cluster.between.before = async ({ method, isDryRun }) => {
          if (method !== 'PATCH' || isDryRun) return;
          await cluster.api.must('PATCH', path, { metadata: { annotations: { seen: String(Math.random()) } } });
        };
        try {
          const tried = callTool(kubernetesToolset, toolOf(name).name, inputs[name] ?? WEB, watched());
          await expect(tried).rejects.toThrow(
            /with 409: Conflict: Operation cannot be fulfilled on deployments.apps "web": the object has been modified/,
          );
        } finally {
          cluster.between.before = async () => {};
        }
        expect((await cluster.look('deployments', 'web')).metadata.generation).toBe(generation);
      },
    );

    it('delete_pod: another pod of the same name is not deleted', async () => {
      const input = { namespace: cluster.namespace, pod: 'db-0' };
      await settled();
      cluster.between.before = async ({ method }) => {
        if (method !== 'DELETE') return;
        const { uid } = (await cluster.look('pods', 'db-0')).metadata;
        await cluster.api.must('DELETE', `/api/v1/namespaces/${cluster.namespace}/pods/db-0`);
        await eventually('another one is there', async () => {
          const seen = await call('pod', input);
          return (seen.exists && seen.uid !== uid) || undefined;
        });
      };
      try {
        const tried = callTool(kubernetesToolset, 'kubernetes.delete_pod', input, watched());
        await expect(tried).rejects.toThrow(
          /with 409: Conflict: Operation cannot be fulfilled on \S*od\S* "db-0": .*the UID in the precondition/,
        );
      } finally {
        cluster.between.before = async () => {};
      }
      expect(await call('pod', input)).toMatchObject({ exists: true, deleting: false });
      await settled();
    });

    it('drain: another node of the same name is not cordoned', async () => {
      const node = cluster.nodes[2];
      cluster.between.before = async ({ method }) => {
        if (method !== 'PATCH') return;
        await cluster.api.must('DELETE', `/api/v1/nodes/${node}`);
        await cluster.make('/api/v1/nodes', cluster.node(node));
      };
      try {
        await expect(callTool(kubernetesToolset, 'kubernetes.drain', { node }, watched())).rejects.toThrow(
          /with (422: Invalid: Node "\S+" is invalid: metadata\.uid: Invalid value|409: Conflict: .*UID)/,
        );
      } finally {
        cluster.between.before = async () => {};
      }
      expect(specOf(await cluster.look('nodes', node)).unschedulable ?? false).toBe(false);
    });

    it('an inspection changes nothing: every change it sends is a dry run', async () => {
      await settled();
      const inputs: [string, object][] = [
        ['rollout_restart', DB],
        ['scale_up', { ...WEB, replicas: 4 }],
        ['scale_down', { ...WEB, replicas: 2 }],
        ['patch_image', { ...AGENT, container: 'agent', image: NEXT }],
        ['rollback', { namespace: cluster.namespace, name: 'web' }],
        ['delete_pod', { namespace: cluster.namespace, pod: 'db-0' }],
        ['cordon', { node: cluster.nodes[2] }],
        ['drain', { node: cluster.nodes[1] }],
      ];
      const state = async () => {
        const all = [...(await cluster.list('pods', 'app')), await cluster.look('nodes', cluster.nodes[1])];
        for (const { kind, name } of [WEB, DB, AGENT]) all.push(await cluster.look(kind, name));
        return all.map(({ metadata, spec }) => [metadata.uid, metadata.generation, metadata.deletionTimestamp, spec]);
      };
      const before = await state();
      const from = cluster.between.requests.length;
      for (const [name, input] of inputs) await inspect(name, input, watched());
      const sent = cluster.between.requests.slice(from).filter(({ method }) => method !== 'GET');
      expect(sent.length).toBeGreaterThanOrEqual(inputs.length);
      expect(sent.filter(({ isDryRun }) => !isDryRun)).toEqual([]);
      expect(await state()).toEqual(before);
    });
  });

  describe('the generated role', () => {
    it('refuses what no tool needs (needs a server that authorizes)', async ({ skip }) => {
      if (!cluster.has.authorization) skip('this API server authorizes everything');
      const { namespace } = cluster;
      const own = `/api/v1/namespaces/${namespace}`;
      const user = `User "system:serviceaccount:${namespace}:${account.name}"`;
      const says = async (method: string, path: string, body?: object) => {
        const { code, body: answer } = await account.api.ask(method, path, body);
        return `${code} ${answer.reason}: ${answer.message}`;
      };
      expect(await says('GET', `${own}/secrets`)).toContain(
        `403 Forbidden: secrets is forbidden: ${user} cannot list resource "secrets" in API group "" in the namespace "${namespace}"`,
      );
      expect(await says('DELETE', `/apis/apps/v1/namespaces/${namespace}/deployments/web`)).toContain(
        `403 Forbidden: deployments.apps "web" is forbidden: ${user} cannot delete resource "deployments" in API group "apps"`,
      );
      expect(await says('POST', `${own}/pods`, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } })).toContain(
        `403 Forbidden: pods is forbidden: ${user} cannot create resource "pods"`,
      );
      expect(await says('PATCH', `${own}/serviceaccounts/default`, {})).toMatch(
        /^403 Forbidden: .* cannot patch resource/,
      );
      await expect(call('events', { namespace: 'kube-system' }, { namespaces: ['kube-system'] })).rejects.toThrow(
        /with 403: Forbidden: events is forbidden: .* in the namespace "kube-system".*Fix: give the account of this toolset this permission/,
      );
    });

    it('for restarts only admits nothing but restarts (needs ValidatingAdmissionPolicy v1 and authorization)', async ({
      skip,
    }) => {
      if (!cluster.has.policies) skip('this API server serves no ValidatingAdmissionPolicy v1');
      if (!cluster.has.authorization) skip('this API server authorizes everything');
      const restarts = await cluster.account('restarts', [toolOf('workload'), toolOf('rollout_restart')]);
      const path = ({ kind, namespace, name }: typeof WEB) => `/apis/apps/v1/namespaces/${namespace}/${kind}/${name}`;
      const patch = async (body: object, of = WEB) => {
        const { code, body: answer } = await restarts.api.ask('PATCH', `${path(of)}?dryRun=All`, body);
        return code === 200 ? 'admitted' : `${code}: ${answer.message}`;
      };
      const refused = new RegExp(`^422: .*${restarts.name} may only restart workloads`);
      // A server hears of a policy some time after it is made.
      await eventually(
        'the policy holds',
        async () => refused.test(await patch({ spec: { replicas: 0 } })) || undefined,
        60,
      );
      const container = { name: 'web', image: 'registry.example.com/evil:1' };
      for (const [what, body] of Object.entries({
        image: { spec: { template: { spec: { containers: [container] } } } },
        'host network': { spec: { template: { spec: { hostNetwork: true } } } },
        'an annotation of its pods': { spec: { template: { metadata: { annotations: { evil: 'yes' } } } } },
        'an annotation taken away': { spec: { template: { metadata: { annotations: { kept: null } } } } },
        'a label of its pods': { spec: { template: { metadata: { labels: { evil: 'yes' } } } } },
        owner: {
          metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'gone', uid: 'gone' }] },
        },
        finalizer: { metadata: { finalizers: ['example.com/evil'] } },
        paused: { spec: { paused: true } },
        strategy: { spec: { strategy: { type: 'Recreate', rollingUpdate: null } } },
      }))
        expect(await patch(body), what).toMatch(refused);
      for (const one of [DB, AGENT])
        expect(await patch({ spec: { template: { spec: { hostNetwork: true } } } }, one), one.kind).toMatch(refused);
      const through = { kubeconfig: restarts.kubeconfig, namespaces: [cluster.namespace] };
      for (const one of [WEB, DB, AGENT])
        expect(await change('rollout_restart', one, through)).toMatchObject({
          result: { restartedAt: expect.any(String) },
        });
      await settled();
    });

    it('every tool of the toolset was called under it', () => {
      expect([...used].map((name) => `kubernetes.${name}`).sort()).toEqual(
        kubernetesToolset.tools.map(({ name }) => name).sort(),
      );
    });
  });
}
