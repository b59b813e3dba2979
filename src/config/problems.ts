import type { z } from 'zod';
import type { Problem } from '../errors.ts';

/** Turns zod's issues into problems that name the field, what was found and how to mend it. */
export function problemsOf(error: z.ZodError, input: unknown, prefix: readonly PropertyKey[] = []): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        field: fieldOf([...path, key]),
        message: 'is not a known setting',
        fix: 'remove it or correct its spelling',
      }));
    }
    const found = issue.path.reduce<unknown>(
      (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
      input,
    );
    const value = found === undefined ? undefined : shown(path, found);
    return [
      {
        field: fieldOf(path) || '(whole)',
        message: storable(issue.message),
        ...(value === undefined ? {} : { value }),
      },
    ];
  });
}

function fieldOf(path: readonly PropertyKey[]): string {
  return storable(path.map(String).join('.'));
}

/** What Postgres and every terminal take: no half of a surrogate pair, and no NUL. */
function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

const SECRET = /password|token|secret|key|credential|authorization|headers/i;

/** The list `secrets:` of a policy names tools and arguments, and holds no secret. */
function isNameInPolicy(path: readonly PropertyKey[]): boolean {
  const [list, index, key] = path.slice(-3);
  return list === 'secrets' && typeof index === 'number' && ['name', 'tool', 'argument'].includes(String(key));
}

/** What was found, shortened; never a secret, nor the credentials inside a URL. */
function shown(path: readonly PropertyKey[], found: unknown): string {
  if (!isNameInPolicy(path) && path.some((key) => SECRET.test(String(key)))) return '(not shown)';
  try {
    return storable((JSON.stringify(found) ?? '').replace(/(:\/\/)[^/@\s"]*@/g, '$1…@').slice(0, 80));
  } catch {
    return '(nested too deeply to show)';
  }
}
