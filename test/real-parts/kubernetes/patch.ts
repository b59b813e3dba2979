import { badRequest } from './status.ts';

type Fields = Record<string, unknown>;

/** By which field the items of a list are the same one; other lists are replaced as a whole. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  volumeMounts: 'mountPath',
  ports: 'containerPort',
  conditions: 'type',
  ownerReferences: 'uid',
  imagePullSecrets: 'name',
  addresses: 'type',
};

/** Applies a patch of one of the API's media types. @throws Refusal for another one, or a patch that does not apply. */
export function applyPatch(target: object, patch: unknown, mediaType: string): unknown {
  if (mediaType === 'application/merge-patch+json') return mergePatch(target, patch);
  if (mediaType === 'application/strategic-merge-patch+json') return strategicMerge(target as Fields, asFields(patch));
  if (mediaType === 'application/json-patch+json') return jsonPatch(target, patch);
  throw badRequest(`unsupported patch type ${mediaType}`);
}

/** @see https://www.rfc-editor.org/rfc/rfc7386 */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const merged: Fields = isFields(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}

/** @see https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md */
function strategicMerge(target: Fields, patch: Fields): Fields {
  if (patch.$patch === 'replace') {
    const { $patch: _, ...rest } = patch;
    return rest;
  }
  const merged: Fields = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$')) continue;
    const at = merged[key];
    const by = MERGE_KEYS[key];
    if (value === null) delete merged[key];
    else if (isFields(value)) merged[key] = strategicMerge(isFields(at) ? at : {}, value);
    else if (Array.isArray(value) && by !== undefined) merged[key] = mergeList(Array.isArray(at) ? at : [], value, by);
    else merged[key] = value;
  }
  return merged;
}

function mergeList(target: readonly unknown[], patch: readonly unknown[], by: string): unknown[] {
  const merged = [...target] as Fields[];
  for (const item of patch.map(asFields)) {
    const index = merged.findIndex((one) => one[by] === item[by]);
    if (item[by] === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${by}`);
    if (item.$patch === 'delete') {
      if (index >= 0) merged.splice(index, 1);
    } else if (index >= 0) merged[index] = strategicMerge(merged[index] ?? {}, item);
    else merged.push(strategicMerge({}, item));
  }
  return merged;
}

/** @see https://www.rfc-editor.org/rfc/rfc6902 */
function jsonPatch(target: object, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is a list');
  const root = { '': structuredClone(target) as unknown };
  for (const { op, path, value } of patch as { op: string; path: string; value?: unknown }[]) {
    const steps = path.split('/').map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
    const last = steps.pop() ?? '';
    const parent = steps.reduce<unknown>((at, step) => (at as Fields | undefined)?.[step], root) as Fields | undefined;
    const refuse = () =>
      badRequest(`the server rejected our request due to an error in our request: ${op} ${path} does not apply`);
    if (parent === null || typeof parent !== 'object') throw refuse();
    const isThere = Object.hasOwn(parent, last);
    if (op === 'test') {
      if (JSON.stringify(parent[last]) !== JSON.stringify(value)) throw refuse();
    } else if (op === 'add' && Array.isArray(parent)) {
      parent.splice(last === '-' ? parent.length : Number(last), 0, value);
    } else if (op === 'add' || (op === 'replace' && isThere)) parent[last] = value;
    else if (op === 'remove' && isThere) {
      if (Array.isArray(parent)) parent.splice(Number(last), 1);
      else delete parent[last];
    } else throw refuse();
  }
  return root[''];
}

function asFields(value: unknown): Fields {
  if (!isFields(value)) throw badRequest('the patch is no object');
  return value;
}

function isFields(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
