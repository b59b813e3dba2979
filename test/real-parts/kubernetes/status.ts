import { qualified, type Resource } from './resources.ts';

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly uid?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly { reason?: string; message?: string; field?: string }[];
}

/** A refusal in the API server's own words. @see https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export class Refusal extends Error {
  readonly code: number;
  readonly body: object;
  constructor(code: number, reason: string, message: string, details: Details = {}) {
    super(message);
    this.code = code;
    this.body = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code };
  }
}

const about = ({ group, plural }: Resource, name: string): Details => ({
  name,
  ...(group === '' ? {} : { group }),
  kind: plural,
});

export function notFound(resource: Resource, name: string): Refusal {
  return new Refusal(
    404,
    'NotFound',
    `${qualified(resource)} ${JSON.stringify(name)} not found`,
    about(resource, name),
  );
}

export function conflict(
  resource: Resource,
  name: string,
  why = 'the object has been modified; please apply your changes to the latest version and try again',
): Refusal {
  const message = `Operation cannot be fulfilled on ${qualified(resource)} ${JSON.stringify(name)}: ${why}`;
  return new Refusal(409, 'Conflict', message, about(resource, name));
}

/** What a delete says whose precondition names another object of the name, or another version of it. */
export function unmet(
  { kind, group, plural }: Resource,
  name: string,
  what: 'UID' | 'ResourceVersion',
  values: [string, string?],
): Refusal {
  const subject = group === '' ? kind : `${kind}.${group}`;
  const why = what === 'UID' ? 'deleted and then recreated' : 'modified';
  const message = `Operation cannot be fulfilled on ${subject} ${JSON.stringify(name)}: the ${what} in the precondition (${values[0]}) does not match the ${what} in record (${values[1]}). The object might have been ${why}`;
  return new Refusal(409, 'Conflict', message, { name, ...(group === '' ? {} : { group }), kind: plural });
}

export function alreadyExists(resource: Resource, name: string): Refusal {
  const message = `${qualified(resource)} ${JSON.stringify(name)} already exists`;
  return new Refusal(409, 'AlreadyExists', message, about(resource, name));
}

export function invalid({ kind, group }: Resource, name: string, field: string, why: string): Refusal {
  const what = group === '' ? kind : `${kind}.${group}`;
  return new Refusal(422, 'Invalid', `${what} ${JSON.stringify(name)} is invalid: ${field}: ${why}`, {
    name,
    ...(group === '' ? {} : { group }),
    kind,
    causes: [{ reason: 'FieldValueInvalid', message: why, field }],
  });
}

export function badRequest(message: string): Refusal {
  return new Refusal(400, 'BadRequest', message);
}

/** What is asked, in the words of a role. */
export interface Asked {
  readonly verb: string;
  readonly resource: Resource;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

export function forbidden(user: string, { verb, resource, subresource, namespace, name }: Asked): Refusal {
  const which = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  const subject = name === undefined ? qualified(resource) : `${qualified(resource)} ${JSON.stringify(name)}`;
  const message = `${subject} is forbidden: User "${user}" cannot ${verb} resource "${which}" in API group "${resource.group}" ${where}`;
  return new Refusal(403, 'Forbidden', message, about(resource, name ?? ''));
}
