import { describe, expect, it } from 'vitest';
import { readCut } from '../../../src/evaluation/read-cut.ts';
import { changeIn, lookIn, worldSchema } from '../../../src/evaluation/world.ts';

const world = worldSchema.parse({
  v: 1,
  recorded: { by: 'machine', system: 'x', fault: 'y', at: '2026-11-22' },
  instances: { box: { uses: 'host' } },
  phases: [
    {
      name: 'ill',
      looks: [
        {
          instance: 'box',
          tool: 'host.logs',
          arguments: { logs: 'a', below: 3 },
          ignoring: ['below'],
          result: { bytes: 9 },
        },
      ],
    },
    { name: 'well', over: true, looks: [{ instance: 'box', tool: 'host.disk', error: 'no answer' }] },
  ],
  changes: [
    { instance: 'box', tool: 'host.purge', arguments: { directory: 'a' }, from: 0, to: 1, result: { deleted: 2 } },
    { instance: 'box', tool: 'host.purge', to: null, error: 'not that one' },
  ],
});
const asked = (phase: number, tool: string, args: object) => ({
  phase,
  instance: 'box',
  tool,
  arguments: args as Record<string, unknown>,
});

describe('a recorded world', () => {
  it('answers a look in its phase, whatever the arguments that do not matter', () => {
    expect(lookIn(world, asked(0, 'host.logs', { below: 77, logs: 'a' }))).toEqual({
      recorded: true,
      result: { bytes: 9 },
    });
    expect(lookIn(world, asked(0, 'host.logs', { logs: 'b', below: 3 }))).toEqual({ recorded: false });
    expect(lookIn(world, asked(1, 'host.logs', { logs: 'a' }))).toEqual({ recorded: false });
    expect(lookIn(world, asked(1, 'host.disk', {}))).toEqual({ recorded: true, error: 'no answer' });
  });

  it('leads where the first entry says that a change leads', () => {
    expect(changeIn(world, asked(0, 'host.purge', { directory: 'a' }))).toMatchObject({ to: 1 });
    expect(changeIn(world, asked(1, 'host.purge', { directory: 'a' }))).toMatchObject({ to: null });
    expect(changeIn(world, asked(0, 'host.purge', { directory: 'b' }))).toMatchObject({ error: 'not that one' });
    expect(changeIn(world, asked(0, 'host.kill_process', {}))).toBeNull();
  });

  it.each([{ result: {}, error: 'x' }, {}])('takes no look with %o', (answer) => {
    const look = { instance: 'box', tool: 'host.disk', ...answer };
    expect(worldSchema.safeParse({ ...world, phases: [{ name: 'ill', looks: [look] }] }).success).toBe(false);
  });
});

describe('readCut', () => {
  it.each([
    ['{"a":1,"b":{"c":[1,2]}}', { a: 1, b: { c: [1, 2] } }],
    ['{"a":1,"b":{"c":[1,2', { a: 1, b: { c: [1] } }],
    ['{"a":"x, y}","b":"cut o', { a: 'x, y}' }],
    ['{"a', null],
    ['[1]', null],
    ['', null],
  ])('%s', (text, expected) => {
    expect(readCut(text)).toEqual(expected);
  });
});
