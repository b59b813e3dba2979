/** A cluster with a shop in it for each story. What answers is a double of the API server, so all of them count as by hand. */
import { setTimeout as sleep } from 'node:timers/promises';
import { seedShop } from '../../test/real-parts/kubernetes/shop.ts';
import { type Kubernetes, startKubernetes } from '../../test/real-parts/kubernetes.ts';
import { eventually } from '../../test/real-parts/program.ts';
import { type Asked, Recorder } from './recorder.ts';

/** How it was recorded. */
export const RECORDED = { by: 'hand', system: 'the double of the Kubernetes API' } as const;
/** The namespace of the shop. */
export const SHOP = { namespace: 'shop' };
/** Its one deployment. */
export const WEB = { ...SHOP, kind: 'deployments', name: 'web' };

/** An alert about that deployment. */
export const alert = (
  alertname: string,
  summary: string,
  labels: Record<string, string> = {},
  annotations: Record<string, string> = {},
) => ({
  labels: { alertname, namespace: 'shop', deployment: 'web', severity: 'critical', ...labels },
  annotations: { summary, ...annotations },
});

/** Runs one story on a cluster of its own. */
export async function onCluster(
  story: (scene: {
    cluster: Kubernetes;
    recorder: Recorder;
    looks: () => Asked[];
    shop: (...args: string[]) => unknown;
  }) => Promise<void>,
): Promise<void> {
  const cluster = await startKubernetes();
  try {
    seedShop(cluster);
    await eventually('the shop is ready', async () =>
      cluster.store.list('Pod', 'shop').length >= 9 ? true : undefined,
    );
    await sleep(700);
    const recorder = new Recorder({
      real: { cluster: { uses: 'kubernetes', settings: { ...cluster.admin, replicasMax: 6 } } },
      shown: {
        cluster: {
          uses: 'kubernetes',
          match: ['namespace="shop"'],
          url: 'https://cluster.shop.example:6443',
          token: '$TOKEN',
          namespaces: ['shop'],
          replicasMax: 6,
        },
      },
      names: { [cluster.url]: 'https://cluster.shop.example:6443' },
    });
    const looks = (): Asked[] => [
      ['cluster', 'kubernetes.workload', WEB],
      ...['deployments', 'statefulsets', 'daemonsets'].map(
        (kind): Asked => ['cluster', 'kubernetes.workloads', { ...SHOP, kind }],
      ),
      ['cluster', 'kubernetes.pods', SHOP],
      ['cluster', 'kubernetes.pods', { ...SHOP, labelSelector: 'app=web' }],
      ['cluster', 'kubernetes.events', SHOP, ['warningsOnly']],
      ['cluster', 'kubernetes.rollout_history', { ...SHOP, name: 'web' }],
      ['cluster', 'kubernetes.nodes'],
      ...['node-1', 'node-2', 'node-3'].flatMap((node): Asked[] => [
        ['cluster', 'kubernetes.node', { node }],
        ['cluster', 'kubernetes.node_pods', { node }],
      ]),
      ...cluster.store
        .list('Pod', 'shop')
        .map(
          ({ metadata }): Asked => [
            'cluster',
            'kubernetes.logs',
            { ...SHOP, pod: metadata.name ?? '', lines: 100 },
            ['lines', 'previous', 'container'],
          ],
        ),
    ];
    await story({ cluster, recorder, looks, shop: (...args) => cluster.kubectl.run(['-n', 'shop', ...args]) });
  } finally {
    await cluster.close();
  }
}
