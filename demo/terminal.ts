import { styleText } from 'node:util';

const WIDTH_MAX = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const SPIN_MS = 100;
/** Without a terminal there is nothing that turns, so what takes longer than this gets a line. */
const QUIET_MS = 1000;
/** Where the story of a timeline line begins, after its time; what is wrapped goes a little further in. */
const TIMELINE_INDENT = 12;

export interface Terminal {
  heading(text: string): void;
  /** Says something in the demo's own voice, as one paragraph. */
  say(text: string): void;
  /** Shows something to copy: never wrapped. */
  command(text: string, about?: string): void;
  /** Shows lines of Nightshift's timeline, set apart by a rule on the left. */
  timeline(lines: readonly string[]): void;
  good(text: string): void;
  bad(text: string): void;
  /** Shows that something is going on until the work has settled, and gives its result. */
  during<T>(label: string | (() => string), work: Promise<T>): Promise<T>;
}

/** Makes the terminal of the demo: at most 100 columns wide, in colour and with a spinner only where `out` is a terminal. */
export function createTerminal(out: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Terminal {
  const colour = out.isTTY && !env.NO_COLOR;
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  const width = () => Math.max(40, Math.min(WIDTH_MAX, out.columns ?? WIDTH_MAX));
  let spinning = false;

  const print = (line: string) => {
    if (spinning) out.write('\r\x1b[K');
    spinning = false;
    out.write(`${line}\n`);
  };
  const paragraph = (text: string, dress = (line: string) => line) => {
    for (const line of wrap(`  ${text}`, width(), 2)) print(dress(line));
  };

  return {
    heading: (text) => {
      print('');
      print(style('bold', text));
    },
    say: (text) => paragraph(text),
    good: (text) => paragraph(text, (line) => style('green', line)),
    bad: (text) => paragraph(text, (line) => style('red', line)),
    command: (text, about) => print(`    ${style('cyan', text)}${about ? `   ${style('dim', about)}` : ''}`),
    timeline: (lines) => {
      for (const line of lines.flatMap((one) => wrap(one, width() - 4, TIMELINE_INDENT)))
        print(`  ${style('dim', '│')} ${line}`);
    },
    async during(label, work) {
      const text = () => (typeof label === 'string' ? label : label());
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

/** Breaks a line at spaces so that each part has at most `width` characters; the parts after the first begin with `indent` spaces. */
export function wrap(line: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let rest = line;
  for (;;) {
    const start = rest.length - rest.trimStart().length;
    const before = rest.lastIndexOf(' ', width);
    // A word that is too long for a line of its own stays whole, so that it can be copied.
    const at = rest.length <= width ? -1 : before > start ? before : rest.indexOf(' ', width);
    if (at === -1) return [...lines, rest];
    lines.push(rest.slice(0, at).trimEnd());
    rest = `${' '.repeat(indent)}${rest.slice(at).trimStart()}`;
  }
}
