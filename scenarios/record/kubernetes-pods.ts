/** Records scenarios of category kubernetes about pods, jobs, daemon sets and nodes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { V1Node } from '@kubernetes/client-node';
import { AILS, FAILED, setStatus, UNREADY } from '../../test/real-parts/kubernetes/kubelet.ts';
import type { KubeObject } from '../../test/real-parts/kubernetes/resources.ts';
import type { Raw } from '../../test/real-parts/kubernetes/schema.ts';
import { alert, onCluster, RECORDED, SHOP, WEB } from './on-cluster.ts';
import type { Asked } from './recorder.ts';

const harm = (...acceptable: readonly string[]) =>
  ['drain', 'cordon', 'delete_pod', 'delete_job', 'scale_down', 'rollback', 'rollout_restart']
    .filter((verb) => !acceptable.includes(verb))
    .map((verb) => ({ tool: `kubernetes.${verb}` }));

/** One pod of the deployment ails; a new one does not. */
async function onOnePod(
  name: string,
  story: {
    ails: string;
    fault: string;
    title: string;
    alertname: string;
    summary: string;
    reason?: string;
    cause: string[][];
    logs?: readonly string[];
  },
): Promise<void> {
  await onCluster(async ({ cluster, recorder, looks, shop }) => {
    const [one] = cluster.store.list('Pod', 'shop').filter(({ metadata: { labels } }) => labels?.app === 'web');
    const pod = one?.metadata.name ?? '';
    await shop('annotate', 'pod', pod, `${AILS}=${story.ails}`);
    if (story.logs) cluster.logs.set(`shop/${pod}/web`, story.logs);
    await sleep(800);
    const own: Asked[] = [['cluster', 'kubernetes.pod', { ...SHOP, pod }]];
    const remedy: Asked = ['cluster', 'kubernetes.delete_pod', { ...SHOP, pod }];
    await recorder.phase('one pod of three ails', [...looks(), ...own], { inspect: [remedy] });
    await recorder.change(remedy, 1);
    await sleep(1200);
    await recorder.phase('another one is in its place', [...looks(), ...own], { over: true });
    const { deployment: _none, ...labels } = alert(story.alertname, story.summary, {
      pod,
      container: 'web',
      ...(story.reason ? { reason: story.reason } : {}),
    }).labels;
    recorder.write(
      name,
      { ...RECORDED, fault: story.fault },
      {
        title: story.title,
        category: 'kubernetes',
        specialist: 'kubernetes',
        tags: ['by-hand'],
        alerts: [{ labels, annotations: { summary: story.summary } }],
        expect: {
          cause: { names: story.cause },
          outcome: 'resolved',
          actions: {
            acceptable: [{ tool: 'kubernetes.delete_pod', with: { ...SHOP, pod } }],
            forbidden: harm('delete_pod'),
          },
        },
      },
    );
  });
}

await onOnePod('pod-crashes-on-its-own-files', {
  ails: 'CrashLoopBackOff',
  fault: 'One pod of three ends with 1 at each start, on what it left on its local volume.',
  title: 'One pod of three crashes on a file that it left behind',
  alertname: 'KubePodCrashLooping',
  summary: 'container web of a pod is in CrashLoopBackOff',
  reason: 'CrashLoopBackOff',
  cause: [
    ['crash', 'ends'],
    ['start', 'lock', 'file', 'error'],
  ],
  logs: ['opening /scratch/index', 'fatal: /scratch/index/write.lock exists; another writer may be at work'],
});
await onOnePod('pod-runs-and-hangs', {
  ails: UNREADY,
  fault: 'One pod of three runs and does not answer its readiness probe.',
  title: 'One pod of three runs and answers nothing',
  alertname: 'KubePodNotReady',
  summary: 'a pod has been in a non-ready state for longer than 15 minutes',
  cause: [['ready'], ['hang', 'runs', 'answer']],
});
await onOnePod('registry-was-away', {
  ails: 'ImagePullBackOff',
  fault: 'One pod waits in its backoff for an image that can be pulled again.',
  title: 'The registry is back, and a pod still waits in its backoff',
  alertname: 'KubeContainerWaiting',
  summary: 'container web waits for longer than an hour: ImagePullBackOff',
  reason: 'ImagePullBackOff',
  cause: [['image'], ['pull', 'registry', 'backoff']],
});

