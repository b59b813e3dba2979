import { describe, expect, it } from 'vitest';
import { nearestName } from '../../../src/config/nearest.ts';

const NAMES = ['mode', 'server', 'toolsets', 'retention', 'limits'];

describe('nearestName', () => {
  it.each([
    ['tolsets', 'toolsets'],
    ['toolstes', 'toolsets'],
    ['Server', 'server'],
    ['mdoe', 'mode'],
    ['retension', 'retention'],
    ['limit', 'limits'],
    ['zzz', null],
    ['services', null],
    ['', null],
  ])('of %j is %j', (wrong, right) => {
    expect(nearestName(wrong, NAMES)).toBe(right);
  });
});
