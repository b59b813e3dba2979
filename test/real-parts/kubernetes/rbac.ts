import type { RbacV1Subject, V1PolicyRule, V1RoleRef } from '@kubernetes/client-node';
import type { KubeObject } from './resources.ts';
import { type Asked, forbidden } from './status.ts';
import type { Store } from './store.ts';

/** Who asks, as the token says. */
export interface Account {
  readonly user: string;
  readonly groups: readonly string[];
}

interface Role extends KubeObject {
  rules?: V1PolicyRule[];
}
interface Binding extends KubeObject {
  roleRef: V1RoleRef;
  subjects?: RbacV1Subject[];
}
type Rule = V1PolicyRule;

/** Refuses what no role that is bound to the account allows. @throws Refusal 403 in the API server's words. */
export function authorize(store: Store, account: Account, asked: Asked): void {
  if (account.groups.includes('system:masters')) return;
  // As the role system:basic-user, which everybody has, allows it.
  if (asked.resource.kind === 'SelfSubjectAccessReview' && asked.verb === 'create') return;
  const rules = [
    ...store.list<Binding>('ClusterRoleBinding').flatMap((binding) => rulesOf(store, account, binding)),
    ...(asked.namespace === undefined
      ? []
      : store.list<Binding>('RoleBinding', asked.namespace).flatMap((binding) => rulesOf(store, account, binding))),
  ];
  if (!rules.some((rule) => allows(rule, asked))) throw forbidden(account.user, asked);
}

function rulesOf(store: Store, { user, groups }: Account, { metadata, roleRef, subjects = [] }: Binding): Rule[] {
  const isMeant = subjects.some(({ kind, name, namespace }) =>
    kind === 'ServiceAccount'
      ? user === `system:serviceaccount:${namespace}:${name}`
      : kind === 'Group'
        ? groups.includes(name)
        : user === name,
  );
  if (!isMeant) return [];
  const role =
    roleRef.kind === 'ClusterRole'
      ? store.find<Role>('ClusterRole', undefined, roleRef.name)
      : store.find<Role>('Role', metadata.namespace, roleRef.name);
  return role?.rules ?? [];
}

function allows(rule: Rule, { verb, resource, subresource, name }: Asked): boolean {
  const has = (list: readonly string[] | undefined, item: string) =>
    Boolean(list?.includes('*') || list?.includes(item));
  const which = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  const names = rule.resourceNames ?? [];
  return (
    has(rule.verbs, verb) &&
    has(rule.apiGroups, resource.group) &&
    has(rule.resources, which) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}
