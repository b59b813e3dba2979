import { z } from 'zod';
import { previewLine } from '../inspection.ts';
import { FORMATS } from '../manifest/arguments.ts';
import { riskOfArguments } from '../manifest/compile.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { ask, NAMESPACED_RISK, requireNamespace } from './ask.ts';
import type { KubernetesSettings } from './settings.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const CAUSE = 'kubernetes.io/change-cause';
const POD_HASH = 'pod-template-hash';
const SETS_MAX = 500;

const input = z.strictObject({
  namespace: z.string().regex(FORMATS['dns-label'], 'must be a namespace').describe('The namespace.'),
  name: z
    .string()
    .regex(FORMATS['dns-subdomain'], 'must be the name of one deployment')
    .describe('The name of the deployment.'),
  revision: z
    .number()
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('The revision to go back to, the one before the current otherwise.'),
});

const templateSchema = z.looseObject({
  metadata: z.looseObject({ labels: z.record(z.string(), z.string()).optional() }).default({}),
  spec: z.looseObject({ containers: z.array(z.looseObject({ name: z.string(), image: z.string() })) }),
});
const metadataSchema = z.looseObject({
  uid: z.string(),
  resourceVersion: z.string(),
  creationTimestamp: z.string(),
  annotations: z.record(z.string(), z.string()).default({}),
  ownerReferences: z.array(z.looseObject({ uid: z.string(), controller: z.boolean().optional() })).default([]),
});
const deploymentSchema = z.looseObject({
  metadata: metadataSchema,
  spec: z.looseObject({
    replicas: z.number().default(1),
    paused: z.boolean().default(false),
    template: templateSchema,
  }),
});
const setsSchema = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional() }),
  items: z.array(z.looseObject({ metadata: metadataSchema, spec: z.looseObject({ template: templateSchema }) })),
});

/** Gives a deployment the pods that it had before; in TypeScript because they stand in another object, its replica set of that revision. */
export const rollback = defineTool<KubernetesSettings, typeof input>({
  name: 'kubernetes.rollback',
  description: 'Rolls a deployment back to the revision before, or to a given one of its history.',
  input,
  risk: riskOfArguments(NAMESPACED_RISK),
  manifest: {
    risk: NAMESPACED_RISK,
    requests: [
      { method: 'GET', path: '/apis/apps/v1/namespaces/{{ namespace }}/deployments/{{ name }}' },
      { method: 'GET', path: '/apis/apps/v1/namespaces/{{ namespace }}/replicasets' },
      { method: 'PATCH', path: '/apis/apps/v1/namespaces/{{ namespace }}/deployments/{{ name }}' },
    ],
  },
  scope: { namespace: 'namespace' },
  target: ({ namespace, name }) => `deployments ${namespace}/${name}`,
  undo: 'kubernetes.rollback to the revision that it had',
  timeoutSeconds: 20,
  check: {
    tool: 'kubernetes.workload',
    with: { namespace: '{{ namespace }}', kind: 'deployments', name: '{{ name }}' },
    expect: 'complete == true',
    within: '5m',
  },
  inverse: {
    tool: 'kubernetes.rollback',
    with: { namespace: '{{ namespace }}', name: '{{ name }}', revision: '{{ before.revision }}' },
  },
  inspect: async (call, context) => {
    const { deployment, current, target } = await survey(call, context);
    await patch(call, context, { deployment, target, dryRun: true });
    const { replicas } = deployment.spec;
    const group = `deployments ${call.namespace}/${call.name}`;
    return {
      uid: deployment.metadata.uid,
      population: replicas > 0 ? { group, members: replicas, affects: replicas } : null,
      preview: [
        `rolls ${group} back from revision ${current.revision} to ${target.revision}, which was made at ${target.createdAt}`,
        ...linesOf('from', current),
        ...linesOf('to', target),
        'the system itself accepted a dry run of it',
      ].map(previewLine),
      before: { revision: current.revision },
    };
  },
  run: async (call, context) => {
    const { deployment, current, target } = await survey(call, context);
    await patch(call, context, { deployment, target, dryRun: false });
    return {
      from: current.revision,
      to: target.revision,
      images: target.template.spec.containers.map(({ image }) => image),
    };
  },
});

