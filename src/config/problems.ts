import { z } from 'zod';
import type { Problem } from '../errors.ts';
import { nearestName } from './nearest.ts';

/** What is known of the input beside its mistakes. */
interface Told {
  /** Where the input stands. */
  readonly prefix?: readonly PropertyKey[];
  /** What it was checked by; an unknown key is told the one that was meant. */
  readonly schema?: z.ZodType;
  /** Keys that may stand beside those of the schema. */
  readonly further?: readonly string[];
}

/** Turns zod's issues into problems that name the field, what was found and how to mend it. */
export function problemsOf(
  error: z.ZodError,
  input: unknown,
  { prefix = [], schema, further = [] }: Told = {},
): Problem[] {
  return error.issues.flatMap((issue): Problem[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      const known = schema ? keysAt(schema, issue.path) : [];
      return issue.keys.map((key) => {
        const near = nearestName(key, issue.path.length === 0 ? [...known, ...further] : known);
        const fix = near ? `write ${near}, or remove it` : 'remove it or correct its spelling';
        return { field: fieldOf([...path, key]), message: 'is not a known setting', fix };
      });
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

/** As much of JSON Schema as tells which keys may stand where. */
interface Keyed {
  readonly properties?: Readonly<Record<string, Keyed>>;
  readonly additionalProperties?: Keyed | boolean;
  readonly items?: Keyed;
  readonly anyOf?: readonly Keyed[];
  readonly oneOf?: readonly Keyed[];
}

/** The keys that a schema knows at a path, whichever of its alternatives is meant. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const whole = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Keyed;
  const alternatives = (one: Keyed): Keyed[] => [
    one,
    ...[...(one.anyOf ?? []), ...(one.oneOf ?? [])].flatMap(alternatives),
  ];
  const step = (one: Keyed, key: PropertyKey): Keyed[] => {
    const { properties = {}, additionalProperties: others, items } = one;
    if (typeof key === 'number') return items ? [items] : [];
    const named = Object.hasOwn(properties, key) ? properties[String(key)] : undefined;
    return named ? [named] : typeof others === 'object' ? [others] : [];
  };
  let at = alternatives(whole);
  for (const key of path) at = at.flatMap((one) => step(one, key)).flatMap(alternatives);
  return at.flatMap(({ properties }) => Object.keys(properties ?? {}));
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
