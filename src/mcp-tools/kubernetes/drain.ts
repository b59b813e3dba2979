import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { PREVIEW_LINES_MAX, previewLine } from '../inspection.ts';
import { defineTool, type ToolContext, toolFailed } from '../tool.ts';
import { ask } from './ask.ts';
import { NODE_REQUESTS, type NodePod, nodeNameSchema, readNode, readNodePods } from './node-pods.ts';
import { DRAIN_SECONDS_MAX, type KubernetesSettings } from './settings.ts';

const RETRY_MS = 1000;
/** Evictions that are asked for at once, so that the API server is not flooded. */
const AT_ONCE = 10;
const BLOCKED_SHOWN_MAX = 5;
const PREVIEW_PODS_MAX = PREVIEW_LINES_MAX - 3;

const input = z.strictObject({ node: nodeNameSchema });

/** Moves the pods of a node elsewhere; in TypeScript because it takes a request for each pod, and asking again. */
export const drain = defineTool<KubernetesSettings, typeof input>({
  name: 'kubernetes.drain',
  description:
    'Cordons a node and evicts its pods, as far as their disruption budgets let it, until they are gone or its time is up. Pods of daemon sets stay.',
  input,
  risk: 'critical',
  manifest: {
    requests: [
      ...NODE_REQUESTS,
      { method: 'PATCH', path: '/api/v1/nodes/{{ node }}' },
      { method: 'POST', path: '/api/v1/namespaces/{{ namespace }}/pods/{{ pod }}/eviction' },
    ],
  },
  scope: { node: 'node' },
  target: ({ node }) => `node ${node}`,
  undo: 'kubernetes.uncordon; pods that were evicted stay where they are now',
  timeoutSeconds: DRAIN_SECONDS_MAX + 10,
  check: {
    tool: 'kubernetes.node_pods',
    with: { node: '{{ node }}' },
    expect: 'schedulable == false and toMove == 0',
    within: '2m',
  },
  // A node that was cordoned before stays so: without a name there is nothing to call.
  inverse: { tool: 'kubernetes.uncordon', with: { node: '{{ before.cordons }}' } },
  inspect: async ({ node }, context) => {
    const { uid, schedulable, pods, moving } = await survey(node, context);
    await cordon(context, node, { uid, dryRun: true });
    await inTurn(moving, (pod) => evict(context, pod, { dryRun: true }));
    const shown = moving.slice(0, PREVIEW_PODS_MAX).map(lineOf);
    return {
      uid,
      population: moving.length > 0 ? { group: `node ${node}`, members: pods.length, affects: moving.length } : null,
      preview: [
        `${schedulable ? 'cordons' : 'keeps cordoned'} node ${node} and evicts ${moving.length} of its ${pods.length} pod(s)`,
        ...shown,
        ...(moving.length > shown.length ? [`and ${moving.length - shown.length} more`] : []),
        'the system itself accepted a dry run of it; disruption budgets may hold single pods back for a while',
      ].map(previewLine),
      before: schedulable ? { cordons: node } : {},
    };
  },
  run: async ({ node }, context) => {
    const { uid, moving } = await survey(node, context);
    await cordon(context, node, { uid, dryRun: false });
    const until = Date.now() + context.settings.drainSeconds * 1000;
    const evicted = new Set<string>();
    for (;;) {
      const blocked = await evictRound(node, context, evicted);
      if (blocked === null) return { node, evicted: moving.length };
      if (Date.now() + RETRY_MS > until || context.signal.aborted) throw unfinished(node, blocked);
      await sleep(RETRY_MS);
    }
  },
});

/** Looks at the node and what a drain would move. @throws NightshiftError `tool_failed` for pods that nobody would make again, or that are not ours to move. */
async function survey(node: string, context: ToolContext<KubernetesSettings>) {
  const { uid, schedulable } = await readNode(context, node);
  const pods = await readNodePods(context, node);
  const moving = pods.filter(({ stays }) => !stays);
  const lost = moving.filter(({ controller, isFinished }) => controller === null && !isFinished);
  if (lost.length > 0)
    throw toolFailed(`node ${node} has pods that no controller would make again: ${namesOf(lost)}`, {
      fix: 'move or delete them by hand first',
    });
  const { namespaces } = context.settings;
  const foreign = moving.filter(({ namespace }) => namespaces && !namespaces.includes(namespace));
  if (foreign.length > 0)
    throw toolFailed(`node ${node} has pods of namespaces that may not be worked on: ${namesOf(foreign)}`, {
      fix: 'add them to the setting `namespaces` of this toolset, if they may be worked on',
    });
  return { uid, schedulable, pods, moving };
}

