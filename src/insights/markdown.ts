import { plainUpTo } from '../incident/index.ts';

const TEXT_MAX = 2000;
const CODE_MAX = 400;

/**
 * Writes text from outside into markdown so that it stays text: one line, at most 2,000 characters, without secrets. Names and addresses are
 * broken by a space without width, since GitHub looks for them only after it has taken the escapes away.
 */
export function text(words: string): string {
  return (
    plainUpTo(TEXT_MAX, words)
      .replace(/[\\`*_{}[\]<>#|~!&]/g, '\\$&')
      // Where it begins a line, it would be a list or a rule, or make a heading of the line before.
      .replace(/^[-+=]|(?<=^\d+)[.)]/, '\\$&')
      .replace(/@|:(?=\/\/)|(?<=\bwww)(?=\.)/gi, '$&\u200B')
  );
}

/** Writes something from outside into markdown as code: one line, at most 400 characters, without secrets. */
export function code(words: string): string {
  return `\`${plainUpTo(CODE_MAX, words).replaceAll('`', "'")}\``;
}

/** Writes a table whose cells are markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)];
}

/** Writes a moment for people: `2026-11-22 18:03:17` in UTC. */
export function moment(at: Date): string {
  return at.toISOString().slice(0, 19).replace('T', ' ');
}

/** Writes a time span for people, in seconds below ten with one decimal: `4.2 s`, `41 s`, `3 min 12 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
