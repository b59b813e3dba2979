import { z } from 'zod';

/** Which calls are meant: a tool by its name, or several by `redis.*` or `*`, and those of its arguments that matter. */
export const patternSchema = z.strictObject({
  tool: z.string().regex(/^(\*|[a-z0-9_-]+\.(\*|[a-z0-9_]+))$/i, 'write the name of a tool, `toolset.*` or `*`'),
  with: z
    .record(z.string(), z.unknown())
    .default({})
    .describe('Arguments that must be so; any others may be as they are.'),
});
export type Pattern = z.infer<typeof patternSchema>;

/** One call, as far as a pattern looks at it. */
export interface PatternedCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** Tells whether a pattern means this call. */
export function meansCall({ tool, with: wanted }: Pattern, call: PatternedCall): boolean {
  const isTool = tool === '*' || (tool.endsWith('.*') ? call.tool.startsWith(tool.slice(0, -1)) : call.tool === tool);
  return isTool && Object.entries(wanted).every(([name, value]) => isSame(call.arguments[name], value));
}

/** Tells whether any of these patterns means the call. */
export function isAmong(patterns: readonly Pattern[], call: PatternedCall): boolean {
  return patterns.some((pattern) => meansCall(pattern, call));
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Writes a call on one line, as tables and warnings show it. */
export function showCall({ tool, arguments: args }: PatternedCall): string {
  return `${tool} ${JSON.stringify(args)}`;
}
