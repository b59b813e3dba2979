import { z } from 'zod';
import { FORMATS } from '../manifest/arguments.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { ask } from './ask.ts';
import type { KubernetesSettings } from './settings.ts';

/** Far more than a kubelet runs. */
const PODS_MAX = 1000;
const MIRROR = 'kubernetes.io/config.mirror';

export const nodeNameSchema = z
  .string()
  .regex(FORMATS['dns-subdomain'], 'must be the name of one node')
  .describe('The name of the node.');

const nodeSchema = z.looseObject({
  metadata: z.looseObject({ uid: z.string() }),
  spec: z.looseObject({ unschedulable: z.boolean().optional() }).default({}),
});

const podSchema = z.looseObject({
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
    deletionTimestamp: z.string().optional(),
    ownerReferences: z
      .array(z.looseObject({ kind: z.string(), name: z.string(), controller: z.boolean().optional() }))
      .optional(),
  }),
  spec: z.looseObject({ volumes: z.array(z.looseObject({ emptyDir: z.unknown() })).optional() }),
  status: z.looseObject({ phase: z.string().optional() }).optional(),
});

const listSchema = z.looseObject({
  metadata: z.looseObject({ continue: z.string().optional() }),
  items: z.array(podSchema),
});

/** A pod as far as draining its node is concerned. */
export interface NodePod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** What makes another one, as `ReplicaSet web-5c9`; null where nothing does. */
  readonly controller: string | null;
  /** A drain leaves what belongs to the node itself: pods of daemon sets, and mirrors of the kubelet's own. */
  readonly stays: boolean;
  readonly isFinished: boolean;
  readonly isLeaving: boolean;
  readonly hasLocalData: boolean;
}

/** A node's identity and whether it takes new pods. @throws NightshiftError `tool_failed` where there is none. */
export async function readNode(
  context: ToolContext<KubernetesSettings>,
  node: string,
): Promise<{ uid: string; schedulable: boolean }> {
  const path = `/api/v1/nodes/${encodeURIComponent(node)}`;
  const { metadata, spec } = nodeSchema.parse(await ask(context, { method: 'GET', path, readOnly: true }));
  return { uid: metadata.uid, schedulable: spec.unschedulable !== true };
}

/** Lists all pods of a node, in all namespaces. @throws NightshiftError `tool_failed` where they are more than a node can run. */
export async function readNodePods(context: ToolContext<KubernetesSettings>, node: string): Promise<NodePod[]> {
  const query = { fieldSelector: `spec.nodeName=${node}`, limit: PODS_MAX };
  const listed = await ask(context, { method: 'GET', path: '/api/v1/pods', query, readOnly: true });
  const { metadata, items } = listSchema.parse(listed);
  if (metadata.continue) throw toolFailed(`node ${node} has more than ${PODS_MAX} pods`);
  return items.map(
    ({ metadata: { name, namespace, uid, annotations, deletionTimestamp, ownerReferences }, spec, status }) => {
      const owner = ownerReferences?.find(({ controller }) => controller);
      return {
        namespace,
        name,
        uid,
        controller: owner ? `${owner.kind} ${owner.name}` : null,
        stays: owner?.kind === 'DaemonSet' || annotations?.[MIRROR] !== undefined,
        isFinished: status?.phase === 'Succeeded' || status?.phase === 'Failed',
        isLeaving: deletionTimestamp !== undefined,
        hasLocalData: spec.volumes?.some((volume) => volume.emptyDir !== undefined) ?? false,
      };
    },
  );
}

const input = z.strictObject({ node: nodeNameSchema });

/** What the looks of this file ask the API server for. */
export const NODE_REQUESTS = [
  { method: 'GET', path: '/api/v1/nodes/{{ node }}' },
  { method: 'GET', path: '/api/v1/pods' },
] as const;

/** Lists what runs on a node; in TypeScript because a selector of the API holds the node's name among other signs. */
export const nodePods = defineTool<KubernetesSettings, typeof input>({
  name: 'kubernetes.node_pods',
  description:
    'Lists the pods of one node with what controls them, and how many of them a drain would still have to move.',
  input,
  risk: 'read',
  manifest: { requests: NODE_REQUESTS },
  target: ({ node }) => `node ${node}`,
  undo: 'nothing to undo',
  timeoutSeconds: 15,
  run: async ({ node }, context) => {
    const { schedulable } = await readNode(context, node);
    const pods = await readNodePods(context, node);
    const { namespaces } = context.settings;
    return {
      node,
      schedulable,
      toMove: pods.filter(({ stays, isFinished }) => !stays && !isFinished).length,
      // Counted all, but shown only as far as the operator lets these tools see.
      pods: pods
        .filter(({ namespace }) => namespaces?.includes(namespace) ?? true)
        .map(({ namespace, name, controller, stays, isLeaving }) => ({
          namespace,
          name,
          controller,
          stays,
          isLeaving,
        })),
    };
  },
});
