/** MCP servers that others wrote, as programs, and the command line that pins their tools. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { runCli } from '../../../src/cli/index.ts';
import { scratchDirectory } from '../../real-parts/program.ts';

const require = createRequire(import.meta.url);
const FILESYSTEM = join(require.resolve('@modelcontextprotocol/server-filesystem/package.json'), '../dist/index.js');
export const EVERYTHING = join(
  require.resolve('@modelcontextprotocol/server-everything/package.json'),
  '../dist/index.js',
);
const DRIFTING = join(import.meta.dirname, '../../real-parts/drifting-mcp-server.mjs');

/** What one command line said, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line where a nightshift.yaml is. */
export async function runNightshift(directory: string, argv: readonly string[]): Promise<Said> {
  const said = { out: [] as string[], err: [] as string[] };
  const code = await runCli({
    argv,
    env: {},
    directory,
    out: (text) => void said.out.push(text),
    err: (text) => void said.err.push(text),
    serve: () => Promise.reject(new Error('not here')),
    untilStopped: () => Promise.reject(new Error('not here')),
  });
  return { code, out: said.out.join('\n'), err: said.err.join('\n') };
}

/** Writes a nightshift.yaml with these toolsets into a folder and pins what is foreign; gives the file of pins. */
export async function pinForeign(directory: string, toolsets: object): Promise<string> {
  writeFileSync(join(directory, 'nightshift.yaml'), JSON.stringify({ mode: 'auto', policies: [], toolsets }));
  const { code, err } = await runNightshift(directory, ['tools', 'pin']);
  if (code !== 0) throw new Error(err);
  return join(directory, 'nightshift.lock.json');
}

/** The real filesystem server over a folder of its own, behind what changes its definitions. */
export interface DriftingFiles {
  readonly folder: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Says from now on something else of its tools; nothing gives back what it is. */
  say(drift: object): void;
  /** What it was answered to its own requests. */
  replies(): { id: string; error?: { code: number } }[];
  /** How many calls have reached it. */
  reached(): number;
  remove(): void;
}

/** Prepares the server; whoever is given `command` and `args` starts it. */
export function driftingFiles(): DriftingFiles {
  const [outside, own] = [scratchDirectory(), scratchDirectory()];
  const file = join(own.path, 'drift.json');
  const say = (drift: object) => writeFileSync(file, JSON.stringify(drift));
  say({});
  return {
    folder: outside.path,
    command: process.execPath,
    args: [DRIFTING, file, process.execPath, FILESYSTEM, outside.path],
    say,
    replies: () => linesOf(`${file}.replies`).map((line) => JSON.parse(line) as { id: string }),
    reached: () => linesOf(`${file}.calls`).length,
    remove() {
      outside.remove();
      own.remove();
    },
  };
}

function linesOf(file: string): string[] {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
}
