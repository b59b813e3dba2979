import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { describeProblems, messageOf, NightshiftError, type Problem } from '../../errors.ts';
import type { Identity } from './connect-foreign.ts';
import { type Definition, definitionSha256, readDefinition } from './definition.ts';

/** A definition that an operator vouched for, and the server that gave it. */
export interface Pinned {
  readonly server: Identity;
  readonly definition: Definition;
  readonly sha256: string;
}

const identitySchema = z.strictObject({ name: z.string().max(200), version: z.string().max(200) });
const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/);
const lockSchema = z.strictObject({
  version: z.literal(1),
  servers: z.record(
    z.string(),
    z.strictObject({
      server: identitySchema,
      tools: z.record(z.string(), z.strictObject({ sha256: sha256Schema, definition: z.unknown() })),
    }),
  ),
});
type Lock = z.infer<typeof lockSchema>;

/**
 * Reads what is pinned for one instance, as data; nothing where the file is not there yet.
 * @throws NightshiftError `invalid_config` where the file cannot be read, or a definition in it is not what its hash says.
 */
export function readPins(instance: string, file: string): Pinned[] {
  const one = readLock(file).servers[instance];
  if (!one) return [];
  return Object.entries(one.tools).map(([name, { sha256, definition: value }]) => {
    const definition = readDefinition(value);
    if (definition === null || definition.name !== name || definitionSha256(definition) !== sha256)
      throw invalid(`${file}: servers.${instance}.tools.${name}`, 'is not what its sha256 stands for');
    return { server: one.server, definition, sha256 };
  });
}

/** Reads pins that travelled as data. @throws NightshiftError `invalid_config` for one that is not what its hash says. */
export function asPins(instance: string, declarations: readonly unknown[]): Pinned[] {
  return declarations.map((declaration) => {
    const parsed = z
      .strictObject({ server: identitySchema, definition: z.unknown(), sha256: sha256Schema })
      .safeParse(declaration);
    const definition = parsed.success ? readDefinition(parsed.data.definition) : null;
    if (!parsed.success || definition === null || definitionSha256(definition) !== parsed.data.sha256)
      throw invalid(`toolsets.${instance}.pins`, 'holds something that is no pin');
    return { ...parsed.data, definition };
  });
}

/**
 * Writes down what is pinned for one instance, in place of what was; other instances stay. Definitions stand there whole, so that a
 * change shows in a review. @throws NightshiftError `invalid_config` where what is there cannot be read.
 */
export function writePins(
  instance: string,
  file: string,
  { server, tools }: { server: Identity; tools: readonly Definition[] },
): void {
  const lock = readLock(file);
  const sorted = [...tools].sort((a, b) => (a.name < b.name ? -1 : 1));
  const entry = {
    server,
    tools: Object.fromEntries(
      sorted.map((definition) => [definition.name, { sha256: definitionSha256(definition), definition }]),
    ),
  };
  const servers = Object.entries({ ...lock.servers, [instance]: entry }).sort(([a], [b]) => (a < b ? -1 : 1));
  // Whole or not at all: half a file would take every foreign tool away.
  writeFileSync(`${file}.new`, `${JSON.stringify({ version: 1, servers: Object.fromEntries(servers) }, null, 2)}\n`);
  renameSync(`${file}.new`, file);
}

function readLock(file: string): Lock {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { version: 1, servers: {} };
    throw invalid(file, `cannot be read: ${messageOf(cause)}`);
  }
  try {
    return lockSchema.parse(JSON.parse(text));
  } catch {
    throw invalid(file, 'is no file of pins');
  }
}

function invalid(field: string, message: string): NightshiftError {
  const problem: Problem = {
    field,
    message,
    fix: 'bring it back as it was committed, or delete it and pin anew with: nightshift tools pin',
  };
  return new NightshiftError('invalid_config', describeProblems([problem]), { problems: [problem] });
}
