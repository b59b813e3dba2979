import { RE2JS } from 're2js';
import { z } from 'zod';

const DEPTH_MAX = 12;
const NODES_MAX = 500;
const PATTERN_MAX = 500;
const TEXT_MAX = 64 * 1024;

/** Words that say nothing about which values are valid, or that the server applies by itself. */
const ANNOTATIONS = ['title', 'description', 'default', 'examples', 'format', 'deprecated', 'readOnly', 'writeOnly'];
const MEANS = ['$schema', '$id', '$comment', '$defs', 'definitions', '$ref'];
const WORDS: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'maxLength', 'pattern'],
  number: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  integer: ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  boolean: [],
  null: [],
  array: ['items', 'minItems', 'maxItems', 'uniqueItems'],
  object: ['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
};

/** Why a schema is not taken, in words for whoever pins it. */
export class UnusableSchema extends Error {}

interface Reading {
  readonly root: Schema;
  /** Names of `$defs` on the way here: one that comes back to itself has no end. */
  readonly within: readonly string[];
  readonly depth: number;
  readonly count: { nodes: number };
}

type Schema = Readonly<Record<string, unknown>>;

/**
 * Turns the input schema of a foreign tool into a closed schema of ours: objects take no properties but the declared ones, nothing is
 * coerced, and defaults are not filled in (they would change what was approved). Patterns are matched in linear time (RE2), references
 * are followed only inside the schema, and whatever is not understood is refused rather than left out: a check that is skipped
 * would let through what the operator believes to be refused. That is also why this is not the library's reader, which skips.
 * @throws UnusableSchema naming the place and what is wrong there.
 */
export function readInputSchema(schema: unknown): z.ZodObject {
  const root = asSchema(schema, '');
  const reading: Reading = { root, within: [], depth: 0, count: { nodes: 0 } };
  const resolved = root.$ref === undefined ? root : follow(root, '', reading).schema;
  if (resolved.type !== 'object') throw unusable('', 'must be an object');
  const read = readObject(resolved, '', reading);
  if (!(read instanceof z.ZodObject)) throw unusable('', 'must name its properties');
  return read;
}

function read(value: unknown, path: string, outer: Reading): z.ZodType {
  const reading = { ...outer, depth: outer.depth + 1 };
  reading.count.nodes += 1;
  if (reading.depth > DEPTH_MAX) throw unusable(path, `nests more than ${DEPTH_MAX} levels deep`);
  if (reading.count.nodes > NODES_MAX) throw unusable(path, `there are more than ${NODES_MAX} parts`);
  const schema = asSchema(value, path);
  const { description } = schema;
  const type = readMeaning(schema, path, reading);
  return typeof description === 'string' ? type.describe(description.slice(0, 1000)) : type;
}

function readMeaning(schema: Schema, path: string, reading: Reading): z.ZodType {
  if (schema.$ref !== undefined) {
    const { schema: target, name } = follow(schema, path, reading);
    return read(target, path, { ...reading, within: [...reading.within, name] });
  }
  if (schema.enum !== undefined || schema.const !== undefined) return readValues(schema, path);
  const choice = schema.anyOf ?? schema.oneOf;
  if (choice !== undefined) {
    only(schema, path, ['anyOf', 'oneOf']);
    if (!Array.isArray(choice) || choice.length === 0 || (schema.anyOf && schema.oneOf))
      throw unusable(path, 'must be one list of choices');
    const options = choice.map((item, index) => read(item, `${path}/${index}`, reading));
    return options.length === 1 ? (options[0] as z.ZodType) : schema.oneOf ? z.xor(options) : z.union(options);
  }
  if (Array.isArray(schema.type)) {
    const { type, ...rest } = schema;
    if (type.length === 0) throw unusable(path, 'has no type');
    return z.union(type.map((one) => readTyped({ ...pick(rest, one), type: one }, path, reading)));
  }
  return readTyped(schema, path, reading);
}

/** Of several types each has words of its own. */
function pick(schema: Schema, type: unknown): Schema {
  const own = WORDS[String(type)] ?? [];
  const others = new Set(
    Object.values(WORDS)
      .flat()
      .filter((word) => !own.includes(word)),
  );
  return Object.fromEntries(Object.entries(schema).filter(([word]) => !others.has(word)));
}

function readTyped(schema: Schema, path: string, reading: Reading): z.ZodType {
  switch (schema.type) {
    case 'string':
      return readText(schema, path);
    case 'integer':
    case 'number':
      return readNumber(schema, path);
    case 'boolean':
      only(schema, path, ['type']);
      return z.boolean();
    case 'null':
      only(schema, path, ['type']);
      return z.null();
    case 'array': {
      only(schema, path, ['type', ...(WORDS.array ?? [])]);
      if (schema.items === undefined) throw unusable(path, 'is open-ended: it does not say what its items are');
      let list = z.array(read(schema.items, `${path}/items`, reading));
      if (schema.minItems !== undefined) list = list.min(whole(schema, 'minItems', path));
      if (schema.maxItems !== undefined) list = list.max(whole(schema, 'maxItems', path));
      if (schema.uniqueItems !== true) return list;
      return list.refine(
        (items) => new Set(items.map((item) => JSON.stringify(item))).size === items.length,
        'has an item twice',
      );
    }
    case 'object':
      return readObject(schema, path, reading);
    default:
      throw unusable(path, 'is open-ended: it has no type that is understood');
  }
}

