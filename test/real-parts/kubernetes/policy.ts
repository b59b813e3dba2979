import type { V1ValidatingAdmissionPolicy, V1ValidatingAdmissionPolicyBinding } from '@kubernetes/client-node';
import { Environment } from '@marcbachmann/cel-js';
import { type KubeObject, qualified, type Resource } from './resources.ts';
import type { Raw } from './schema.ts';
import { Refusal } from './status.ts';
import type { Store } from './store.ts';

const cel = new Environment({ unlistedVariablesAreDyn: true });

/** A change that the policies of the cluster are asked about. */
export interface Change {
  readonly user: string;
  readonly operation: 'CREATE' | 'UPDATE';
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly oldObject: KubeObject | null;
}

/**
 * Asks every ValidatingAdmissionPolicy that is bound; an expression that fails denies, as `failurePolicy: Fail` says.
 * @throws Refusal 422 in the API server's words.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/
 */
export function askPolicies(store: Store, change: Change): void {
  const policies = store.list<Raw<V1ValidatingAdmissionPolicy> & KubeObject>('ValidatingAdmissionPolicy');
  const bindings = store.list<Raw<V1ValidatingAdmissionPolicyBinding> & KubeObject>('ValidatingAdmissionPolicyBinding');
  for (const { metadata, spec: binding } of bindings) {
    const policy = policies.find((one) => one.metadata.name === binding?.policyName);
    if (!policy?.spec || !binding?.validationActions?.includes('Deny')) continue;
    const why = denialOf(policy.spec, change);
    if (why === null) continue;
    const { resource, object } = change;
    const by = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${metadata.name}' denied request: ${why}`;
    const what = `${qualified(resource)} ${JSON.stringify(object.metadata.name)}`;
    throw new Refusal(422, 'Invalid', `${what} is forbidden: ${by}`, { causes: [{ message: by }] });
  }
}

type Spec = NonNullable<Raw<V1ValidatingAdmissionPolicy>['spec']>;

function denialOf(spec: Spec, { user, operation, resource, object, oldObject }: Change): string | null {
  const has = (list: readonly string[] | undefined, item: string) =>
    Boolean(list?.includes(item) || list?.includes('*'));
  const isMatched = spec.matchConstraints?.resourceRules?.some(
    ({ apiGroups, apiVersions, operations, resources }) =>
      has(apiGroups, resource.group) &&
      has(apiVersions, resource.version) &&
      has(operations, operation) &&
      has(resources, resource.plural),
  );
  if (!isMatched) return null;
  const variables: Record<string, unknown> = {};
  const facts = { object, oldObject, request: { userInfo: { username: user }, operation }, variables };
  try {
    if (!(spec.matchConditions ?? []).every(({ expression }) => cel.evaluate(expression, facts) === true)) return null;
    for (const { name, expression } of spec.variables ?? []) variables[name] = cel.evaluate(expression, facts);
    const failed = (spec.validations ?? []).find(({ expression }) => cel.evaluate(expression, facts) !== true);
    return failed ? (failed.message ?? `failed expression: ${failed.expression}`) : null;
  } catch (error) {
    return `expression resulted in error: ${String(error)}`;
  }
}
