/** Writes the OpenAPI document out of what the operations declare. */
import { z } from 'zod';
import { ERROR_KINDS, type ErrorCode } from '../errors.ts';
import { SCOPES } from '../identity/index.ts';
import { problem } from './answers/component.ts';
import { API_ROOT, type Operation } from './operation.ts';
import { OPERATIONS } from './operations/index.ts';

type Json = Record<string, unknown>;

/** With what every body can be wrong. */
const BODY_ERRORS: readonly ErrorCode[] = ['invalid_payload', 'payload_too_large', 'unsupported_media_type'];
const KEY_ERRORS: readonly ErrorCode[] = ['idempotency_key_in_use', 'idempotency_key_reused'];
const HEADERS: Readonly<Record<number, Json>> = {
  401: { 'WWW-Authenticate': { schema: { type: 'string' }, description: 'Which proof is wanted.' } },
  429: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } },
  503: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } },
};
const DESCRIPTION = `What a running Nightshift can be asked for. Errors are problem documents (RFC 9457) with a \`code\`. A list gives \`limit\` items at most and
\`next\`, which is given as \`before\` or \`after\` for the page behind it; a Link header says the same. Clients pass over fields that they do not know.`;

let made: Json | undefined;

/** Gives the OpenAPI 3.1 document of this API. */
export function openApi(): Json {
  made ??= write();
  return made;
}

/** Gives every error that an operation may answer with, by its code. */
export function errorsOf({ role, params, query, body, repeat, errors, root }: Operation): ErrorCode[] {
  const isAsked = [params, query].some(
    (schema) => schema instanceof z.ZodObject && Object.keys(schema.shape).length > 0,
  );
  const given: ErrorCode[] = [
    ...(isAsked || body ? (['invalid_payload'] as const) : []),
    ...(role === null ? [] : (['unauthorized', 'forbidden', 'database_unavailable'] as const)),
    ...(body ? BODY_ERRORS.filter((code) => !root || code !== 'unsupported_media_type') : []),
    ...(repeat === 'keyed' ? KEY_ERRORS : []),
    ...(root && role === null ? (['not_found'] as const).filter(() => body !== null) : []),
    ...errors,
    'internal',
  ];
  return [...new Set(given)].sort((a, b) => ERROR_KINDS[a].status - ERROR_KINDS[b].status);
}

function write(): Json {
  const schemas: Json = {};
  const responses: Json = {};
  const paths: Record<string, Json> = {};
  for (const operation of OPERATIONS) {
    const path = (operation.root ? '' : API_ROOT) + operation.path;
    paths[path] = { ...paths[path], [operation.method]: writeOperation(operation, { schemas, responses }) };
  }
  schemaOf(problem, schemas);
  return {
    openapi: '3.1.1',
    info: {
      title: 'Nightshift',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...new Set(OPERATIONS.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: sorted(schemas),
      responses: sorted(responses),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', description: 'A personal token, with a role and perhaps scopes.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'nightshift_session',
          description:
            'A session of the console (`__Host-nightshift_session` where it is asked by https). What changes something takes the header x-nightshift-csrf: 1 as well.',
        },
      },
    },
    'x-scopes': SCOPES,
  };
}

function sorted(named: Json): Json {
  return Object.fromEntries(Object.entries(named).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function writeOperation(operation: Operation, { schemas, responses }: { schemas: Json; responses: Json }): Json {
  const { id, tag, summary, role, scope, body, repeat, answer, example } = operation;
  const { status, type, schema, description } = answer;
  const content = status === 204 ? {} : { content: { [type]: schema ? { schema: schemaOf(schema, schemas) } : {} } };
  const link = operation.cursor && {
    headers: { Link: { schema: { type: 'string' }, description: 'The page after this one, with rel="next".' } },
  };
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: describe(operation),
    ...(role === null ? { security: [] } : { security: [{ token: [] }, { session: [] }] }),
    ...(role === null ? {} : { 'x-role': role, 'x-scope': scope }),
    parameters: [
      ...parametersOf(operation.params, 'path', schemas),
      ...parametersOf(operation.query, 'query', schemas),
      ...(repeat === 'keyed'
        ? [{ name: 'Idempotency-Key', in: 'header', required: false, schema: { type: 'string', maxLength: 257 } }]
        : []),
    ],
    ...(body
      ? {
          requestBody: {
            required: true,
            content: {
              'application/json': {
                schema: schemaOf(body, schemas),
                ...(example.body === undefined ? {} : { example: example.body }),
              },
            },
          },
        }
      : {}),
    responses: { [status]: { description, ...content, ...link }, ...failures(errorsOf(operation), responses) },
  };
}

/** Says in words who may ask, and what a repeat does. */
export function describe({ role, scope, repeat, description }: Operation): string {
  const who = role === null ? 'No personal token is needed.' : `Takes the role \`${role}\``;
  const scoped = role === null ? '' : scope === null ? '; every token will do.' : ` and the scope \`${scope}\`.`;
  const again =
    repeat === 'reads'
      ? []
      : repeat === 'keyed'
        ? ['A repeat under the same `Idempotency-Key` gets the answer of the first and does nothing.']
        : [repeat.because];
  return [description, `${who}${scoped}`, ...again].filter((sentence) => sentence !== '').join(' ');
}

function parametersOf(schema: z.ZodType, place: 'path' | 'query', schemas: Json): Json[] {
  const { properties = {}, required = [] } = schemaOf(schema, schemas) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...shape }]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema: shape,
  }));
}

/** Points at the answers to what is wrong, one for each status, and writes those that are not there yet. */
function failures(codes: readonly ErrorCode[], responses: Json): Json {
  const byStatus = Map.groupBy(codes, (code) => ERROR_KINDS[code].status);
  return Object.fromEntries(
    [...byStatus].map(([status, some]) => {
      const name = some.join('-or-');
      responses[name] ??= {
        description: some.map((code) => `\`${code}\``).join(', '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        ...(HEADERS[status] ? { headers: HEADERS[status] } : {}),
      };
      return [status, { $ref: `#/components/responses/${name}` }];
    }),
  );
}

/** Writes a schema as it stands in the document, and whatever it names among the others. */
function schemaOf(schema: z.ZodType, schemas: Json): Json {
  const {
    $schema: _,
    $defs = {},
    ...written
  } = z.toJSONSchema(schema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // Its format says it, and nobody reads four lines of digits.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      for (const bound of ['minimum', 'maximum'] as const)
        if (Math.abs(jsonSchema[bound] ?? 0) === Number.MAX_SAFE_INTEGER) delete jsonSchema[bound];
    },
  });
  for (const [name, one] of Object.entries($defs)) schemas[name] = pointed(one);
  return pointed(written);
}

/** Points at the schemas of the document, where they stand. */
function pointed(written: unknown): Json {
  const text = JSON.stringify(written, (key, value: unknown) =>
    key === 'id' && typeof value === 'string' ? undefined : value,
  );
  return JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as Json;
}
