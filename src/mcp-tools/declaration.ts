import { z } from 'zod';
import { canonicalSha256 } from './clearance.ts';
import type { Tool } from './tool.ts';

const declarations = new WeakMap<Tool, string>();

/**
 * Gives the hash of a tool's declaration: of all that says what a call of it would do. Computed once, because a schema is costly to write
 * out. Two processes of one version agree about it where they read the same manifests.
 */
export function declarationSha256(tool: Tool): string {
  const known = declarations.get(tool);
  if (known !== undefined) return known;
  const { name, description, undo, scope } = tool;
  const sha256 = canonicalSha256('definition', {
    name,
    description,
    undo,
    ...(scope ? { scope } : {}),
    input: z.toJSONSchema(tool.input),
    // What a rule gives for the arguments of a call is bound with the call, and a function has no text that two processes would agree about.
    risk: typeof tool.risk === 'string' ? tool.risk : 'by arguments',
    ...(tool.manifest === undefined ? {} : { manifest: tool.manifest }),
  });
  declarations.set(tool, sha256);
  return sha256;
}