/** Asks for the eviction of every pod that is still there and was not told yet; null once none is left. */
async function evictRound(
  node: string,
  context: ToolContext<KubernetesSettings>,
  evicted: Set<string>,
): Promise<string[] | null> {
  const left = (await survey(node, context)).moving;
  if (left.length === 0) return null;
  const said = await inTurn(left, async (pod) => {
    if (pod.isLeaving || evicted.has(pod.uid)) return `${nameOf(pod)} is still ending`;
    const why = await evict(context, pod, { dryRun: false });
    if (why === null) evicted.add(pod.uid);
    return `${nameOf(pod)}: ${why ?? 'is still ending'}`;
  });
  return said;
}

const evictionSchema = z.looseObject({
  code: z.number().optional(),
  message: z.string().optional(),
  details: z.looseObject({ causes: z.array(z.looseObject({ message: z.string().optional() })).optional() }).optional(),
});

/**
 * Asks for the eviction of one pod, of this uid only; gives why it must wait, or null where it goes or is gone.
 * @see https://kubernetes.io/docs/concepts/scheduling-eviction/api-eviction/
 */
async function evict(
  context: ToolContext<KubernetesSettings>,
  { namespace, name, uid }: NodePod,
  { dryRun }: { dryRun: boolean },
): Promise<string | null> {
  const answer = await ask(context, {
    method: 'POST',
    path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}/eviction`,
    // In the query as well: admission webhooks are told of a dry run by that alone.
    query: dryRun ? { dryRun: 'All' } : {},
    body: {
      apiVersion: 'policy/v1',
      kind: 'Eviction',
      metadata: { namespace, name },
      deleteOptions: { preconditions: { uid }, ...(dryRun ? { dryRun: ['All'] } : {}) },
    },
    // 404 and 409: it is gone, or another one has its name by now. 429: its disruption budget.
    expect: [200, 201, 404, 409, 429],
  });
  const { code, message, details } = evictionSchema.parse(answer);
  if (code !== 429) return null;
  return details?.causes?.find((cause) => cause.message)?.message ?? message ?? 'its disruption budget';
}

async function cordon(
  context: ToolContext<KubernetesSettings>,
  node: string,
  { uid, dryRun }: { uid: string; dryRun: boolean },
): Promise<void> {
  await ask(context, {
    method: 'PATCH',
    path: `/api/v1/nodes/${encodeURIComponent(node)}`,
    query: { fieldManager: 'nightshift', ...(dryRun ? { dryRun: 'All' } : {}) },
    headers: { 'content-type': 'application/merge-patch+json' },
    body: { metadata: { uid }, spec: { unschedulable: true } },
  });
}

async function inTurn<T>(pods: readonly NodePod[], work: (pod: NodePod) => Promise<T>): Promise<T[]> {
  const done: T[] = [];
  for (let at = 0; at < pods.length; at += AT_ONCE)
    done.push(...(await Promise.all(pods.slice(at, at + AT_ONCE).map(work))));
  return done;
}

function unfinished(node: string, blocked: readonly string[]) {
  const shown = blocked.slice(0, BLOCKED_SHOWN_MAX).join('; ');
  const more = blocked.length > BLOCKED_SHOWN_MAX ? `; and ${blocked.length - BLOCKED_SHOWN_MAX} more` : '';
  return toolFailed(`node ${node} is cordoned, but ${blocked.length} pod(s) are still on it: ${shown}${more}`, {
    fix: 'look at their disruption budgets, then drain again, or uncordon the node',
  });
}

const nameOf = ({ namespace, name }: NodePod) => `${namespace}/${name}`;
const namesOf = (pods: readonly NodePod[]) => pods.slice(0, BLOCKED_SHOWN_MAX).map(nameOf).join(', ');
const lineOf = (pod: NodePod) =>
  `evicts ${nameOf(pod)} of ${pod.controller ?? 'nobody: it has ended'}${pod.hasLocalData ? ', which LOSES its local data' : ''}`;
