import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { COMMANDS, runCli } from '../../../src/cli/run.ts';

const silent = {
  env: {},
  directory: '/',
  out: () => {},
  err: () => {},
  serve: async () => {},
  untilStopped: async () => '',
};

describe('the commands', () => {
  it('are where the table says that they are, each in one place', async () => {
    for (const { names, load } of COMMANDS) {
      const program = new Command();
      (await load())(program, { ...silent, argv: [] });
      expect(program.commands.map((command) => command.name())).toEqual(names);
    }
    const all = COMMANDS.flatMap(({ names }) => names);
    expect(new Set(all).size).toBe(all.length);
  });

  it('are all listed, and one that is none is refused', async () => {
    const said: string[] = [];
    expect(await runCli({ ...silent, argv: ['--help'], out: (text) => void said.push(text) })).toBe(0);
    for (const name of COMMANDS.flatMap(({ names }) => names))
      expect(said.join('\n')).toMatch(new RegExp(`^  ${name}\\b`, 'm'));
    expect(await runCli({ ...silent, argv: ['nonsense'], err: (text) => void said.push(text) })).toBe(2);
    expect(said.join('\n')).toContain("unknown command 'nonsense'");
  });
});
