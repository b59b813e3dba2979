import type { V1LabelSelector } from '@kubernetes/client-node';
import type { KubeObject, Resource } from './resources.ts';
import { badRequest } from './status.ts';

type Labels = Readonly<Record<string, string>>;

/** Tells whether labels are as the selector of a workload says; one without any rule means every object. */
export function matchesSelector(selector: V1LabelSelector | undefined, labels: Labels = {}): boolean {
  return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

/** Tells whether labels are as a `labelSelector` says: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`. */
export function matchesLabelSelector(selector: string, labels: Labels = {}): boolean {
  return selector
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .every((part) => {
      const set = /^(\S+) (in|notin) \(([^)]*)\)$/.exec(part);
      if (set) {
        const [, key = '', how, list = ''] = set;
        const isIn = list.split(',').some((value) => value.trim() === labels[key]);
        return isIn === (how === 'in');
      }
      const equality = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
      if (equality) {
        const [, key = '', how, value] = equality;
        return (labels[key] === value) === (how !== '!=');
      }
      if (/[()=]/.test(part)) throw badRequest(`unable to parse requirement: ${part}`);
      return part.startsWith('!') ? labels[part.slice(1)] === undefined : labels[part] !== undefined;
    });
}

const FIELDS: Readonly<Record<string, readonly string[]>> = {
  pods: ['spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'status.phase', 'status.podIP'],
  events: [
    'involvedObject.kind',
    'involvedObject.name',
    'involvedObject.namespace',
    'involvedObject.uid',
    'reason',
    'type',
    'reportingComponent',
  ],
  nodes: ['spec.unschedulable'],
};

/** Tells whether an object is as a `fieldSelector` says. @throws Refusal for a field that the API server does not select by. */
export function matchesFieldSelector(selector: string, resource: Resource, object: KubeObject): boolean {
  return selector
    .split(',')
    .filter((part) => part !== '')
    .every((part) => {
      const [, field = '', how, wanted = ''] = /^([^=!]+)(==|=|!=)(.*)$/.exec(part) ?? [];
      const known = ['metadata.name', 'metadata.namespace', ...(FIELDS[resource.plural] ?? [])];
      if (!known.includes(field)) throw badRequest(`field label not supported: ${field}`);
      const value = field
        .split('.')
        .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], object);
      return (String(value ?? '') === wanted) === (how !== '!=');
    });
}
