/** Writes docs/configuration.md and docs/nightshift.schema.json from the configuration's own schema: node scripts/write-config-reference.ts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VARIABLES } from '../src/config/environment.ts';
import { editorSchema, type JsonSchema, sectionsSchema } from '../src/config/json-schema.ts';
import { TOOLSETS } from '../src/mcp-tools/index.ts';

const DOCS = join(import.meta.dirname, '../docs');
const HEAD = `# Configuration

Written by \`npm run config-reference\` from the schema that \`nightshift.yaml\` is checked by; a test compares.

\`\`\`sh
npm run nightshift -- init
npm run nightshift -- config check
npm run nightshift -- config reload
\`\`\`

\`init\` asks a few questions and writes a \`nightshift.yaml\` with comments; \`init --yes\` asks none. It overwrites nothing, and sends nothing anywhere.
Without the file everything below has its default, and Nightshift only observes. An unknown setting is a mistake, and so is a YAML alias.

\`config check\` reads \`nightshift.yaml\`, the environment, \`services.yaml\`, the policies and what they name, mappings, manifests, specialists and runbooks, and reports every mistake at once with
\`file:line:column\` and what to do; the exit code is 1 then. \`--json\` prints \`{ok, problems, warnings}\`. A setting that is going away is still read, and warned of with what to write instead.

\`nightshift config schema\` prints the JSON Schema (draft 2020-12) of the file, which is also [nightshift.schema.json](nightshift.schema.json). Editors with the YAML language server use it by the first
line that \`init\` writes, \`# yaml-language-server: $schema=…\`.

## Shell completion

\`\`\`sh
eval "$(nightshift completion bash)"
\`\`\`

\`nightshift completion zsh\` and \`nightshift completion fish\` print the same for those shells. It completes the word \`nightshift\`, be that a program or an alias.

## Secrets

\`\${NAME}\` anywhere in a value of \`nightshift.yaml\` is the environment variable NAME; alone it may stand for a number or for true and false as well. A secret may be in a file instead, as Docker and Kubernetes
mount them: set \`NAME_FILE\` to its path, for every NAME that the file refers to and every variable marked below. The newline at its end is left out. NAME and NAME_FILE together are a mistake, and so
is a file that is empty or cannot be read. No message shows what is in it.

## What is read again without a restart

| | |
|---|---|
| runbooks | within two seconds of a change, by themselves ([retrieval](retrieval.md)) |
| policies, \`services.yaml\` | on SIGHUP, or \`nightshift config reload\` by an administrator |
| everything else | at the start; a reload names what has changed and waits for a restart |

A reload takes all of it or nothing: with one mistake anywhere what was in force stays in force, the log and the answer name every mistake, \`nightshift_config_last_reload_successful\` is 0 and \`nightshift doctor\` says so.
Policies are not watched, because half of a \`git checkout\` would be a policy that nobody wrote. What is being judged at that moment is judged by one policy from its beginning to its end; an approval that was
asked for under another policy is void, and is asked again. The audit holds who reloaded and what came of it. Every replica is told by itself. A \`nightshift\` that has a terminal takes SIGHUP as the end of that terminal, and stops.
`;

interface Row {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly required: boolean;
  /** Which alternatives have it; empty where all do. */
  readonly of: readonly string[];
}

/** Writes the reference: a section for each part of the file, and one for the environment. */
export function renderConfigReference(): string {
  const { properties = {} } = sectionsSchema();
  const sections = Object.entries(properties).map(([name, schema]) => {
    const rows = merge(rowsIn(name, schema));
    const told = `## \`${name}\`\n\n${schema.description ?? ''}\n`;
    const facts = [typeOf(schema), usual(schema)].filter((text) => text !== '').join('; ');
    if (rows.length === 0) return `${told}\n${facts}.\n`;
    const more = name === 'toolsets' ? '\nThe settings of each toolset are in [tools](tools.md).\n' : '';
    return `${told}\n| setting | type | default | |\n|---|---|---|---|\n${rows.map(line).join('\n')}\n${more}`;
  });
  const variables = VARIABLES.map(
    ({ name, secret, description }) => `| \`${name}\`${secret ? ', or `_FILE`' : ''} | ${cell(description)} |`,
  );
  const environment = `## Environment\n\n| variable | |\n|---|---|\n${variables.join('\n')}\n`;
  return [HEAD, ...sections, environment].join('\n');
}

