import { z } from 'zod';
import { canonicalSha256 } from '../clearance.ts';

/** What of a definition is pinned. Its `title`, `icons` and `_meta` are not: they are never shown and never used. */
const definitionSchema = z.object({
  name: z.string().max(128),
  description: z.string().max(8000).default(''),
  inputSchema: z.record(z.string(), z.json()),
  outputSchema: z.record(z.string(), z.json()).optional(),
  annotations: z
    .looseObject({
      readOnlyHint: z.boolean().optional(),
      destructiveHint: z.boolean().optional(),
    })
    .default({}),
});

/** A tool as its server defines it. */
export type Definition = z.infer<typeof definitionSchema>;

/** A definition that an operator has looked at and vouched for. */
export interface Pin {
  readonly definition: Definition;
  readonly sha256: string;
}

/** Reads what a server says of a tool; null where it is not of the form of the protocol. */
export function readDefinition(value: unknown): Definition | null {
  const parsed = definitionSchema.safeParse(value);
  return parsed.success ? parsed.data : null;
}

/** Gives the SHA-256 of everything that is pinned of a definition, whatever the order of its keys. */
export function definitionSha256(definition: Definition): string {
  return canonicalSha256('mcp-definition', definition);
}

/** Names every field in which two definitions differ, as paths such as `inputSchema.properties.force`; none where they are the same. */
export function changedFields(pinned: Definition, live: Definition): string[] {
  if (definitionSha256(pinned) === definitionSha256(live)) return [];
  return differences(pinned, live, '').map(({ path }) => path);
}

/** One place where two definitions differ; `undefined` stands for what is not there. */
export interface Difference {
  readonly path: string;
  readonly pinned: unknown;
  readonly live: unknown;
}

const DIFFERENCES_MAX = 50;

/** Lists where two values differ, at most 50 places, each as deep as both have the same keys. */
export function differences(pinned: unknown, live: unknown, path: string): Difference[] {
  if (isRecord(pinned) && isRecord(live)) {
    const keys = [...new Set([...Object.keys(pinned), ...Object.keys(live)])].sort();
    return keys
      .flatMap((key) => differences(own(pinned, key), own(live, key), path === '' ? key : `${path}.${key}`))
      .slice(0, DIFFERENCES_MAX);
  }
  return canonicalSha256('mcp-definition', { value: pinned }) === canonicalSha256('mcp-definition', { value: live })
    ? []
    : [{ path, pinned, live }];
}

function own(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
