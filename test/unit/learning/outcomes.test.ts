import { describe, expect, it } from 'vitest';
import { resultOf } from '../../../src/learning/index.ts';
import type { Action } from '../../../src/planning/index.ts';

type Step = readonly [status: Action['status'], effect: Action['effect']];

describe('what came of the steps of one remedy', () => {
  it.each<readonly [string, readonly Step[], string]>([
    [
      'all of them together healed',
      [
        ['succeeded', 'healed'],
        ['succeeded', 'healed'],
      ],
      'healed',
    ],
    [
      'they changed nothing',
      [
        ['succeeded', 'unchanged'],
        ['succeeded', 'unchanged'],
      ],
      'unchanged',
    ],
    [
      'one failed',
      [
        ['succeeded', 'unchanged'],
        ['failed', 'unchanged'],
      ],
      'failed',
    ],
    ['one failed, and something else mended it', [['failed', 'healed']], 'unknown'],
    ['one failed and made it worse', [['failed', 'worse']], 'worse'],
    ['nobody knows whether one ran', [['unknown', 'unchanged']], 'unknown'],
    [
      'a person refused a part',
      [
        ['succeeded', 'unchanged'],
        ['denied', null],
      ],
      'unknown',
    ],
    [
      'a person refused a part, and it healed',
      [
        ['succeeded', 'healed'],
        ['denied', null],
      ],
      'healed',
    ],
    ['nobody looked', [['succeeded', null]], 'unknown'],
  ])('%s', (_what, steps, result) => {
    expect(resultOf(steps.map(([status, effect]) => ({ status, effect })))).toBe(result);
  });
});