type Template = z.infer<typeof templateSchema>;
interface Revision {
  readonly revision: number;
  readonly createdAt: string;
  readonly cause: string | undefined;
  readonly template: Template;
}
type Call = z.infer<typeof input>;
type Deployment = z.infer<typeof deploymentSchema>;

/** Finds the revision that a deployment has and the one that it would get. @throws NightshiftError `tool_failed` where there is no such one, or it makes no difference. */
async function survey(
  { namespace, name, revision }: Call,
  context: ToolContext<KubernetesSettings>,
): Promise<{ deployment: Deployment; current: Revision; target: Revision }> {
  requireNamespace('kubernetes.rollback', namespace, context.settings);
  const what = `deployments ${namespace}/${name}`;
  const read = (path: string, query = {}) => ask(context, { method: 'GET', path, query, readOnly: true });
  const deployment = deploymentSchema.parse(await read(pathOf({ namespace, name })));
  if (deployment.spec.paused) throw toolFailed(`${what} is paused, so a rollback would wait for its resumption`);
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/replicasets`;
  const { items, metadata } = setsSchema.parse(await read(path, { limit: SETS_MAX }));
  if (metadata.continue) throw toolFailed(`namespace ${namespace} has more than ${SETS_MAX} replica sets`);
  const revisions = items
    .filter((set) =>
      set.metadata.ownerReferences.some((owner) => owner.controller && owner.uid === deployment.metadata.uid),
    )
    .map((set) => ({
      revision: Number(set.metadata.annotations[REVISION] ?? 0),
      createdAt: set.metadata.creationTimestamp,
      cause: set.metadata.annotations[CAUSE],
      template: withoutHash(set.spec.template),
    }))
    .sort((a, b) => b.revision - a.revision);
  const has = Number(deployment.metadata.annotations[REVISION] ?? 0);
  const current = revisions.find((one) => one.revision === has);
  if (!current) throw toolFailed(`${what} is not at any revision of its history yet; ask again in a moment`);
  const target =
    revision === undefined
      ? revisions.find((one) => one.revision < has)
      : revisions.find((one) => one.revision === revision);
  if (!target)
    throw toolFailed(
      revision === undefined
        ? `${what} has no revision before ${has}`
        : `${what} has no revision ${revision}; it has ${revisions.map((one) => one.revision).join(', ')}`,
    );
  if (target === current) throw toolFailed(`${what} has revision ${has} already`);
  return { deployment, current, target };
}

/** Puts another template into a deployment, unless that has changed since it was read. */
async function patch(
  call: Call,
  context: ToolContext<KubernetesSettings>,
  { deployment, target, dryRun }: { deployment: Deployment; target: Revision; dryRun: boolean },
): Promise<void> {
  const { resourceVersion, annotations } = deployment.metadata;
  const causePath = `/metadata/annotations/${CAUSE.replaceAll('/', '~1')}`;
  await ask(context, {
    method: 'PATCH',
    path: pathOf(call),
    query: { fieldManager: 'nightshift', ...(dryRun ? { dryRun: 'All' } : {}) },
    headers: { 'content-type': 'application/json-patch+json' },
    body: [
      // Makes the server refuse where the deployment is not the one that was looked at.
      { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
      { op: 'replace', path: '/spec/template', value: target.template as z.core.util.JSONType },
      ...(target.cause !== undefined
        ? [{ op: 'add', path: causePath, value: target.cause }]
        : annotations[CAUSE] === undefined
          ? []
          : [{ op: 'remove', path: causePath }]),
    ],
  });
}

const pathOf = ({ namespace, name }: Call) =>
  `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/deployments/${encodeURIComponent(name)}`;

/** The label that tells the pods of one replica set from those of another is not the deployment's own. */
function withoutHash({ metadata, ...rest }: Template): Template {
  const { [POD_HASH]: _, ...labels } = metadata.labels ?? {};
  return { ...rest, metadata: { ...metadata, labels } };
}

function linesOf(way: string, { template, cause }: Revision): string[] {
  const images = template.spec.containers.map(({ name, image }) => `${way} ${image} in container ${name}`);
  return cause === undefined ? images : [...images, `${way} what was changed for: ${cause}`];
}
