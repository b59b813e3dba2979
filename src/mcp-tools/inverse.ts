import type { Labels } from '../alert/index.ts';
import type { Catalogue, Resolution } from './catalogue.ts';
import { fill } from './manifest/fill.ts';
import type { Inverse, ToolCheck } from './tool.ts';

/** A call that was made: what it was, what was recorded of the state before it, and what it gave. */
export interface Done {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly labels: Labels;
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly result: unknown;
}

/**
 * Binds the call that takes another one back, as its tool declares it, from the arguments of that call and the state recorded before it;
 * null where its tool declares none. It is one call as any other: nothing about it is allowed yet.
 */
export function resolveInverse(catalogue: Catalogue, done: Done): Resolution | null {
  const inverse = catalogue.toolNamed(done.tool)?.inverse;
  return inverse ? resolveFilled(catalogue, inverse, done) : null;
}

/** Binds the check that tells whether a call did what it should, as its tool declares it; null where its tool declares none. */
export function resolveToolCheck(
  catalogue: Catalogue,
  done: Done,
): { readonly resolution: Resolution; readonly expect: string; readonly withinSeconds: number } | null {
  const check = catalogue.toolNamed(done.tool)?.check;
  if (!check) return null;
  return { resolution: resolveFilled(catalogue, check, done), expect: check.expect, withinSeconds: secondsOf(check) };
}

function resolveFilled(catalogue: Catalogue, { tool, with: template }: Inverse, done: Done): Resolution {
  const filled = fill(template, { ...done.arguments, before: done.before, result: done.result });
  return catalogue.resolve(tool, filled, done.labels);
}

function secondsOf({ within }: ToolCheck): number {
  return Number.parseInt(within, 10) * (within.endsWith('m') ? 60 : 1);
}
