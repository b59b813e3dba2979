import type { Toolset } from './tool.ts';
import { TOOLSET_LOADERS } from './toolset-loaders.ts';

const loaded = Object.entries(TOOLSET_LOADERS).map(async ([name, load]) => [name, await load()] as const);

/** Every toolset by the name that `uses:` refers to. */
export const TOOLSETS: Readonly<Record<string, Toolset>> = Object.freeze(Object.fromEntries(await Promise.all(loaded)));