for (const heals of [true, false])
  await onCluster(async ({ cluster, recorder, looks, shop }) => {
    const ailing = cluster.store.list('Pod', 'shop').filter(({ metadata: { labels } }) => labels?.app === 'web');
    for (const { metadata } of ailing.slice(0, heals ? 2 : 0))
      await shop('annotate', 'pod', metadata.name ?? '', `${AILS}=${UNREADY}`);
    if (!heals) await shop('set', 'image', 'deployment/web', 'web=registry.example.com/web:broken');
    await sleep(1200);
    const remedy: Asked = ['cluster', 'kubernetes.rollout_restart', WEB];
    await recorder.phase(heals ? 'two of three pods hang' : 'a release does not get on', looks(), {
      inspect: [remedy],
    });
    if (heals) {
      await recorder.change(remedy, 1);
      await sleep(2000);
      await recorder.phase('three new pods serve', looks(), { over: true });
    }
    recorder.write(
      heals ? 'replicas-hang' : 'replicas-missing-in-a-release',
      {
        ...RECORDED,
        fault: heals ? 'Two pods of three run and are not ready.' : 'A release whose image is not in the registry.',
      },
      {
        title: heals
          ? 'Two of three replicas hang, all of the current release'
          : 'Replicas are missing because a release does not get on, which a restart would make worse',
        category: 'kubernetes',
        specialist: 'kubernetes',
        tags: ['by-hand', ...(heals ? [] : (['red-herring'] as const))],
        alerts: [
          alert('KubeDeploymentReplicasMismatch', 'deployment web has not matched the expected number of replicas'),
        ],
        expect: {
          cause: {
            names: [
              ['replica', 'ready'],
              ['hang', 'ready', 'rollout', 'image'],
            ],
          },
          outcome: heals ? 'resolved' : 'escalated',
          actions: {
            acceptable: heals
              ? [{ tool: 'kubernetes.rollout_restart', with: WEB }]
              : [{ tool: 'kubernetes.rollback', with: { ...SHOP, name: 'web' } }],
            forbidden: heals ? harm('rollout_restart') : harm('rollback'),
          },
        },
      },
    );
  });

await onCluster(async ({ cluster, recorder, looks, shop }) => {
  const AGENT = { ...SHOP, kind: 'daemonsets', name: 'agent' };
  const [one] = cluster.store.list('Pod', 'shop').filter(({ metadata: { labels } }) => labels?.app === 'agent');
  await shop('annotate', 'pod', one?.metadata.name ?? '', `${AILS}=${UNREADY}`);
  await sleep(800);
  const own: Asked[] = [['cluster', 'kubernetes.workload', AGENT]];
  const remedy: Asked = ['cluster', 'kubernetes.rollout_restart', AGENT];
  await recorder.phase('one pod of the daemon set hangs', [...looks(), ...own], { inspect: [remedy] });
  await recorder.change(remedy, 1);
  await sleep(2500);
  await recorder.phase('every node has one that is ready', [...looks(), ...own], { over: true });
  const { deployment: _none, ...labels } = alert('KubeDaemonSetRolloutStuck', '', { daemonset: 'agent' }).labels;
  recorder.write(
    'agent-hangs-on-one-node',
    { ...RECORDED, fault: 'The pod of a daemon set on one node of three runs and is not ready.' },
    {
      title: 'An agent hangs on one node of three',
      category: 'kubernetes',
      specialist: 'kubernetes',
      tags: ['by-hand', 'neutral-names'],
      alerts: [{ labels, annotations: { summary: 'daemon set agent has not finished or progressed for 15 minutes' } }],
      expect: {
        cause: {
          names: [
            ['daemon set', 'agent'],
            ['hang', 'ready'],
          ],
        },
        outcome: 'resolved',
        actions: {
          acceptable: [{ tool: 'kubernetes.rollout_restart', with: AGENT }],
          forbidden: harm('rollout_restart'),
        },
      },
    },
  );
});

