/** Writes docs/openapi.json and docs/api.md from what the operations of the API declare: node scripts/write-api-reference.ts [--check]. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { API_ROOT, describe, errorsOf, OPERATIONS, type Operation, openApi } from '../src/api/index.ts';
import { ERROR_KINDS } from '../src/errors.ts';
import { SCOPES } from '../src/identity/index.ts';

const DOCS = join(import.meta.dirname, '../docs');
const HEAD = `# REST API

Written by \`npm run api-reference\` from what each operation declares; a test compares. The same as an OpenAPI 3.1 document is
[openapi.json](openapi.json), which every server hands out at \`/api/v1/openapi.json\`. Assistants come in [by MCP](mcp.md), browsers that sign in by
OpenID Connect at \`/auth/oidc\`, and Slack as [slack.md](slack.md) says; those are no part of it.

The examples take the address of a server and a token from the environment:

\`\`\`sh
export NIGHTSHIFT_URL=http://127.0.0.1:8642
export NIGHTSHIFT_TOKEN="$(cat .nightshift/admin.token)"
\`\`\`

**Versions.** \`/api/v1\` stays what it is: fields and operations are added, none is taken away or given another meaning. Pass over fields that you do not know.

**Who asks** is told by \`Authorization: Bearer TOKEN\`. Each operation takes a role (\`viewer\`, \`approver\`, \`admin\`, each may what those before it may), and a
token that is [restricted to scopes](operations.md#people-and-tokens) must have its scope. The console uses a session's cookie instead; what changes something then takes \`x-nightshift-csrf: 1\` from the console's own page.

**Errors** are \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\` and, where a field is wrong, \`problems\`; [errors.md](errors.md) lists
the codes. 401 says by \`WWW-Authenticate\` which proof is wanted, 403 of a restricted token which scope, 405 by \`Allow\` which methods there are, 429 and 503 by \`Retry-After\` when to ask again. Besides what stands
at an operation, \`not_found\`, \`method_not_allowed\` and \`busy\` can come from any address, and \`payload_too_large\` where a body is over 64 KiB.

**Lists** take \`limit\`, and \`before\` where the newest comes first or \`after\` otherwise. Each answer has \`next\`: give it as that parameter for the page behind it; null means
that this was the last. A \`Link\` header with \`rel="next"\` says the same. Lists that are made anew each time answer \`conflict\` where the item that \`next\` names is gone; begin again then.

**Repeats.** A request that changes something may bear an \`Idempotency-Key\` of your choice, up to 255 characters, best a new UUID for each thing that you want done. Sent again with the same
key, method, address and body within 24 hours, it gets the first answer, with \`Idempotency-Replayed: true\`, and nothing is done twice. The key with another request is refused (422), and while the first is
under way so is the repeat (409, \`Retry-After: 1\`; on the embedded database it waits instead). A key belongs to the token or session that uses it. What is done and its answer are committed in one transaction: a server
that dies leaves either both or neither, and any replica gives the answer. An answer that is an error has done nothing and leaves the key free. Answers are kept encrypted under the secret of whoever asked.
Where an operation says nothing of a key, it is passed over, and the operation says what a repeat does.

## Scopes

| scope | what it is for |
|---|---|
${Object.entries(SCOPES)
  .map(([name, what]) => `| \`${name}\` | ${what} |`)
  .join('\n')}
`;

/** Writes the document as the file holds it. */
export function renderOpenApi(): string {
  return `${JSON.stringify(openApi(), null, 2)}\n`;
}

/** Writes the reference of every operation, those about the same thing side by side. */
export function renderApiReference(): string {
  const tags = [...new Set(OPERATIONS.map(({ tag }) => tag))];
  const sections = tags.map((tag) => {
    const some = OPERATIONS.filter((one) => one.tag === tag);
    return [`## ${tag[0]?.toUpperCase()}${tag.slice(1)}`, ...some.map(section)].join('\n\n');
  });
  return `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`;
}

