import type { Argument } from './arguments.ts';

const HEAD = [
  'Lines for sudo. Write them into a file, let `visudo -cf FILE` read it, and install it as /etc/sudoers.d/nightshift, mode 0440.',
];
const LINES_MAX = 500;

/** Writes what lets an account run these argvs as another user, and nothing else; each argv begins with an absolute path. */
export function sudoersText(
  { account, runAs, notes = [] }: { account: string; runAs: string; notes?: readonly string[] },
  argvs: readonly (readonly string[])[],
): string {
  const commands = [...new Set(argvs.map((argv) => argv.map(escaped).join(' ')))];
  const lines = commands.map((command) => `${account} ALL=(${runAs}) NOPASSWD: ${command}`);
  return [...[...HEAD, ...notes].map((line) => `# ${line}`), ...lines].join('\n');
}

/**
 * Gives every argv that a template can become, by the values that its arguments may have; of an argument whose values cannot be listed
 * only that it is there, which sudo writes as `*`: the rest of the line is then anything.
 */
export function argvsOf(
  template: readonly unknown[],
  valuesOf: (argument: string) => readonly string[] | null,
  isOptional: (argument: string) => boolean = () => false,
): string[][] {
  let argvs: string[][] = [[]];
  for (const item of template) {
    const argument = typeof item === 'string' ? /^\{\{ ([\w.]+) \}\}$/.exec(item)?.[1] : undefined;
    const values =
      argument === undefined ? [typeof item === 'string' ? item : JSON.stringify(item)] : valuesOf(argument);
    const open = argvs.filter((argv) => argv.at(-1) !== ANYTHING);
    const closed = argvs.filter((argv) => argv.at(-1) === ANYTHING);
    const without = argument !== undefined && isOptional(argument) ? open : [];
    const more = values === null || open.length * values.length > LINES_MAX ? [ANYTHING] : values;
    argvs = [...closed, ...without, ...open.flatMap((argv) => more.map((value) => [...argv, value]))];
  }
  return argvs;
}

/** Gives the values of an argument where they can be listed. */
export function listedValues(argument: Argument | undefined): readonly string[] | null {
  if (argument === undefined) return null;
  if ('enum' in argument) return argument.enum;
  return argument.type === 'boolean' ? ['true', 'false'] : null;
}

/** What sudo takes for anything that may follow. */
export const ANYTHING = '*';

/**
 * As sudoers wants it: signs of its own grammar, and of its patterns, stand behind a backslash, and an empty word is written out. What it
 * may not be able to write, such as a quote or a line break, becomes `?`: any one character.
 */
function escaped(word: string): string {
  if (word === ANYTHING) return word;
  if (word === '') return '""';
  return word.replace(/[^A-Za-z0-9_./@+%~-]/gu, (sign) => (/[,:=*?[\] ]/.test(sign) ? `\\${sign}` : '?'));
}
