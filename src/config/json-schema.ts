import { z } from 'zod';
import { fileSchema, toolsetInstanceSchema } from './schema.ts';

/** As much of JSON Schema (draft 2020-12) as zod writes. */
export interface JsonSchema {
  $schema?: string;
  $defs?: Record<string, JsonSchema>;
  $ref?: string;
  type?: string;
  const?: unknown;
  enum?: readonly unknown[];
  default?: unknown;
  description?: string;
  title?: string;
  pattern?: string;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  properties?: Record<string, JsonSchema>;
  required?: readonly string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: readonly JsonSchema[];
  oneOf?: readonly JsonSchema[];
  allOf?: readonly JsonSchema[];
  if?: JsonSchema;
  then?: JsonSchema;
}

/** Gives what nightshift.yaml may say as JSON Schema, without its toolsets' own settings: the reference is written from it. */
export function sectionsSchema(): JsonSchema {
  return toJsonSchema(fileSchema);
}

/**
 * Gives the JSON Schema (draft 2020-12) of nightshift.yaml for editors. The settings of a toolset instance go by what it `uses`, and
 * wherever a value stands, `${NAME}` may.
 */
export function editorSchema(toolsetSettings: Readonly<Record<string, z.ZodType>>): JsonSchema {
  const { $schema = '', ...whole } = sectionsSchema();
  const instance = toJsonSchema(toolsetInstanceSchema);
  const { uses = {}, ...common } = instance.properties ?? {};
  const names = Object.keys(toolsetSettings);
  const definitions = Object.entries(toolsetSettings).flatMap(([name, settings]) => {
    const { $schema: _, $defs = {}, properties, ...own } = refersTo(`${name}-`, toJsonSchema(settings));
    const further = Object.entries($defs).map(([key, one]) => [`${name}-${key}`, one] as const);
    return [
      [`toolset-${name}`, { ...own, properties: { uses: { const: name }, ...common, ...properties } }] as const,
      ...further,
    ];
  });
  const toolset: JsonSchema = {
    type: 'object',
    ...(instance.description ? { description: instance.description } : {}),
    properties: { uses: { ...uses, enum: names } },
    required: ['uses'],
    allOf: names.map((name) => ({
      if: { properties: { uses: { const: name } }, required: ['uses'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema.
      then: { $ref: `#/$defs/toolset-${name}` },
    })),
  };
  const { toolsets = {}, ...sections } = whole.properties ?? {};
  const filled = withPlaceholders({
    ...whole,
    properties: { ...sections, toolsets: { ...toolsets, additionalProperties: toolset } },
    $defs: Object.fromEntries(definitions),
  });
  const placeholder = {
    type: 'string',
    pattern: String.raw`\$\{[A-Z0-9_]+\}`,
    description: 'The value of an environment variable, or of the file that NAME_FILE names.',
  };
  return { $schema, title: 'nightshift.yaml', ...filled, $defs: { placeholder, ...filled.$defs } };
}

/** The definitions of a schema get another beginning of their names, since they all come into one. */
function refersTo(beginning: string, schema: JsonSchema): JsonSchema {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/$defs/', `"#/$defs/${beginning}`)) as JsonSchema;
}

function toJsonSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    reused: 'inline',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // Zod's own word for `startsWith`; JSON Schema knows no such format, and the pattern beside it says the same.
      if (jsonSchema.format === 'starts_with') delete jsonSchema.format;
    },
  }) as JsonSchema;
}

/** The same schema, in which `${NAME}` may stand for every value but one that tells alternatives apart. */
function withPlaceholders(schema: JsonSchema): JsonSchema {
  const map = <T extends readonly JsonSchema[]>(all: T) => all.map(withPlaceholders);
  const each = (all: Record<string, JsonSchema>) =>
    Object.fromEntries(Object.entries(all).map(([key, one]) => [key, withPlaceholders(one)]));
  const { description, title, default: usual, ...rest } = schema;
  const told = {
    ...(title === undefined ? {} : { title }),
    ...(description === undefined ? {} : { description }),
    ...(usual === undefined ? {} : { default: usual }),
  };
  const isScalar = rest.enum !== undefined || ['string', 'number', 'integer', 'boolean'].includes(rest.type ?? '');
  const isAnyText = Object.keys(rest).join() === 'type' && rest.type === 'string';
  if (isScalar && rest.const === undefined && !isAnyText)
    return { ...told, anyOf: [rest, { $ref: '#/$defs/placeholder' }] };
  const { properties, additionalProperties, items, anyOf, oneOf, $defs, ...same } = rest;
  return {
    ...told,
    ...same,
    ...(properties ? { properties: each(properties) } : {}),
    ...(typeof additionalProperties === 'object'
      ? { additionalProperties: withPlaceholders(additionalProperties) }
      : additionalProperties === undefined
        ? {}
        : { additionalProperties }),
    ...(items ? { items: withPlaceholders(items) } : {}),
    ...(anyOf ? { anyOf: map(anyOf) } : {}),
    ...(oneOf ? { oneOf: map(oneOf) } : {}),
    ...($defs ? { $defs: each($defs) } : {}),
  };
}
