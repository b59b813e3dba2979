import type { Mark } from './placeholders.ts';
import { canBeSecret, isSecretName } from './redact-context.ts';

/** Characters of all the strings of one value together; what is beyond them is left out. */
const CHARACTERS_MAX = 1024 * 1024;
const DEPTH_MAX = 64;
const LEFT_OUT = '[left out]';

type RedactText = (text: string, max?: number) => string;

/**
 * Gives a copy of JSON-like data with every string redacted, names of fields included. A string under a telling name, a container's
 * variable with one, and the data of a Kubernetes Secret are hidden whole, whatever they look like. Errors become
 * `{message, code, stack}`, and what is nested deeper than 64 levels, or refers to itself, is left out.
 */
export function cleanValue(value: unknown, text: RedactText, mark: Mark): unknown {
  let left = CHARACTERS_MAX;
  const within: object[] = [];

  const clean = (one: string): string => {
    if (left <= 0) return LEFT_OUT;
    const cleaned = one.length > left ? text(one, left) : text(one);
    left -= one.length;
    return cleaned;
  };

  const walk = (one: unknown): unknown => {
    if (typeof one === 'string') return clean(one);
    if (one === null || typeof one !== 'object' || one instanceof Date) return one;
    if (within.length >= DEPTH_MAX || within.includes(one)) return LEFT_OUT;
    within.push(one);
    const copy = walkInto(one);
    within.pop();
    return copy;
  };

  const walkInto = (one: object): unknown => {
    if (one instanceof Error) return { message: clean(one.message), ...about(one) };
    if (Array.isArray(one)) return walkList(one);
    if ('toJSON' in one && typeof one.toJSON === 'function') return walk(one.toJSON());
    const fields = Object.entries(one).map(([name, field]): [string, unknown] => [
      clean(name),
      walkField(one, name, field),
    ]);
    return Object.fromEntries(fields);
  };

  const walkList = (list: readonly unknown[]): unknown[] =>
    holdsKeyInLines(list) ? clean(list.join('\n')).split('\n') : list.map(walk);

  const about = (error: Error) => {
    const { code } = error as NodeJS.ErrnoException;
    return {
      ...(code === undefined ? {} : { code: walk(code) }),
      ...(error.stack === undefined ? {} : { stack: clean(error.stack) }),
    };
  };

  const walkField = (owner: object, name: string, field: unknown): unknown => {
    if (typeof field === 'string' && isSecretField(owner, name) && canBeSecret(field))
      return mark('secret-value', field);
    if (isSecretData(owner, name)) return hideLeaves(field, mark);
    return walk(field);
  };

  return walk(value);
}

/** A private key that a log gives line by line is one only where its lines are read together. */
function holdsKeyInLines(list: readonly unknown[]): boolean {
  return (
    list.every((line) => typeof line === 'string') &&
    list.some((line) => /-----(?:BEGIN|END) [^-]*PRIVATE KEY/.test(line))
  );
}

function isSecretField(owner: object, name: string): boolean {
  if (isSecretName(name)) return true;
  const { name: variable } = owner as { name?: unknown };
  return name === 'value' && typeof variable === 'string' && isSecretName(variable);
}

function isSecretData(owner: object, name: string): boolean {
  return (name === 'data' || name === 'stringData') && (owner as { kind?: unknown }).kind === 'Secret';
}

function hideLeaves(data: unknown, mark: Mark): unknown {
  const hidden = (one: unknown) => mark('kubernetes-secret', typeof one === 'string' ? one : JSON.stringify(one));
  if (data === null || typeof data !== 'object' || Array.isArray(data)) return hidden(data);
  return Object.fromEntries(Object.entries(data).map(([name, one]) => [name, hidden(one)]));
}
