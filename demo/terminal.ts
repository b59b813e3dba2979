import { styleText } from 'node:util';

const WIDTH_MAX = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const SPIN_MS = 100;
/** Without a terminal there is nothing that turns, so what takes longer than this gets a line. */
const QUIET_MS = 1000;
/** A timeline line begins with its time, so what is wrapped of it goes below the story, a little further in. */
const TIMELINE_INDENT = 12;

export interface Terminal {
  heading(text: string): void;
  /** Says something in the demo's own voice, as one paragraph. */
  say(text: string): void;
  /** Introduces one part of the demo: its name, where it is, and what it is. */
  part(name: string, where: string, what: string): void;
  /** Shows commands to copy, each with what it does; they are never wrapped. */
  commands(...list: readonly (readonly [command: string, about: string])[]): void;
  /** Shows lines of Nightshift's timeline, set apart by a rule on the left. */
  timeline(lines: readonly string[]): void;
  good(text: string): void;
  bad(text: string): void;
  /** Shows that something is going on until the work has settled, and gives its result. */
  during<T>(label: string | (() => string), work: Promise<T>): Promise<T>;
  /** What is, or last was, going on. */
  doing(): string;
}

/** Makes the terminal of the demo: at most 100 columns wide, in colour and with a spinner only where `out` is a terminal. */
export function createTerminal(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Terminal {
  const colour = out.isTTY && !env.NO_COLOR;
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  const width = () => Math.max(40, Math.min(WIDTH_MAX, out.columns ?? WIDTH_MAX));
  let spinning = false;
  let doing = () => 'starting';

  const print = (line: string) => {
    if (spinning) out.write('\r\x1b[K');
    spinning = false;
    out.write(`${line}\n`);
  };
  const paragraph = (text: string, dress = (line: string) => line) => {
    for (const line of wrap(text, width() - 2, 0)) print(dress(`  ${line}`.trimEnd()));
  };

  return {
    heading: (text) => {
      print('');
      print(style('bold', text));
    },
    say: (text) => paragraph(text),
    part: (name, where, what) => paragraph(`${name.padEnd(13)} ${where.padEnd(23)} ${what}`),
    good: (text) => paragraph(text, (line) => style('green', line)),
    bad: (text) => paragraph(text, (line) => style('red', line)),
    commands: (...list) => {
      const longest = Math.max(...list.map(([command]) => command.length));
      for (const [command, about] of list)
        print(`    ${style('cyan', command.padEnd(longest))}   ${style('dim', about)}`);
    },
    timeline: (lines) => {
      for (const line of lines.flatMap((one) => wrap(one, width() - 4, TIMELINE_INDENT)))
        print(`  ${style('dim', '│')} ${line}`);
    },
    doing: () => doing(),
    async during(label, work) {
      const text = () => (typeof label === 'string' ? label : label());
      doing = text;
      let turn = 0;
      const spin = () => {
        const frame = SPINNER[turn++ % SPINNER.length];
        out.write(`\r\x1b[K${style('cyan', `  ${frame} ${text()} …`.slice(0, width() - 1))}`);
        spinning = true;
      };
      const timer = out.isTTY ? setInterval(spin, SPIN_MS) : setTimeout(() => print(`  … ${text()}`), QUIET_MS);
      try {
        return await work;
      } finally {
        clearInterval(timer);
        if (spinning) out.write('\r\x1b[K');
        spinning = false;
      }
    },
  };
}

/**
 * Breaks a line after spaces and commas so that no part is longer than `width` characters. What follows the first part is
 * indented by `hanging`, or a little further than the line itself where that begins with spaces.
 */
export function wrap(line: string, width: number, hanging: number): string[] {
  const own = line.length - line.trimStart().length;
  const indent = own > 0 ? own + 2 : hanging;
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const start = rest.length - rest.trimStart().length;
    const after = Math.max(rest.lastIndexOf(' ', width), rest.lastIndexOf(',', width - 1) + 1);
    // Without a place to break, such as in a long path, it is cut.
    const at = after > start ? after : width;
    lines.push(rest.slice(0, at).trimEnd());
    rest = `${' '.repeat(indent)}${rest.slice(at).trimStart()}`;
  }
  return [...lines, rest];
}
