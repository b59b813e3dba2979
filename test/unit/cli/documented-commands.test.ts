/** Every command line in a document is one that the command line takes, with its options and arguments. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, type CommanderError } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../../src/cli/run.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

const ROOT = join(import.meta.dirname, '../../..');
const documents = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md'))
    .map((path) => join('docs', path)),
];
/** What starts the installed command, in place of a clone's `npm run nightshift --`. */
const STARTERS =
  /^(?:npx|docker (?:compose )?exec nightshift|kubectl .*exec deployment\/nightshift --|sudo \w+=\S+) nightshift /gm;
const silent = { argv: [], out: () => {}, err: () => {} } as unknown as Terminal;

describe('a documented command line', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'nightshift-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const withLines = documents
    .map((path) => ({ path, blocks: shellBlocks(readFileSync(join(ROOT, path), 'utf8')) }))
    .filter(({ blocks }) => blocks.length > 0);

  it.each(withLines)('of $path is taken', async ({ blocks }) => {
    for (const block of blocks) for (const words of commandLines(block)) expect(await refusal(words)).toBeNull();
  });

  it('is refused with an unknown option, a missing argument or a wrong choice', async () => {
    const block =
      'npm run nightshift -- incident show\nnpm run nightshift -- logs --from "a b"\nnpm run -s nightshift -- incident export 7 --format pdf > x # no\n';
    const lines = commandLines(block);
    expect(lines).toEqual([
      ['incident', 'show'],
      ['logs', '--from', 'a b'],
      ['incident', 'export', '7', '--format', 'pdf'],
    ]);
    for (const words of lines) expect(await refusal(words)).not.toBeNull();
  });

  it('is known by whatever starts it', () => {
    const block = [
      'npx nightshift init',
      'docker compose exec nightshift nightshift doctor',
      'sudo A=/b nightshift watch',
    ].join('\n');
    expect(shellBlocks(`\`\`\`sh\n${block}\n\`\`\`\n`).flatMap(commandLines)).toEqual([
      ['init'],
      ['doctor'],
      ['watch'],
    ]);
  });

  /** The words that a shell would hand over; nothing but the shell itself runs. */
  function commandLines(block: string): string[][] {
    const lines = block.replaceAll('\\\n', ' ').split('\n');
    const script = `npm() { printf '%s\\0' "$@" >&9; printf '\\n\\0' >&9; }\n${lines.filter(isCommand).join('\n')}`;
    const said = execFileSync('/bin/bash', ['--norc', '-c', `{ ${script}\n} 9>&1 >/dev/null 2>&1 | /bin/cat`], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: '/nowhere', DATABASE_URL: 'postgres://nightshift@127.0.0.1/nightshift' },
    });
    return said
      .split('\n\0')
      .map((line) => line.split('\0').slice(0, -1))
      .flatMap((words) => {
        const at = words.indexOf('nightshift');
        return at === -1 || words[at + 1] !== '--' ? [] : [words.slice(at + 2)];
      });
  }
});

function shellBlocks(text: string): string[] {
  return [...text.matchAll(/^```(?:sh|bash|console)\n([\s\S]*?)^```$/gm)]
    .map(([, block = '']) => block.replaceAll(STARTERS, 'npm run nightshift -- '))
    .filter(isCommand);
}

function isCommand(text: string): boolean {
  return text.includes('nightshift -- ');
}

/** Why the command line does not take these words, or null; no command is carried out. */
async function refusal(words: readonly string[]): Promise<string | null> {
  const program = new Command('nightshift');
  program.command('start').action(() => {});
  for (const { load } of COMMANDS) (await load())(program, silent);
  let ran = 0;
  disarm(program, () => {
    ran += 1;
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    return (error as CommanderError).message;
  }
  return ran === 1 ? null : `${words.join(' ')} names no command`;
}

function disarm(command: Command, action: () => void): void {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const child of command.commands) disarm(child, action);
  if (command.commands.length === 0) command.action(action);
}
