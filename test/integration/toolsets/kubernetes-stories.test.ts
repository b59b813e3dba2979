/** The stories that `npm run cluster` tells of any cluster, told of the double: of a whole one, and of an API server alone. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { tellStories } from '../../cluster/stories.ts';
import { type Kubernetes, startKubernetes } from '../../real-parts/kubernetes.ts';
import { requireParts } from '../../real-parts/require.ts';

const skip = requireParts('the stories of the kubernetes toolset', 'kubectl');

describe.skipIf(skip).each([
  { what: 'a whole cluster', bare: false },
  { what: 'an API server alone, with controllers by hand', bare: true },
])('the kubernetes toolset on $what', ({ bare }) => {
  let double: Kubernetes;
  beforeAll(async () => {
    double = await startKubernetes({ readyMs: 60, terminationMs: 40 }, { bare });
    for (const name of ['default', 'kube-system'])
      double.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  });
  afterAll(async () => {
    await double?.close();
    expect(double?.faults).toEqual([]);
    const left = ['Namespace', 'Node', 'Pod', 'ClusterRole', 'ClusterRoleBinding', 'ValidatingAdmissionPolicy']
      .flatMap((kind) => double?.store.list(kind) ?? [])
      .map(({ metadata }) => metadata.name);
    expect(left.sort()).toEqual(['default', 'kube-system']);
  });
  tellStories(() => double.kubectl.file);
});