function readObject(schema: Schema, path: string, reading: Reading): z.ZodType {
  only(schema, path, ['type', ...(WORDS.object ?? [])]);
  const properties = schema.properties === undefined ? {} : asSchema(schema.properties, `${path}/properties`);
  const required = Array.isArray(schema.required) ? schema.required : [];
  const names = Object.keys(properties);
  const missing = required.find((name) => typeof name !== 'string' || !Object.hasOwn(properties, name));
  if (missing !== undefined) throw unusable(path, `requires ${JSON.stringify(missing)}, which it does not describe`);
  const rest = schema.additionalProperties;
  const isMap = rest !== null && typeof rest === 'object' && Object.keys(rest).length > 0;
  if (names.length === 0 && isMap) return z.record(z.string(), read(rest, `${path}/additionalProperties`, reading));
  // At the top, no properties means no arguments; deeper, that it takes whatever it is given.
  if (names.length === 0 && path !== '' && rest !== false)
    throw unusable(path, 'is open-ended: it does not name its properties');
  const fields = names.map((name) => {
    if (name === '__proto__') throw unusable(path, 'has a property __proto__');
    const field = read(properties[name], `${path}/${name}`, reading);
    return [name, required.includes(name) ? field : field.optional()] as const;
  });
  return z.strictObject(Object.fromEntries(fields));
}

function readText(schema: Schema, path: string): z.ZodType {
  only(schema, path, ['type', ...(WORDS.string ?? [])]);
  let text = z.string().max(schema.maxLength === undefined ? TEXT_MAX : whole(schema, 'maxLength', path));
  if (schema.minLength !== undefined) text = text.min(whole(schema, 'minLength', path));
  if (schema.pattern === undefined) return text;
  const { pattern } = schema;
  if (typeof pattern !== 'string' || pattern.length > PATTERN_MAX)
    throw unusable(path, 'has a pattern that is too long');
  let expression: RE2JS;
  try {
    expression = RE2JS.compile(pattern);
  } catch {
    throw unusable(path, `has a pattern that cannot be matched in linear time: ${pattern.slice(0, 100)}`);
  }
  return text.refine((value) => expression.matcher(value).find(), `must match ${pattern}`).meta({ pattern });
}

function readNumber(schema: Schema, path: string): z.ZodType {
  only(schema, path, ['type', ...(WORDS.number ?? [])]);
  const bound = (word: string): number | undefined => {
    const value = schema[word];
    if (value !== undefined && (typeof value !== 'number' || !Number.isFinite(value)))
      throw unusable(path, `${word} must be a number`);
    return value as number | undefined;
  };
  const [min, max, over, under, step] = [
    bound('minimum'),
    bound('maximum'),
    bound('exclusiveMinimum'),
    bound('exclusiveMaximum'),
    bound('multipleOf'),
  ];
  let number = schema.type === 'integer' ? z.number().int() : z.number();
  if (min !== undefined) number = number.min(min);
  if (max !== undefined) number = number.max(max);
  if (over !== undefined) number = number.gt(over);
  if (under !== undefined) number = number.lt(under);
  if (step !== undefined) number = number.multipleOf(step);
  return number;
}

function readValues(schema: Schema, path: string): z.ZodType {
  only(schema, path, ['type', 'enum', 'const']);
  const values = schema.const === undefined ? schema.enum : [schema.const];
  const isPlain = (value: unknown) => value === null || ['string', 'number', 'boolean'].includes(typeof value);
  if (!Array.isArray(values) || values.length === 0 || !values.every(isPlain))
    throw unusable(path, 'must be a list of texts, numbers, booleans or null');
  return z.literal(values as [string]);
}

function follow(schema: Schema, path: string, { root, within }: Reading): { schema: Schema; name: string } {
  only(schema, path, []);
  const [, where, name] = /^#\/(\$defs|definitions)\/([A-Za-z0-9_.-]{1,100})$/.exec(String(schema.$ref)) ?? [];
  if (where === undefined || name === undefined)
    throw unusable(path, `refers to ${JSON.stringify(schema.$ref)}; only what stands in the schema itself is read`);
  if (within.includes(name)) throw unusable(path, `refers to itself through ${name}, without an end`);
  const all = asSchema(root[where], `/${where}`);
  if (!Object.hasOwn(all, name)) throw unusable(path, `refers to ${name}, which is not there`);
  return { schema: asSchema(all[name], `/${where}/${name}`), name };
}

/** @throws UnusableSchema where a schema says something that would not be checked. */
function only(schema: Schema, path: string, words: readonly string[]): void {
  const unknown = Object.keys(schema).find((word) => ![...words, ...ANNOTATIONS, ...MEANS].includes(word));
  if (unknown !== undefined) throw unusable(path, `says ${unknown}, which is not checked here`);
}

function whole(schema: Schema, word: string, path: string): number {
  const value = schema[word];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw unusable(path, `${word} must be a whole number`);
}

function asSchema(value: unknown, path: string): Schema {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Schema;
  throw unusable(path, 'is open-ended: it is no schema');
}

function unusable(path: string, problem: string): UnusableSchema {
  return new UnusableSchema(`${path === '' ? 'its arguments' : path.slice(1).replaceAll('/', '.')}: ${problem}`);
}
