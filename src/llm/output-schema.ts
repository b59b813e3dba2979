/** Reduces a JSON schema to the part that every provider can enforce while a model writes; the caller checks the rest. */
import { NightshiftError } from '../errors.ts';

type Schema = Record<string, unknown>;

const KEPT = new Set(['type', 'description', 'title', 'enum', 'const', '$ref', 'format']);
const FORMATS = new Set(['date-time', 'time', 'date', 'duration', 'email', 'hostname', 'ipv4', 'ipv6', 'uuid']);
const DROPPED = new Set(['$schema', '$id', 'additionalProperties', 'default']);

/**
 * Gives a closed copy of the schema. Limits that not every provider knows (lengths, patterns, ranges) move into the description.
 * @throws NightshiftError `internal` when a property is optional or a keyword has no portable form: with a real provider
 *   each call would fail, so it must show on the first one.
 */
export function portableSchema(schema: Readonly<Schema>): Schema {
  if (schema.type !== 'object') throw unportable('(whole)', 'the outermost type must be object');
  return portable(schema, '');
}

function portable(schema: Readonly<Schema>, path: string): Schema {
  const result: Schema = {};
  const hints: string[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    const at = path ? `${path}.${keyword}` : keyword;
    if (keyword === 'properties' || keyword === '$defs') result[keyword] = mapSchemas(value as Schema, path, keyword);
    else if (keyword === 'items') result.items = portable(value as Schema, `${path}[]`);
    else if (keyword === 'anyOf' || keyword === 'oneOf')
      result.anyOf = (value as Schema[]).map((branch) => portable(branch, path));
    else if (keyword === 'format' && !FORMATS.has(String(value))) hints.push(`format: ${String(value)}`);
    else if (KEPT.has(keyword)) result[keyword] = value;
    else if (keyword === 'required' || keyword === 'examples') continue;
    else if (value !== null && typeof value === 'object') throw unportable(at, 'has no form that every provider knows');
    else if (!DROPPED.has(keyword)) hints.push(`${keyword}: ${String(value)}`);
  }
  if ([schema.type].flat().includes('object')) close(schema, result, path);
  if (hints.length > 0) result.description = [result.description, `(${hints.join(', ')})`].filter(Boolean).join(' ');
  return result;
}

function mapSchemas(schemas: Schema, path: string, keyword: string): Schema {
  const prefix = keyword === '$defs' ? `${path}$defs.` : path && `${path}.`;
  return Object.fromEntries(
    Object.entries(schemas).map(([key, value]) => [key, portable(value as Schema, `${prefix}${key}`)]),
  );
}

function close(schema: Readonly<Schema>, result: Schema, path: string): void {
  const names = Object.keys((schema.properties as Schema | undefined) ?? {});
  const required = new Set((schema.required as string[] | undefined) ?? []);
  const optional = names.find((name) => !required.has(name));
  if (optional !== undefined) {
    throw unportable(
      path ? `${path}.${optional}` : optional,
      'is optional; make it required, and nullable where it may be missing',
    );
  }
  Object.assign(result, { properties: result.properties ?? {}, required: names, additionalProperties: false });
}

function unportable(field: string, message: string): NightshiftError {
  return new NightshiftError('internal', `output schema, ${field}: ${message}`, { problems: [{ field, message }] });
}