/** Writes the JSON Schema for editors as text. */
export function renderEditorSchema(): string {
  const settings = Object.fromEntries(Object.entries(TOOLSETS).map(([name, toolset]) => [name, toolset.settings]));
  return `${JSON.stringify(editorSchema(settings), null, 1)}\n`;
}

function rowsIn(path: string, schema: JsonSchema, of: readonly string[] = []): Row[] {
  const { properties = {}, required = [], items, additionalProperties: others } = schema;
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [
    ...Object.entries(properties).flatMap(([name, one]): Row[] => {
      const at = `${path}.${name}`;
      return [{ path: at, schema: one, required: required.includes(name), of }, ...rowsIn(at, one, of)];
    }),
    ...(items ? rowsIn(`${path}[]`, items, of) : []),
    ...(typeof others === 'object' ? rowsIn(`${path}.NAME`, others, of) : []),
    ...alternatives.flatMap((one) => rowsIn(path, one, labelOf(one))),
  ];
}

/** What tells an alternative from the others: the field that has one value only. */
function labelOf({ properties = {} }: JsonSchema): string[] {
  return Object.entries(properties).flatMap(([name, one]) =>
    one.const === undefined ? [] : [`\`${name}: ${String(one.const)}\``],
  );
}

function merge(rows: readonly Row[]): Row[] {
  const labels = new Set(rows.flatMap(({ of }) => of));
  const byPath = Map.groupBy(rows, ({ path }) => path);
  return [...byPath.values()].flatMap((same) => {
    const [first] = same;
    if (!first) return [];
    const of = [...new Set(same.flatMap((row) => row.of))];
    const values = same.flatMap(({ schema }) => (schema.const === undefined ? [] : [schema.const]));
    const told = [...new Set(same.flatMap(({ schema: { description } }) => description ?? []))].join(' ');
    const schema = values.length > 1 ? { type: 'string', enum: values, description: told } : first.schema;
    return [{ ...first, schema, of: of.length === labels.size ? [] : of }];
  });
}

function line({ path, schema, required, of }: Row): string {
  const words = [schema.description ?? '', of.length > 0 ? `(${of.join(', ')})` : ''].filter((text) => text !== '');
  return `| \`${path}\` | ${cell(typeOf(schema))} | ${required ? 'needed' : cell(usual(schema).replace('default ', ''))} | ${cell(words.join(' '))} |`;
}

function usual({ default: value }: JsonSchema): string {
  const isEmpty = value !== null && typeof value === 'object' && Object.keys(value).length === 0;
  return value === undefined || isEmpty ? '' : `default \`${JSON.stringify(value)}\``;
}

function typeOf(schema: JsonSchema): string {
  const { type, enum: values, const: only, items, additionalProperties: others } = schema;
  if (only !== undefined) return `\`${String(only)}\``;
  if (values) return values.map((value) => `\`${String(value)}\``).join(', ');
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeOf))].join(' or ');
  if (type === 'array') return `list of ${items ? typeOf(items) : 'anything'}`;
  if (type === 'object')
    return typeof others === 'object' && others.type !== undefined ? `NAME: ${typeOf(others)}` : 'section';
  if (type === 'boolean') return '`true`, `false`';
  if (type !== 'number' && type !== 'integer') return type === 'string' ? 'text' : 'anything';
  const { minimum: from, exclusiveMinimum: above, maximum: to, exclusiveMaximum: below } = schema;
  const least = from === undefined ? `above ${above}` : `${from}`;
  return `${type === 'integer' ? 'whole number' : 'number'}, ${least} ${to === undefined ? `to below ${below}` : `to ${to}`}`;
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

if (import.meta.main) {
  writeFileSync(join(DOCS, 'configuration.md'), renderConfigReference());
  writeFileSync(join(DOCS, 'nightshift.schema.json'), renderEditorSchema());
}