/** Gives the command that asks for an operation, as a person types it. */
export function curlOf({ method, path, root, query, example, body, role, answer, ...rest }: Operation): string {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => example.path?.[name] ?? name);
  const url = `"$NIGHTSHIFT_URL${root ? '' : API_ROOT}${filled}${example.query ? `?${example.query}` : ''}"`;
  const token =
    rest.tag === 'webhooks'
      ? '"Authorization: Bearer $(cat .nightshift/webhook.token)"'
      : '"Authorization: Bearer $NIGHTSHIFT_TOKEN"';
  const parts = [
    `curl -sS${answer.type === 'text/event-stream' ? 'N' : ''}${method === 'get' || (method === 'post' && body) ? '' : ` -X ${method.toUpperCase()}`}`,
    ...(role === null && rest.tag !== 'webhooks' ? [] : [`-H ${token}`]),
    ...(answer.type === 'application/gzip' ? ['-o nightshift.dump.gz'] : []),
    url,
    ...(rest.repeat === 'keyed' ? [`-H "Idempotency-Key: $(node -p 'crypto.randomUUID()')"`] : []),
    ...(body ? [`--json '${JSON.stringify(example.body ?? {})}'`] : []),
  ];
  return parts.join(' ');
}

function section(operation: Operation): string {
  const { method, path, root, summary, params, query, body, answer } = operation;
  const given = [...fieldsOf(params, 'path'), ...fieldsOf(query, 'query'), ...(body ? fieldsOf(body, 'body') : [])];
  const rows = given.map(
    ({ name, where, type, description }) => `| \`${name}\` | ${where} | ${type} | ${description} |`,
  );
  return [
    `### ${method.toUpperCase()} ${root ? '' : API_ROOT}${path}`,
    `${summary}. ${describe(operation)}`,
    ...(rows.length > 0 ? [`| field | in | form | |\n|---|---|---|---|\n${rows.join('\n')}`] : []),
    `${answer.status}: ${answer.description} ${formOf(answer)}`.trimEnd(),
    `Errors: ${errorsOf(operation)
      .map((code) => `\`${code}\` (${ERROR_KINDS[code].status})`)
      .join(', ')}.`,
    `\`\`\`sh\n${curlOf(operation)}\n\`\`\``,
  ].join('\n\n');
}

function formOf({ status, schema, type }: Operation['answer']): string {
  if (status === 204) return '';
  if (!schema) return `\`${type}\``;
  const written = shapeOf(schema);
  const name = (written as { $ref?: string }).$ref;
  const open = name ? (written.$defs as Record<string, Shape>)[name.slice('#/$defs/'.length)] : written;
  const fields = Object.entries(open?.properties ?? {}).map(([field, one]) => `\`${field}\` (${typeOf(one)})`);
  return fields.length > 0 ? `With ${fields.join(', ')}.` : 'As JSON.';
}

interface Shape {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly description?: string;
  readonly $ref?: string;
  readonly $defs?: unknown;
}

function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, { io: 'input' }) as Shape;
}

function fieldsOf(schema: z.ZodType, where: string) {
  const { properties = {}, required = [] } = shapeOf(schema);
  return Object.entries(properties).map(([name, one]) => ({
    name,
    where: `${where}${required.includes(name) || where === 'path' ? '' : ', optional'}`,
    type: `${typeOf(one)}${one.default === undefined ? '' : `; ${JSON.stringify(one.default)} otherwise`}`.replaceAll(
      '|',
      '\\|',
    ),
    description: (one.description ?? '').replaceAll('|', '\\|'),
  }));
}

/** Says the form of a value in a few words. */
function typeOf({ type, format, items, anyOf, $ref, ...one }: Shape): string {
  if ($ref) return ($ref.split('/').at(-1) ?? '').replaceAll('`', '');
  if (anyOf) return [...new Set(anyOf.map(typeOf))].join(' or ');
  if (one.enum) return one.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (one.const !== undefined) return `\`${JSON.stringify(one.const)}\``;
  if (type === 'array') return `list of ${items ? typeOf(items) : 'anything'}`;
  if (format === 'date-time') return 'time';
  return Array.isArray(type) ? type.join(' or ') : String(type ?? 'anything');
}

if (import.meta.main) {
  for (const [name, text] of [
    ['openapi.json', renderOpenApi()],
    ['api.md', renderApiReference()],
  ] as const) {
    const file = join(DOCS, name);
    if (!process.argv.includes('--check')) writeFileSync(file, text);
    else if (readFileSync(file, 'utf8') !== text) {
      process.stderr.write(`docs/${name} is not what the operations declare. Fix: npm run api-reference\n`);
      process.exitCode = 1;
    }
  }
}
