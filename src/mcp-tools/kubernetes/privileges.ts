import { stringify } from 'yaml';
import { z } from 'zod';
import { NightshiftError } from '../../errors.ts';
import type { Tool } from '../tool.ts';
import type { KubernetesSettings } from './settings.ts';

const RBAC = 'rbac.authorization.k8s.io';
const RESTARTED = 'kubectl.kubernetes.io/restartedAt';
/** What a restart leaves as it is. An owner that does not exist, for one, would have the workload collected as garbage. */
const KEPT = [
  ...['labels', 'ownerReferences', 'finalizers'].map((field) => `metadata.${field}`),
  ...['replicas', 'paused', 'strategy', 'updateStrategy', 'minReadySeconds', 'revisionHistoryLimit'],
  ...['progressDeadlineSeconds', 'persistentVolumeClaimRetentionPolicy', 'ordinals'],
].map((field) => (field.includes('.') ? field : `spec.${field}`));
const WORKLOADS = ['deployments', 'statefulsets', 'daemonsets'];
const VERBS = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
const PATH = /^\/(?:api|apis\/(?<group>[^/]+))\/[^/]+(?<namespaced>\/namespaces\/[^/]+(?=\/))?(?<rest>\/.+)$/;

const requestSchema = z.looseObject({ method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']), path: z.string() });
const httpSchema = z.looseObject({ http: requestSchema });
/** What a tool says about its requests: one that is data in its manifest, one in TypeScript as a list. */
const declaredSchema = z.looseObject({
  arguments: z.record(z.string(), z.looseObject({ enum: z.array(z.string()).optional() })).default({}),
  request: httpSchema.optional(),
  inspect: z.looseObject({ request: httpSchema }).optional(),
  dryRun: httpSchema.nullish(),
  requests: z.array(requestSchema).default([]),
});

interface Need {
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
  readonly namespaced: boolean;
}

/** A rule of a role, as the API takes it. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The service account that Nightshift uses in the cluster. */
export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Gives the rules that these tools need and nothing more, read from the requests that they declare: those for the whole cluster, and
 * those that a namespace is enough for. @throws NightshiftError `invalid_config` for a tool that declares no request.
 */
export function rulesOf(tools: readonly Tool[]): { readonly cluster: Rule[]; readonly namespaced: Rule[] } {
  const needs = tools.flatMap(needsOf);
  return {
    cluster: rulesFor(needs.filter(({ namespaced }) => !namespaced)),
    namespaced: rulesFor(needs.filter(({ namespaced }) => namespaced)),
  };
}

/**
 * Writes the manifests that give a service account what these tools need: a cluster role and its binding, roles in the namespaces of the
 * settings where they are limited to some, and, as far as restarts are all that may change pods, a policy that admits no other change.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function kubernetesPrivileges(
  tools: readonly Tool[],
  { namespaces }: Pick<KubernetesSettings, 'namespaces'>,
  account: ServiceAccount,
): string {
  const { cluster, namespaced } = rulesOf(tools);
  const { name } = account;
  const subjects = [{ kind: 'ServiceAccount', ...account }];
  const everywhere = namespaces === undefined ? [...cluster, ...namespaced] : cluster;
  const manifests = [
    ...(everywhere.length > 0
      ? [
          { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name }, rules: everywhere },
          {
            apiVersion: `${RBAC}/v1`,
            kind: 'ClusterRoleBinding',
            metadata: { name },
            roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name },
            subjects,
          },
        ]
      : []),
    ...(namespaced.length > 0 ? (namespaces ?? []) : []).flatMap((namespace) => [
      { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: { namespace, name }, rules: namespaced },
      {
        apiVersion: `${RBAC}/v1`,
        kind: 'RoleBinding',
        metadata: { namespace, name },
        roleRef: { apiGroup: RBAC, kind: 'Role', name },
        subjects,
      },
    ]),
    ...admissionOf(tools, account),
  ];
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0 })).join('---\n');
}

function needsOf(tool: Tool): Need[] {
  const declared = declaredSchema.safeParse(tool.manifest);
  const { request, inspect, dryRun, requests, arguments: args } = declared.data ?? declaredSchema.parse({});
  const all = [request?.http, inspect?.request.http, dryRun?.http, ...requests].filter((one) => one !== undefined);
  if (all.length === 0)
    throw new NightshiftError('invalid_config', `${tool.name} declares no request, so what it needs is not known`);
  return all.flatMap(({ method, path }) => {
    const { group = '', namespaced, rest = '' } = PATH.exec(path)?.groups ?? {};
    const [, plural = '', name, subresource] = rest.split('/');
    const verb = method === 'GET' ? (name === undefined ? 'list' : 'get') : VERBS[method];
    const argument = /^\{\{ (\w+) \}\}$/.exec(plural)?.[1];
    const plurals = argument === undefined ? [plural] : (args[argument]?.enum ?? []);
    return plurals.map((one) => ({
      group,
      resource: subresource === undefined ? one : `${one}/${subresource}`,
      verb,
      namespaced: namespaced !== undefined,
    }));
  });
}

/** One rule for all resources of a group that need the same verbs, in the order of the alphabet. */
function rulesFor(needs: readonly Need[]): Rule[] {
  const verbsOf = Map.groupBy(needs, ({ group, resource }) => `${group}|${resource}`);
  const each = [...verbsOf].map(([key, some]) => {
    const [group = '', resource = ''] = key.split('|');
    return { group, resource, verbs: [...new Set(some.map(({ verb }) => verb))].sort() };
  });
  const alike = Map.groupBy(each, ({ group, verbs }) => `${group}|${verbs.join()}`);
  return [...alike.keys()].sort().flatMap((key) => {
    const same = alike.get(key) ?? [];
    const [first] = same;
    if (!first) return [];
    return [{ apiGroups: [first.group], resources: same.map(({ resource }) => resource).sort(), verbs: first.verbs }];
  });
}

/** A restart needs `patch`, and that could give a workload any pods: so the API server is told to admit nothing but the restart. */
function admissionOf(tools: readonly Tool[], { namespace, name }: ServiceAccount): object[] {
  const has = (tool: string) => tools.some((one) => one.name === `kubernetes.${tool}`);
  if (!has('rollout_restart') || has('patch_image')) return [];
  const resources = WORKLOADS.filter((kind) => !(kind === 'deployments' && has('rollback')));
  const own = `${name}-restarts-only`;
  const same = (field: string) => `object.${field} == oldObject.${field}`;
  const alike = (field: string) =>
    `has(object.${field}) == has(oldObject.${field}) && (!has(object.${field}) || ${same(field)})`;
  const annotations = (of: string) =>
    `(has(${of}.spec.template.metadata.annotations) ? ${of}.spec.template.metadata.annotations : {})`;
  const message = `${name} may only restart workloads`;
  const apiVersion = 'admissionregistration.k8s.io/v1';
  return [
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicy',
      metadata: { name: own },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: {
          resourceRules: [{ apiGroups: ['apps'], apiVersions: ['v1'], operations: ['UPDATE'], resources }],
        },
        matchConditions: [
          { name: 'ours', expression: `request.userInfo.username == "system:serviceaccount:${namespace}:${name}"` },
        ],
        variables: [
          { name: 'annotations', expression: annotations('object') },
          { name: 'before', expression: annotations('oldObject') },
        ],
        validations: [
          { expression: same('spec.template.spec'), message },
          { expression: same('spec.selector'), message },
          { expression: same('spec.template.metadata.labels'), message },
          ...KEPT.map((field) => ({ expression: alike(field), message })),
          { expression: `variables.before.all(key, key == "${RESTARTED}" || key in variables.annotations)`, message },
          {
            expression: `variables.annotations.all(key, key == "${RESTARTED}" || (key in variables.before && variables.annotations[key] == variables.before[key]))`,
            message,
          },
        ],
      },
    },
    {
      apiVersion,
      kind: 'ValidatingAdmissionPolicyBinding',
      metadata: { name: own },
      spec: { policyName: own, validationActions: ['Deny'] },
    },
  ];
}