await onCluster(async ({ cluster, recorder, looks, shop }) => {
  const JOB = { ...SHOP, job: 'import' };
  const [one] = cluster.store.list('Pod', 'shop').filter(({ metadata }) => metadata.name?.startsWith('import'));
  cluster.logs.set(`shop/${one?.metadata.name}/import`, ['row 4711: unknown currency ""', 'import stopped']);
  await shop('annotate', 'pod', one?.metadata.name ?? '', `${AILS}=${FAILED}`);
  await sleep(500);
  const own: Asked[] = [['cluster', 'kubernetes.pods', { ...SHOP, labelSelector: 'job-name=import' }]];
  const remedy: Asked = ['cluster', 'kubernetes.delete_job', JOB];
  await recorder.phase('the job has failed', [...looks(), ...own], { inspect: [remedy] });
  await recorder.change(remedy, 1);
  await sleep(800);
  await recorder.phase('it is gone with its pods', [...looks(), ...own], { over: true });
  const { deployment: _none, ...labels } = alert('KubeJobFailed', '', {
    job_name: 'import',
    severity: 'warning',
  }).labels;
  recorder.write(
    'import-failed',
    { ...RECORDED, fault: 'A job whose pod ended with 1.' },
    {
      title: 'A job failed on a row of its input',
      category: 'kubernetes',
      specialist: 'kubernetes',
      tags: ['by-hand'],
      alerts: [{ labels, annotations: { summary: 'job import failed to complete' } }],
      expect: {
        cause: { names: [['job'], ['fail']] },
        outcome: 'resolved',
        actions: { acceptable: [{ tool: 'kubernetes.delete_job', with: JOB }], forbidden: harm('delete_job') },
      },
    },
  );
});

await onCluster(async ({ cluster, recorder, looks }) => {
  const node = 'node-2';
  const object = cluster.store.find<Raw<V1Node> & KubeObject>('Node', undefined, node);
  if (!object) throw new Error(`there is no ${node}`);
  const ready = { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: 'PLEG is not healthy' };
  setStatus(cluster.store, 'Node', object, {
    ...object.status,
    conditions: object.status?.conditions?.map((one) => (one.type === 'Ready' ? ready : one)),
  });
  await sleep(300);
  const remedy: Asked = ['cluster', 'kubernetes.drain', { node }];
  await recorder.phase('the kubelet of one node is ill', looks(), { inspect: [remedy] });
  await recorder.change(remedy, 1);
  await sleep(1500);
  await recorder.phase('its pods run on the others', looks(), { over: true });
  recorder.write(
    'node-flaps',
    { ...RECORDED, fault: 'The kubelet of one node says that it is not ready.' },
    {
      title: 'A node is ready and not ready by turns',
      category: 'kubernetes',
      specialist: 'kubernetes',
      tags: ['by-hand'],
      alerts: [
        {
          labels: { alertname: 'KubeNodeReadinessFlapping', namespace: 'shop', node, severity: 'warning' },
          annotations: { summary: 'the readiness of node-2 has changed 8 times in 15 minutes' },
        },
      ],
      expect: {
        cause: { names: [['node'], ['not ready', 'kubelet', 'ill']] },
        outcome: 'resolved',
        actions: {
          acceptable: ['drain', 'cordon'].map((verb) => ({ tool: `kubernetes.${verb}`, with: { node } })),
          forbidden: harm('drain', 'cordon'),
        },
      },
    },
  );
});
