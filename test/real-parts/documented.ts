/** Holds answers of a real server against the OpenAPI document that it serves. */
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { openApi } from '../../src/api/index.ts';

interface Described {
  readonly responses: Record<string, Response>;
}
interface Response {
  readonly $ref?: string;
  readonly content?: Record<string, { schema?: object }>;
}
interface Document {
  readonly paths: Record<string, Record<string, Described>>;
  readonly components: { schemas: Record<string, unknown>; responses: Record<string, Response> };
}

export interface Answered {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

const document = strict(JSON.parse(JSON.stringify(openApi()))) as Document;
const ajv = new Ajv2020({ strict: false, allErrors: true });
// ajv-formats has no types of its own for modules.
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
ajv.addSchema({ $id: 'document', ...document });
const validators = new Map<string, ValidateFunction>();
const patterns = Object.keys(document.paths).map((path) => ({
  path,
  pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
}));

/** What a document leaves open, so that a client passes over what is new, must be written in it all the same. */
function strict(part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part;
  if (Array.isArray(part)) return part.map(strict);
  const entries = Object.entries(part).map(([key, value]) => [key, strict(value)] as const);
  const made = Object.fromEntries(entries);
  const isObject = made.type === 'object' && typeof made.properties === 'object';
  return isObject && made.additionalProperties === undefined ? { ...made, additionalProperties: false } : made;
}

/** Gives what in an answer is not as the document has it; nothing for an address that it does not have. */
export function undocumented({ method, path, status, type, body }: Answered): string[] {
  const [bare = ''] = path.split('?');
  const found = patterns.find(({ pattern }) => pattern.test(bare));
  const described = found && document.paths[found.path]?.[method.toLowerCase()];
  if (!described) return [];
  const where = `${method} ${found.path} ${status}`;
  const named = described.responses[status]?.$ref?.split('/').at(-1);
  const response = named === undefined ? described.responses[status] : document.components.responses[named];
  const content = response?.content;
  if (!response) return [`${where} is not in the document`];
  if (content === undefined) return [];
  const [media = ''] = type.split(';');
  if (content[media] === undefined) return [`${where} is ${media}, not ${Object.keys(content).join(' or ')}`];
  if (content[media].schema === undefined) return [];
  const place =
    named === undefined
      ? ['paths', found.path, method.toLowerCase(), 'responses', status]
      : ['components', 'responses', named];
  const pointer = [...place, 'content', media, 'schema']
    .map((step) => encodeURIComponent(String(step).replaceAll('~', '~0').replaceAll('/', '~1')))
    .join('/');
  const validate = validators.get(where) ?? ajv.compile({ $ref: `document#/${pointer}` });
  validators.set(where, validate);
  if (validate(body)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${where}: ${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
