import type { Problem } from '../errors.ts';

/** A setting that has another name now; both are paths with dots, such as `server.port`. What stands under the old one is still read. */
export interface RenamedSetting {
  readonly from: string;
  readonly to: string;
  /** The release that warned first; the one after next may refuse it. */
  readonly since: string;
}

/** Every setting of nightshift.yaml that has another name now. */
export const RENAMED_SETTINGS: readonly RenamedSetting[] = [];

/** Puts what stands under an old name where the new name says, in `raw` itself, and gives what to warn of; both at once are a mistake. */
export function moveRenamed(
  raw: unknown,
  renamed: readonly RenamedSetting[],
): { warnings: Problem[]; problems: Problem[] } {
  const warnings: Problem[] = [];
  const problems: Problem[] = [];
  for (const { from, to, since } of renamed) {
    const old = holderOf(raw, from, false);
    if (!old || !Object.hasOwn(old.holder, old.key)) continue;
    const target = holderOf(raw, to, true);
    const isThere = target === null || Object.hasOwn(target.holder, target.key);
    const fix = isThere ? 'remove it' : `write ${to} in its place`;
    const message = `is called ${to} since Nightshift ${since}`;
    if (isThere) problems.push({ field: from, message: `${message}, which stands here as well`, fix });
    else {
      warnings.push({ field: from, message: `${message}; the old name will not be read for ever`, fix });
      target.holder[target.key] = old.holder[old.key];
    }
    delete old.holder[old.key];
  }
  return { warnings, problems };
}

/** The object that holds the last part of a path, or null where something on the way is no object. */
function holderOf(raw: unknown, path: string, make: boolean) {
  const keys = path.split('.');
  const key = keys.pop() ?? '';
  let at = raw;
  for (const one of keys) {
    if (!isObject(at)) return null;
    if (make && at[one] === undefined) at[one] = {};
    at = at[one];
  }
  return isObject(at) ? { holder: at, key } : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
