/** The manifests of deploy/kubernetes: rendered by the real kubectl, held against the published API types, and applied to the double. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig, runCli } from '../../src/cli/index.ts';
import { TOOLSETS } from '../../src/mcp-tools/index.ts';
import { kubectlFor } from '../real-parts/kubernetes/kubectl.ts';
import type { KubeObject } from '../real-parts/kubernetes/resources.ts';
import { misfits } from '../real-parts/kubernetes/schema.ts';
import { type Kubernetes, startKubernetes } from '../real-parts/kubernetes.ts';
import { requireParts } from '../real-parts/require.ts';

const OVERLAYS = join(import.meta.dirname, '../../deploy/kubernetes/overlays');
const env = { ALERTMANAGER_TOKEN: 'x'.repeat(40) };
const looks = (TOOLSETS.kubernetes?.tools ?? []).filter(({ risk }) => risk === 'read').map(({ name }) => name);
/** The tools that each overlay enables; its account can nothing else. */
const ENABLED: Readonly<Record<string, readonly string[]>> = {
  look: looks,
  restart: [...looks, ...['rollout_restart', 'scale_up', 'delete_pod'].map((verb) => `kubernetes.${verb}`)],
};

interface Pod {
  readonly securityContext: object;
  readonly volumes: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: { readonly secretName: string; readonly defaultMode: number };
  }[];
  readonly containers: readonly {
    readonly securityContext: object;
    readonly resources: object;
    readonly env: readonly { readonly name: string; readonly value?: string }[];
    readonly volumeMounts: readonly object[];
  }[];
}
interface Deployment extends KubeObject {
  readonly spec: {
    readonly replicas: number;
    readonly template: { readonly spec: Pod & { terminationGracePeriodSeconds: number } };
  };
}

