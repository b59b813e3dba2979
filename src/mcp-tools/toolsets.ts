import { hostToolset } from './host/index.ts';
import { httpToolset } from './http/index.ts';
import { prometheusToolset } from './prometheus/index.ts';
import { supervisorToolset } from './supervisor/index.ts';
import type { Toolset } from './tool.ts';

/** Every toolset by the name that `uses:` refers to. */
export const TOOLSETS: Readonly<Record<string, Toolset>> = Object.freeze({
  supervisor: supervisorToolset,
  prometheus: prometheusToolset,
  http: httpToolset,
  host: hostToolset,
});
