import type { Problem } from '../errors.ts';
import type { Tool } from '../mcp-tools/index.ts';
import type { Runbook } from './runbook.ts';

/**
 * Gives the mistakes of a runbook that only show beside the tools: a tool that does not exist, arguments that it does not take
 * or that are missing, and a check with a tool that changes things.
 */
export function lintAgainstTools(runbook: Runbook, tools: ReadonlyMap<string, Tool>): Problem[] {
  const steps = runbook.remedies.flatMap(({ name, steps }) =>
    steps.map((step) => ({ ...step, field: `${name}: ${step.tool}`, check: false })),
  );
  const checks = runbook.verify.map((check) => ({ ...check, field: `verify: ${check.tool}`, check: true }));
  return [...steps, ...checks].flatMap(({ tool: name, with: args, field, check }): Problem[] => {
    const tool = tools.get(name);
    if (!tool) return [{ field, message: 'there is no such tool', fix: `use one of ${[...tools.keys()].join(', ')}` }];
    const shape = tool.input.shape as Record<string, { safeParse(value: unknown): { success: boolean } }>;
    const takes = `it takes ${Object.keys(shape).join(', ')}`;
    const unknown = Object.keys(args).filter((key) => !(key in shape));
    const missing = Object.entries(shape).filter(
      ([key, schema]) => !(key in args) && !schema.safeParse(undefined).success,
    );
    return [
      ...unknown.map((key) => ({ field: `${field}.${key}`, message: 'is no argument of this tool', fix: takes })),
      ...missing.map(([key]) => ({ field: `${field}.${key}`, message: 'is missing', fix: takes })),
      ...(check && tool.risk !== 'read'
        ? [{ field, message: 'changes things, and a check may only read', fix: 'use a tool whose risk is read' }]
        : []),
    ];
  });
}