const skip = requireParts('the manifests of deploy/kubernetes', 'kubectl', 'kubectl32');
describe.skipIf(skip)('deploy/kubernetes', () => {
  const render = (overlay: string) =>
    execFileSync(process.env.NIGHTSHIFT_TEST_KUBECTL ?? '', ['kustomize', join(OVERLAYS, overlay)], {
      encoding: 'utf8',
    });
  const objectsOf = (text: string) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject);

  it('has the overlays that are tested here', () => {
    expect(readdirSync(OVERLAYS).sort()).toEqual(Object.keys(ENABLED).sort());
  });

  describe.each(Object.keys(ENABLED))('overlay %s', (overlay) => {
    let text: string;
    let cluster: Kubernetes;
    beforeAll(async () => {
      text = render(overlay);
      cluster = await startKubernetes();
      cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    });
    afterAll(async () => {
      await cluster?.close();
      expect(cluster?.faults).toEqual([]);
    });
    const find = <T extends KubeObject>(kind: string) => objectsOf(text).find((one) => one.kind === kind) as T;

    it('renders what is wanted, all of it as the API types say', () => {
      const objects = objectsOf(text);
      expect(objects.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining([
          'Namespace',
          'Deployment',
          'Service',
          'ServiceAccount',
          'ConfigMap',
          'PodDisruptionBudget',
          'ClusterRole',
        ]),
      );
      expect(objects.filter(({ kind }) => kind === 'NetworkPolicy')).toHaveLength(2);
      expect(
        objects.filter(({ kind }) => kind === 'Secret'),
        'secrets are referred to',
      ).toEqual([]);
      for (const one of objects) expect(misfits(one, `V1${one.kind}`), `${one.kind} ${one.metadata.name}`).toEqual([]);
    });

    it('runs two replicas, restricted, without a secret in sight', () => {
      const { spec } = find<Deployment>('Deployment');
      const { securityContext, containers, volumes, terminationGracePeriodSeconds } = spec.template.spec;
      const [container] = containers;
      expect(spec.replicas).toBe(2);
      expect(terminationGracePeriodSeconds).toBeGreaterThan(25);
      // https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 10001,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(container?.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      const secrets = volumes.find(({ name }) => name === 'secrets')?.secret;
      expect(secrets).toEqual({ secretName: 'nightshift', defaultMode: 0o440 });
      expect(container?.volumeMounts).toContainEqual({
        name: 'secrets',
        mountPath: '/run/secrets/nightshift',
        readOnly: true,
      });
      const secret = container?.env.filter(({ name }) => /TOKEN|KEY|PASSWORD|URL/.test(name));
      // As docs/install.md has them made.
      expect(secret).toEqual([
        { name: 'DATABASE_URL_FILE', value: '/run/secrets/nightshift/database-url' },
        { name: 'ALERTMANAGER_TOKEN_FILE', value: '/run/secrets/nightshift/alertmanager-token' },
      ]);
      expect(volumes.find(({ name }) => name === 'config')?.configMap?.name).toBe(find('ConfigMap').metadata.name);
    });

    it('gives its account exactly what `toolset privileges` prints for the enabled tools', async () => {
      const said: string[] = [];
      const argv = [
        'toolset',
        'privileges',
        'cluster',
        '--account',
        'nightshift/nightshift',
        '--tool',
        ...(ENABLED[overlay] ?? []),
      ];
      const file = join(OVERLAYS, overlay, 'nightshift.yaml');
      const status = await runCli({
        argv,
        env: { ...env, NIGHTSHIFT_CONFIG: file },
        directory: OVERLAYS,
        out: (line) => said.push(line),
        err: (line) => said.push(line),
        serve: () => Promise.reject(new Error('not asked for')),
        untilStopped: () => Promise.reject(new Error('not asked for')),
      });
      expect({ status, said: said.join('\n') }).toMatchObject({ status: 0 });
      const fix = `Fix: write this to rbac.yaml: NIGHTSHIFT_CONFIG=${file} node src/main.ts ${argv.join(' ')}`;
      expect(readFileSync(join(OVERLAYS, overlay, 'rbac.yaml'), 'utf8').trim(), fix).toBe(said.join('\n').trim());
    });

    it('has a configuration that is in order', () => {
      const file = join(OVERLAYS, overlay, 'nightshift.yaml');
      expect(loadConfig({ env: { ...env, NIGHTSHIFT_CONFIG: file }, directory: OVERLAYS }).mode).toMatch(
        /^(?:observe|ask)$/,
      );
    });

    it('is applied, and its account may do that and no more', async () => {
      await cluster.kubectl.run(['apply', '--validate=false', '-f', '-'], text);
      const own = kubectlFor(cluster.account('nightshift', 'nightshift'));
      const may = async (verb: string, what: string, namespace = 'shop') => {
        const [resource = '', group = ''] = what.split('.');
        const spec = { resourceAttributes: { verb, resource, group, namespace } };
        const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', metadata: {}, spec };
        const said = await own.run(['create', '--validate=false', '-f', '-', '-o', 'json'], JSON.stringify(review));
        return (JSON.parse(said) as { status: { allowed: boolean } }).status.allowed;
      };
      try {
        for (const what of ['pods', 'deployments.apps', 'nodes']) expect(await may('list', what), what).toBe(true);
        const changes = { 'delete pods': overlay === 'restart', 'patch deployments.apps': overlay === 'restart' };
        for (const [asked, expected] of Object.entries(changes)) {
          const [verb = '', what = ''] = asked.split(' ');
          expect(await may(verb, what), asked).toBe(expected);
          expect(await may(verb, what, 'nightshift'), `${asked} elsewhere`).toBe(false);
        }
        for (const what of ['secrets', 'configmaps']) expect(await may('get', what), what).toBe(false);
        for (const verb of ['create', 'delete']) expect(await may(verb, 'deployments.apps'), verb).toBe(false);
      } finally {
        own.remove();
      }
    });
  });
});
