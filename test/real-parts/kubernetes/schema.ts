import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as models from '@kubernetes/client-node';

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

/** An API type as it goes over the wire: times are texts. */
export type Raw<T> = T extends Date
  ? string
  : T extends (infer Item)[]
    ? Raw<Item>[]
    : T extends object
      ? { [Key in keyof T]: Raw<T[Key]> }
      : T;

const MODELS = join(dirname(fileURLToPath(import.meta.resolve('@kubernetes/client-node'))), 'gen/models');
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
/** Types of the metrics API and of discovery, which the client carries as plain interfaces. */
const OWN: Readonly<Record<string, readonly (Attribute & { readonly required: boolean })[]>> = {
  PodMetrics: [
    { baseName: 'apiVersion', type: 'string', required: false },
    { baseName: 'kind', type: 'string', required: false },
    { baseName: 'metadata', type: 'V1ObjectMeta', required: true },
    { baseName: 'timestamp', type: 'Date', required: true },
    { baseName: 'window', type: 'string', required: true },
    { baseName: 'containers', type: 'Array<ContainerMetrics>', required: true },
  ],
  PodMetricsList: [
    { baseName: 'apiVersion', type: 'string', required: true },
    { baseName: 'kind', type: 'string', required: true },
    { baseName: 'metadata', type: 'V1ListMeta', required: true },
    { baseName: 'items', type: 'Array<PodMetrics>', required: true },
  ],
  ContainerMetrics: [
    { baseName: 'name', type: 'string', required: true },
    { baseName: 'usage', type: '{ [key: string]: string; }', required: true },
  ],
};
const declared = new Map<string, ReadonlyMap<string, { type: string; required: boolean }> | null>();

/** Reads the fields of an API type from the published client: their types as it carries them, and which are needed from its declarations. */
function fieldsOf(type: string): ReadonlyMap<string, { type: string; required: boolean }> | null {
  const known = declared.get(type);
  if (known !== undefined) return known;
  const own = OWN[type];
  const model = (models as unknown as Record<string, { attributeTypeMap?: Attribute[] }>)[type];
  let fields: Map<string, { type: string; required: boolean }> | null = null;
  if (own) fields = new Map(own.map((one) => [one.baseName, one]));
  else if (model?.attributeTypeMap) {
    const text = readFileSync(join(MODELS, `${type}.d.ts`), 'utf8');
    const needed = new Set([...text.matchAll(/^ {4}'([^']+)': /gm)].map(([, name]) => name?.replace(/^_/, '')));
    fields = new Map(
      model.attributeTypeMap.map((one) => [one.baseName, { type: one.type, required: needed.has(one.baseName) }]),
    );
  }
  declared.set(type, fields);
  return fields;
}

/** Lists where a value is not what an API type says: fields that it does not know, that are missing, or of another type. */
export function misfits(value: unknown, type: string, at = ''): string[] {
  const here = at || type;
  if (type === 'any' || type === 'object') return [];
  const list = /^(?:Array|Set)<(.*)>$/.exec(type)?.[1];
  if (list !== undefined)
    return Array.isArray(value)
      ? value.flatMap((item, index) => misfits(item, list, `${at}[${index}]`))
      : [`${here} is no list`];
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];
  if (!isObject(value)) return scalarMisfits(value, map === undefined ? type : 'map', here);
  if (map !== undefined) return Object.entries(value).flatMap(([key, item]) => misfits(item, map, `${at}.${key}`));
  const fields = fieldsOf(type);
  if (!fields) return [`${here} is an object, not ${type}`];
  const unknown = Object.keys(value)
    .filter((key) => !fields.has(key))
    .map((key) => `unknown field "${`${at}.${key}`.replace(/^\./, '')}"`);
  const known = [...fields].flatMap(([key, field]) => {
    const item = value[key];
    const path = `${at}.${key}`.replace(/^\./, '');
    if (item === undefined) return field.required ? [`missing field "${path}"`] : [];
    // Go writes a time that was never set as null.
    if (item === null && (field.type === 'Date' || field.type === 'V1MicroTime')) return [];
    return misfits(item, field.type, path);
  });
  return [...unknown, ...known];
}

function scalarMisfits(value: unknown, type: string, here: string): string[] {
  const fits =
    type === 'Date' || type === 'V1MicroTime'
      ? typeof value === 'string' && TIME.test(value)
      : type === 'IntOrString'
        ? typeof value === 'string' || typeof value === 'number'
        : typeof value === type;
  return fits ? [] : [`${here} is ${JSON.stringify(value)}, not ${type}`];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
